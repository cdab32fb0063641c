"""Writes the recorded runs into docs/benchmarks.md, as tables.

python benchmarks/scores/table.py [RESULTS] [PAGE]

See docs/benchmarks.md.
"""

import sys
from functools import cache
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, Any

import numpy
import typer
from wasabi import msg

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.datasets import DATASETS, RESULTS, ROOT
from benchmarks.pages import folded, make_table, replace_generated
from benchmarks.scores.groups import (
    ENCODERS,
    Groups,
    best_duals,
    duals_by_documents,
    group_runs,
    is_scored,
    linear_group,
    longest_of,
)
from benchmarks.scores.rows import Run, read_results
from benchmarks.scores.variants import is_linear
from spacy_dualre.corpora import CORPORA

PAGE = ROOT / "docs" / "benchmarks.md"
MAIN_VARIANTS = ("linear", "dual", "contrastive", "no-spans", "tied")
WAYS = {"dual": "", "mean": ", mean of both", "head": ", its own head"}
N_RESAMPLES = 10_000
# What `_comparison` returns.
COMPARED = (
    "variant",
    "steps",
    "seeds",
    "linear head",
    "dual encoder",
    "gain (95 % interval)",
)
EARLIER = "Earlier, shorter trainings, whose last step is scored"


def describe(group: Run, way: str) -> str:
    """RETURNS (str): The model, with the way to predict and how it was trained."""
    return ", ".join([group.variant + WAYS[way], *group.changes])


def missing_runs(recorded: dict[str, list[dict[str, Any]]]) -> str:
    """Name what was not run on all training documents.

    recorded (Dict[str, List[Dict[str, Any]]]): The recorded runs of each dataset.
    RETURNS (str): A line; "" if nothing is missing.
    """
    texts = []
    for encoder, title in ENCODERS.items():
        missing = {}
        for dataset, rows in recorded.items():
            own = {
                row["variant"]
                for row in rows
                if Path(row["encoder"]).name == encoder and not row["train_docs"]
            }
            missing[dataset] = [name for name in MAIN_VARIANTS if name not in own]
        if all(len(names) == len(MAIN_VARIANTS) for names in missing.values()):
            texts.append(f"{title} on any dataset")
            continue
        texts += [
            f"{title} on {DATASETS[dataset].title} "
            f"({'all' if len(names) == len(MAIN_VARIANTS) else ', '.join(names)})"
            for dataset, names in missing.items()
            if names
        ]
    if not texts:
        return ""
    return f"Not run, of {', '.join(MAIN_VARIANTS)}: {'; '.join(texts)}."


