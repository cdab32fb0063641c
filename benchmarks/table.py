"""Writes the recorded runs into docs/benchmarks.md, as tables.

python benchmarks/table.py [RESULTS] [PAGE]

See docs/benchmarks.md.
"""

from functools import cache
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, Any, NamedTuple

import numpy
import typer
from runs import RESULTS, ROOT, VARIANTS, read_results
from wasabi import msg

from spacy_dualre.corpora import CORPORA

PAGE = ROOT / "docs" / "benchmarks.md"
START = "<!-- generated results -->"
END = "<!-- end of generated results -->"
TITLES = {
    "chemprot": "ChemProt",
    "biored": "BioRED",
    "scierc": "SciERC",
    "semeval2010": "SemEval-2010 Task 8",
}
MEASURES = {
    "chemprot": "micro",
    "biored": "concept",
    "scierc": "micro",
    "semeval2010": "macro",
}
# Those that have a row even if they were not run.
ENCODERS = {"all-MiniLM-L6-v2": "MiniLM-L6", "all-mpnet-base-v2": "MPNet-base"}
ALWAYS = ("linear", "dual", "contrastive", "no-spans", "tied")
# The linear head that a variant is compared with.
LINEAR = {
    "dual": "linear",
    "no-spans": "linear",
    "levitated": "levitated-linear",
    "levitated-no-spans": "levitated-linear",
    "levitated-no-spans-all-descriptions": "levitated-linear",
    "levitated-no-spans-all-descriptions-fast-temperature": "levitated-linear",
    "levitated-both-no-spans": "levitated-both-linear",
}
WAYS = {"dual": "", "mean": ", mean of both", "head": ", its own head"}
N_RESAMPLES = 10_000


class Setting(NamedTuple):
    """What the runs of a row have in common.

    encoder (str): The last part of the encoder's name: a path is the same encoder.
    train_docs (int): How many training documents were used. 0: all.
    steps (int): How many steps were made. 0: those of the config.
    variant (str): The variant.
    """

    encoder: str
    train_docs: int
    steps: int
    variant: str

    def describe(self, way: str) -> str:
        """RETURNS (str): The model, with the way to predict and the subset."""
        subset = []
        if self.train_docs:
            subset.append(f"{self.train_docs} training documents")
        if self.steps:
            subset.append(f"{self.steps} steps")
        return ", ".join([self.variant + WAYS[way], *subset])


Runs = dict[Setting, list[dict[str, Any]]]


def group_runs(rows: list[dict[str, Any]]) -> Runs:
    """Group the runs that differ in nothing but the seed.

    rows (List[Dict[str, Any]]): The recorded runs of a dataset.
    RETURNS (Runs): The runs of each setting, by seed; those of whole trainings first,
        and none for a setting that was not run.
    """
    groups: Runs = {Setting(e, 0, 0, v): [] for e in ENCODERS for v in ALWAYS}
    for row in sorted(rows, key=lambda row: row["seed"]):
        encoder = Path(row["encoder"]).name
        subset = (row["train_docs"] or 0, row["steps"] or 0)
        groups.setdefault(Setting(encoder, *subset, row["variant"]), []).append(row)
    encoders = list(dict.fromkeys(setting.encoder for setting in groups))
    order = list(VARIANTS)
    return dict(
        sorted(
            groups.items(),
            key=lambda item: (
                encoders.index(item[0].encoder),
                *item[0][1:3],
                order.index(item[0].variant),
            ),
        )
    )


def result_table(dataset: str, groups: Runs) -> list[str]:
    """Make the table of a dataset.

    dataset (str): The dataset.
    groups (Runs): Its runs.
    RETURNS (List[str]): The lines of the table.
    """
    measure = MEASURES[dataset]
    # There is no macro precision and recall.
    part = "micro" if measure == "macro" else measure
    header = ["encoder", "model", "seeds", f"dev {measure} F1"]
    header += [f"test {part} P", f"test {part} R", f"test {measure} F1"]
    header += ["candidates only F1", "training minutes", "pairs/s"]
    body = []
    for setting, rows in groups.items():
        encoder = ENCODERS.get(setting.encoder, setting.encoder)
        if not rows:
            empty = [""] * (len(header) - 3)
            body.append([encoder, setting.describe("dual"), "not run", *empty])
            continue
        ways = [way for way in WAYS if way in rows[0]["scores"]["dev"]]
        if len(ways) < len(WAYS):
            # Only one of the two is trained, so that there is no mean of both.
            ways = [way for way in ways if way != "mean"]
        for way in ways:
            # The only way to predict needs no name.
            shown = way if len(ways) > 1 else "dual"
            cells = [encoder, setting.describe(shown), _seeds(rows)]
            cells.append(_score(rows, "dev", way, f"rel_{measure}_f"))
            for name in (f"{part}_p", f"{part}_r", f"{measure}_f"):
                cells.append(_score(rows, "test", way, f"rel_{name}"))
            # It counts single relations, as micro F1 does.
            easier = _score(rows, "test", way, "rel_candidate_f")
            cells.append(easier if measure == "micro" else "-")
            cells.append(f"{mean(row['seconds']['train'] for row in rows) / 60:.1f}")
            # A dual run encodes descriptions even for its head.
            split = "test" if _is_scored(rows, "test") else "dev"
            speed = f"{mean(row['pairs_per_s'][split] for row in rows):.1f}"
            cells.append("-" if shown == "head" else speed)
            body.append(cells)
    return make_table(header, body)


def comparison_table(dataset: str, groups: Runs) -> list[str]:
    """Make the table of the dual encoder's gain over the linear head.

    dataset (str): The dataset.
    groups (Runs): Its runs.
    RETURNS (List[str]): The lines of the table, or of a sentence that there is nothing
        to compare.
    """
    body = []
    for setting, rows in groups.items():
        if setting.variant not in LINEAR:
            continue
        linear = groups.get(setting._replace(variant=LINEAR[setting.variant]), [])
        common = _tested(rows) & _tested(linear)
        if not common:
            continue
        ours, theirs = (
            [row for row in side if row["seed"] in common] for side in (rows, linear)
        )
        encoder = ENCODERS.get(setting.encoder, setting.encoder)
        for way in WAYS:
            gain, low, high, p = bootstrap(dataset, ours, theirs, way)
            body.append(
                [
                    *(encoder, setting.describe(way), _seeds(ours)),
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
        numpy.add.at(counts, (side[:, 0], i, side[:, 1]), side[:, 2:])
    if MEASURES[dataset] == "macro":
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
    lines = []
    recorded = {dataset: read_results(dataset, folder) for dataset in TITLES}
    for dataset, title in TITLES.items():
        groups = group_runs(recorded[dataset])
        lines += [f"### {title}", "", *result_table(dataset, groups), ""]
        lines += [*comparison_table(dataset, groups), ""]
    rows = [row for rows in recorded.values() for row in rows]
    if rows:
        lines += ["### Machines and commands", "", *describe_machines(rows), ""]
        lines += ["<details>", "<summary>The commands of every run</summary>", ""]
        lines.append("```bash")
        for row in rows:
            encoder = Path(row["encoder"]).name
            name = f"{row['dataset']}, {encoder}, {row['variant']}, seed {row['seed']}"
            lines += [f"# {name}; commit {row['commit']}", *row["commands"]]
        lines += ["```", "", "</details>", ""]
    return "\n".join(lines)


def replace_tables(page: str, tables: str) -> str:
    """Replace the generated part of a page.

    page (str): The page.
    tables (str): The new part.
    RETURNS (str): The page with it.
    RAISES (ValueError): If the page does not have the two markers.
    """
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"The page needs the lines {START} and {END}.")
    return f"{before}{start}\n\n{tables}\n{end}{after}"


def _tested(rows: list[dict[str, Any]]) -> set[int]:
    """The seeds of the runs that were scored on the test split."""
    return {row["seed"] for row in rows if "test" in row["scores"]}


def _seeds(rows: list[dict[str, Any]]) -> str:
    return ", ".join(str(row["seed"]) for row in rows)


def _is_scored(rows: list[dict[str, Any]], split: str) -> bool:
    return all(split in row["scores"] for row in rows)


def _score(rows: list[dict[str, Any]], split: str, way: str, name: str) -> str:
    if not _is_scored(rows, split):
        return "-"
    values = [100 * row["scores"][split][way][name] for row in rows]
    spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
    return f"{mean(values):.2f}{spread}"


def make_table(header: list[str], body: list[list[str]]) -> list[str]:
    """RETURNS (List[str]): The lines of a table in Markdown."""
    return [f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *body]]


# fmt: off
def main(
    results: Annotated[Path, typer.Argument(help="What runs.py recorded")] = RESULTS,
    page: Annotated[Path, typer.Argument(help="The page to update")] = PAGE,
) -> None:
    """Write the recorded runs into a page, as tables."""
    # fmt: on
    text = replace_tables(page.read_text("utf8"), make_tables(results))
    page.write_text(text, encoding="utf8")
    msg.good(f"Updated {page}")


if __name__ == "__main__":
    typer.run(main)