def summary_table(recorded: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Compare the dual encoder with the linear head, in the training that is best on
    dev.

    recorded (Dict[str, List[Dict[str, Any]]]): The recorded runs of each dataset.
    RETURNS (List[str]): The lines of the table: a line for each dataset and encoder.
    """
    body = []
    for dataset, rows in recorded.items():
        groups = group_runs(rows)
        for encoder, group in best_duals(groups).items():
            own = DATASETS[dataset]
            first = [own.title, own.measure, ENCODERS.get(encoder, encoder)]
            body.append([*first, *_comparison(dataset, groups, group)])
    return make_table(["corpus", "F1", "encoder", *COMPARED], body)


def documents_table(recorded: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Compare the dual encoder with the linear head by the number of training
    documents, where trainings on fewer than all are recorded.

    recorded (Dict[str, List[Dict[str, Any]]]): The recorded runs of each dataset.
    RETURNS (List[str]): The lines of the table: a line for each dataset and number.
    """
    body = []
    for dataset, rows in recorded.items():
        groups = group_runs(rows)
        n_all = CORPORA[dataset].counts["train"]["documents"]
        for encoder, duals in duals_by_documents(groups).items():
            for group in duals:
                size = group.train_docs or n_all
                first = [DATASETS[dataset].title, ENCODERS.get(encoder, encoder)]
                first.append(f"{size:,} ({100 * size / n_all:.0f} %)")
                body.append([*first, *_comparison(dataset, groups, group)])
    return make_table(["corpus", "encoder", "training documents", *COMPARED], body)


def _comparison(dataset: str, groups: Groups, group: Run) -> list[str]:
    """The cells of a dual encoder and the linear head that it is compared with."""
    ours, theirs = groups[group], groups[linear_group(group)]
    scores = [
        _score(own, "test", way, f"rel_{DATASETS[dataset].measure}_f")
        for own, way in ((theirs, "head"), (ours, "dual"))
    ]
    common = _tested(ours) & _tested(theirs)
    gain = "no common seed"
    if common:
        left, right = (
            [row for row in side if row["seed"] in common] for side in (ours, theirs)
        )
        points, low, high, _ = bootstrap(dataset, left, right, "dual")
        gain = f"{100 * points:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"
    seeds = f"{_seeds(theirs)}; {_seeds(ours)}"
    return [group.variant, str(longest_of(ours)), seeds, *scores, gain]


def result_table(dataset: str, groups: Groups) -> list[str]:
    """Make the table of a dataset.

    dataset (str): The dataset.
    groups (Groups): Its runs.
    RETURNS (List[str]): The lines of the table.
    """
    measure = DATASETS[dataset].measure
    # There is no macro precision and recall.
    part = "micro" if measure == "macro" else measure
    header = ["encoder", "model", "seeds", f"dev {measure} F1"]
    header += [f"test {part} P", f"test {part} R", f"test {measure} F1"]
    header += ["candidates only F1", "training minutes", "pairs/s"]
    body = []
    for group, rows in groups.items():
        encoder = ENCODERS.get(group.encoder, group.encoder)
        ways = [way for way in WAYS if way in rows[0]["scores"]["dev"]]
        if len(ways) < len(WAYS):
            # Only one of the two is trained, so that there is no mean of both.
            ways = [way for way in ways if way != "mean"]
        for way in ways:
            # The only way to predict needs no name.
            shown = way if len(ways) > 1 else "dual"
            cells = [encoder, describe(group, shown), _seeds(rows)]
            cells.append(_score(rows, "dev", way, f"rel_{measure}_f"))
            for name in (f"{part}_p", f"{part}_r", f"{measure}_f"):
                cells.append(_score(rows, "test", way, f"rel_{name}"))
            # It counts single relations, as micro F1 does.
            easier = _score(rows, "test", way, "rel_candidate_f")
            cells.append(easier if measure == "micro" else "-")
            cells.append(f"{mean(row['seconds']['train'] for row in rows) / 60:.1f}")
            # A dual run encodes descriptions even for its head.
            split = "test" if is_scored(rows, "test") else "dev"
            speed = f"{mean(row['pairs_per_s'][split] for row in rows):.1f}"
            cells.append("-" if shown == "head" else speed)
            body.append(cells)
    return make_table(header, body)


def comparison_table(dataset: str, groups: Groups) -> list[str]:
    """Make the table of the dual encoder's gain over the linear head.

    dataset (str): The dataset.
    groups (Groups): Its runs.
    RETURNS (List[str]): The lines of the table, or of a sentence that there is nothing
        to compare.
    """
    body = []
    for group, rows in groups.items():
        if is_linear(group.variant):
            continue
        linear = groups.get(linear_group(group), [])
        common = _tested(rows) & _tested(linear)
        if not common:
            continue
        ours, theirs = (
            [row for row in side if row["seed"] in common] for side in (rows, linear)
        )
        encoder = ENCODERS.get(group.encoder, group.encoder)
        for way in (way for way in WAYS if way in ours[0]["counts"]):
            gain, low, high, p = bootstrap(dataset, ours, theirs, way)
            body.append(
                [
                    *(encoder, describe(group, way), _seeds(ours)),
                    f"{100 * gain:+.2f}",
                    f"{100 * low:+.2f} to {100 * high:+.2f}",
                    f"{p:.4f}",
                ]
            )
    if not body:
        return ["No dual run and linear head with the same seed to compare."]
    header = ["encoder", "model", "seeds", "gain over linear", "95 % interval", "p"]
    return make_table(header, body)


def bootstrap(
    dataset: str, rows: list[dict[str, Any]], linear: list[dict[str, Any]], way: str
) -> tuple[float, float, float, float]:
    """Compare runs with those of the linear head by a paired bootstrap over the
    documents of the test split. Counts of several seeds are added up.

    dataset (str): The dataset.
    rows (List[Dict[str, Any]]): The runs.
    linear (List[Dict[str, Any]]): The runs of the linear head, with the same seeds.
    way (str): How the runs predict.
    RETURNS (Tuple[float, float, float, float]): The difference in the dataset's F1, its
        95 % percentile interval, and the two-sided p-value.
    """
    sides = [
        numpy.concatenate([row["counts"][way] for row in rows]),
        numpy.concatenate([row["counts"]["head"] for row in linear]),
    ]
    n_docs = CORPORA[dataset].counts["test"]["documents"]
    n_labels = 1 + max(side[:, 1].max() for side in sides)
    # Documents, sides, labels; true positives, false positives and false negatives.
    # Whole numbers below 2 ** 24, which float32 adds up exactly in any order.
    counts = numpy.zeros((n_docs, 2, n_labels, 3), dtype="float32")
    for i, side in enumerate(sides):
        document, label = side[:, :2].T
        numpy.add.at(counts[:, i], (document, label), side[:, 2:])
    if DATASETS[dataset].measure == "macro":
        in_gold = counts[..., [0, 2]].any(axis=(0, 1, 3))
        counts = counts[:, :, in_gold]
    else:
        counts = counts.sum(axis=2, keepdims=True)
    gain = _gain(counts.sum(axis=0))
    gains = _gain(numpy.tensordot(_resample(n_docs), counts, axes=1))
    low, high = numpy.percentile(gains, (2.5, 97.5))
    # Davison and Hinkley (1997), section 4.2: the observed one is counted too.
    fewest = min((gains <= 0).sum(), (gains >= 0).sum())
    p = min(1.0, 2 * (fewest + 1) / (N_RESAMPLES + 1))
    return float(gain), float(low), float(high), float(p)


@cache
def _resample(n_docs: int) -> numpy.ndarray:
    """How often each document is drawn, (N_RESAMPLES, n_docs)."""
    # RandomState draws the same numbers in every version of numpy.
    draw = numpy.random.RandomState(0).multinomial
    weights = draw(n_docs, [1 / n_docs] * n_docs, size=N_RESAMPLES)
    return weights.astype("float32")


def _gain(counts: numpy.ndarray) -> numpy.ndarray:
    """The first side's F1 minus the second's, from counts (..., 2, labels, 3)."""
    tp, fp, fn = numpy.moveaxis(counts.astype("float64"), -1, 0)
    f1 = (2 * tp / numpy.maximum(2 * tp + fp + fn, 1)).mean(axis=-1)
    return f1[..., 0] - f1[..., 1]


def describe_machines(rows: list[dict[str, Any]]) -> list[str]:
    """List the different machines and versions of some runs.

    rows (List[Dict[str, Any]]): The recorded runs.
    RETURNS (List[str]): One line for each.
    """
    machines, versions = [], []
    for row in rows:
        hardware = row["hardware"]
        text = "{machine}, {cpu}, cores: {cores}, threads: {threads}".format(**hardware)
        machines.append(f"- Hardware: {hardware.get('gpu', 'no GPU')}; {text}")
        names = ", ".join(f"{k} {v}" for k, v in row["versions"].items())
        versions.append(f"- Versions: {names}")
    return list(dict.fromkeys([*machines, *versions]))


def make_tables(folder: Path) -> str:
    """Make the part of the page that is generated.

    folder (Path): Where the results are.
    RETURNS (str): Markdown.
    """
    recorded = {dataset: read_results(dataset, folder) for dataset in DATASETS}
    missing = missing_runs(recorded)
    lines = [missing, ""] if missing else []
    for dataset, rows in recorded.items():
        if rows:
            best, last = (
                group_runs([row for row in rows if row["scored"] == scored])
                for scored in ("best", "last")
            )
            lines += [f"### {DATASETS[dataset].title}", ""]
            lines += tables_of(dataset, best) if best else []
            lines += folded(EARLIER, tables_of(dataset, last)) if last else []
    rows = [row for rows in recorded.values() for row in rows]
    if rows:
        lines += ["### Machines and commands", "", *describe_machines(rows), ""]
        commands = []
        for row in rows:
            encoder = Path(row["encoder"]).name
            name = f"{row['dataset']}, {encoder}, {row['variant']}, seed {row['seed']}"
            commands += [f"# {name}; commit {row['commit']}", *row["commands"]]
        fenced = ["```bash", *commands, "```", ""]
        lines += folded("The commands of every run", fenced)
    return "\n".join(lines)


def tables_of(dataset: str, groups: Groups) -> list[str]:
    """RETURNS (List[str]): The lines of both tables of some runs of a dataset."""
    tables = (result_table(dataset, groups), comparison_table(dataset, groups))
    return [line for table in tables for line in (*table, "")]


def update(page: str, folder: Path) -> str:
    """Update the page.

    page (str): The page.
    folder (Path): Where the results are.
    RETURNS (str): The page with the recorded runs.
    """
    recorded = {dataset: read_results(dataset, folder) for dataset in DATASETS}
    for part, make in (("summary", summary_table), ("documents", documents_table)):
        page = replace_generated(page, "\n".join([*make(recorded), ""]), part)
    return replace_generated(page, make_tables(folder))


def _tested(rows: list[dict[str, Any]]) -> set[int]:
    """The seeds of the runs that were scored on the test split."""
    return {row["seed"] for row in rows if "test" in row["scores"]}


def _seeds(rows: list[dict[str, Any]]) -> str:
    return ", ".join(str(row["seed"]) for row in rows)


def _score(rows: list[dict[str, Any]], split: str, way: str, name: str) -> str:
    if not is_scored(rows, split):
        return "-"
    values = [100 * row["scores"][split][way][name] for row in rows]
    spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
    return f"{mean(values):.2f}{spread}"


def main(
    results: Annotated[
        Path, typer.Argument(help="What runs.py recorded", exists=True)
    ] = RESULTS,
    page: Annotated[
        Path, typer.Argument(help="The page to update", exists=True)
    ] = PAGE,
) -> None:
    """Write the recorded runs into a page, as tables."""
    page.write_text(update(page.read_text("utf8"), results), encoding="utf8")
    msg.good(f"Updated {page}")


if __name__ == "__main__":
    typer.run(main)
