"""Measures a trained pipeline on predicates that it never saw.

python benchmarks/zero_shot/zero_shot.py split IN.spacy OUT.spacy --split 0
python benchmarks/zero_shot/zero_shot.py fewrel MODEL CORPORA --split 0
python benchmarks/zero_shot/zero_shot.py negatives MODEL CORPORA
python benchmarks/zero_shot/zero_shot.py few MODEL CORPORA --sizes 5,10 --draws 3
python benchmarks/zero_shot/zero_shot.py table

What was measured is in benchmarks/results/zero-shot.jsonl. See docs/zero-shot.md.
"""

import gc
import random
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy
import spacy
import srsly
import torch
import typer
from spacy.vocab import Vocab
from wasabi import msg

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.datasets import MINILM, ROOT
from benchmarks.pages import replace_generated
from benchmarks.zero_shot.corpora import (
    CHOSEN_ON,
    CORPORA,
    N_HELD_OUT,
    choose_docs,
    domain_of,
    domains_of,
    fewrel_predicates,
    hash_of,
    held_out,
    id_of,
    labels_of,
    leave_out,
)
from benchmarks.zero_shot.few import (
    FEW_CORPORA,
    SYSTEMS,
    Job,
    draw_sentences,
    make_config,
    train_and_score,
)
from benchmarks.zero_shot.hubs import HUBS, variants_of
from benchmarks.zero_shot.measures import DECISIONS, Best, measure, n_way
from benchmarks.zero_shot.pairs import JOINS, select
from benchmarks.zero_shot.reader import load_reader, score_banks
from benchmarks.zero_shot.rows import RESULTS, identity, read_rows, record
from benchmarks.zero_shot.tables import make_tables
from spacy_dualre.doc_bins import new_doc_bin, read_docs
from spacy_dualre.predicates import NO_RELATION, read_predicates
from spacy_dualre.relations import get_relations

PAGE = ROOT / "docs" / "zero-shot.md"
WAYS = (5, 10, 15)
N_SUBSETS = 5

app = typer.Typer(help=__doc__, no_args_is_help=True)
MODEL = typer.Argument(help="A trained pipeline", exists=True)
FOLDER = typer.Argument(help="The folder with the converted corpora", exists=True)
NAME_OPTION = typer.Option(help="The model's name in the rows; by default its folder's")
GPU = typer.Option(help="The GPU's number, or -1")
RESULTS_OPTION = typer.Option(help="Where the rows go")


# fmt: off
@app.command("split")
def split_command(
    source: Annotated[Path, typer.Argument(help="A .spacy file", exists=True)],
    target: Annotated[Path, typer.Argument(help="The .spacy file to write")],
    split: Annotated[
        int | None, typer.Option(help="Which sixteen properties of FewRel to leave out")
    ] = None,
    corpus: Annotated[
        list[str] | None, typer.Option(help="A corpus whose labels to leave out")
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="Another label to leave out")
    ] = None,
    predicates: Annotated[
        Path | None, typer.Option(help="JSON of predicates, written beside the target")
    ] = None,
) -> None:
    """Write training data without the predicates that are measured."""
    # fmt: on
    refuse_unknown("corpus", corpus or [], CORPORA)
    labels = [] if split is None else held_out(split)
    labels += [label for own in corpus or [] for label in labels_of(own)]
    labels += drop or []
    docs = list(read_docs(source, Vocab()))
    kept = list(leave_out(docs, labels))
    target.parent.mkdir(parents=True, exist_ok=True)
    new_doc_bin(kept).to_disk(target)
    if predicates is not None:
        data = read_predicates(str(predicates))
        left = [own for own in data if own["label"] not in labels]
        srsly.write_json(target.with_name(predicates.with_suffix(".json").name), left)
    msg.good(f"Left out {', '.join(labels)}: {len(kept)} of {len(docs)} Docs")


# fmt: off
@app.command("fewrel")
def fewrel_command(
    model: Annotated[Path, MODEL],
    corpora: Annotated[Path, FOLDER],
    split: Annotated[int, typer.Option(help="Which sixteen properties")],
    per_relation: Annotated[
        int, typer.Option(help="Sentences of each at most; 0 for all")
    ] = 40,
    join: Annotated[list[str], typer.Option()] = ["max"],  # noqa: B006
    hub: Annotated[list[str], typer.Option()] = [  # noqa: B006
        "none", "own-spread", "bank64-spread"
    ],
    name: Annotated[str | None, NAME_OPTION] = None,
    gpu: Annotated[int, GPU] = -1,
    results: Annotated[Path, RESULTS_OPTION] = RESULTS,
) -> None:
    """N-way FewRel: the best of N unseen predicates, for pairs that have one."""
    # fmt: on
    reader = load_reader(model, gpu)
    labels = held_out(split)
    every = fewrel_predicates()
    predicates = (every[0], *(p for p in every if p.label in labels))
    seen = sorted(set(labels) & set(reader.trained_with))
    if seen:
        msg.warn(f"The model was trained with {', '.join(seen)}")
    taken: Counter = Counter()
    examples = []
    everything = reader.read(corpora / "fewrel" / "train.spacy")
    for example in sorted(everything, key=lambda eg: hash_of(id_of(eg))):
        (label,) = {r.label for r in get_relations(example.reference)} - {NO_RELATION}
        taken[label] += 1
        enough = per_relation and taken[label] > per_relation
        if label in labels and not enough:
            examples.append(example)
    pairs, gold = reader.score_marked(examples, predicates)
    banks = score_banks(reader, corpora, predicates, hub)
    draw = random.Random(split)
    subsets = {
        n: [sorted(draw.sample(range(1, N_HELD_OUT + 1), n)) for _ in range(N_SUBSETS)]
        for n in WAYS
    }
    subsets[N_HELD_OUT] = [list(range(1, N_HELD_OUT + 1))]
    rows = []
    for n, own in subsets.items():
        scores: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
        for subset in own:
            chosen = numpy.isin(gold, subset)
            part = select(pairs, chosen, subset)
            part_banks = {
                size: select(bank, None, subset) for size, bank in banks.items()
            }
            answers = numpy.searchsorted(subset, gold[chosen])
            for how, hubs, z in variants_of(part, part_banks, join, hub):
                scores.setdefault((how, hubs), []).append(n_way(z[:, 1:], answers))
        for (how, hubs), values in scores.items():
            p, r, f = (sum(column) / len(column) for column in zip(*values))
            rows.append(
                {
                    "is": {
                        **identity("fewrel", model, name),
                        "split": split,
                        "n": n,
                        "per_relation": per_relation,
                        "join": how,
                        "hub": hubs,
                    },
                    "p": p,
                    "r": r,
                    "f": f,
                    "subsets": [f for _, _, f in values],
                    "seen": seen,
                }
            )
    record(results, rows)
    for row in rows:
        msg.text("{n}-way {join} {hub}: ".format(**row["is"]) + f"{100 * row['f']:.1f}")


# fmt: off
@app.command("negatives")
def negatives_command(
    model: Annotated[Path, MODEL],
    corpora: Annotated[Path, FOLDER],
    corpus: Annotated[
        list[str], typer.Option(help=f"Of {', '.join(CORPORA)}")
    ] = list(CORPORA),  # noqa: B006
    limit: Annotated[
        int, typer.Option(help=f"Docs of each corpus but {CHOSEN_ON}; 0 for all")
    ] = 0,
    join: Annotated[
        list[str], typer.Option(help=f"Of {', '.join(JOINS)}; {CHOSEN_ON} has all")
    ] = ["max"],  # noqa: B006
    hub: Annotated[
        list[str], typer.Option(help=f"Of {', '.join(HUBS)}; {CHOSEN_ON} has all")
    ] = ["none", "own", "bank64"],  # noqa: B006
    hide_types: Annotated[
        bool, typer.Option("--hide-types", help="Read types as never seen ones")
    ] = False,
    name: Annotated[str | None, NAME_OPTION] = None,
    gpu: Annotated[int, GPU] = -1,
    results: Annotated[Path, RESULTS_OPTION] = RESULTS,
) -> None:
    """Relations among all pairs of gold entities, most of which have none."""
    # fmt: on
    refuse_unknown("corpus", corpus, CORPORA)
    reader = load_reader(model, gpu, hide_types=hide_types)
    own_name = (name or model.resolve().name) + ", types hidden" * hide_types
    thresholds: dict[tuple[bool, str, str], float] = {}
    for corpus_name in dict.fromkeys([CHOSEN_ON, *corpus]):
        is_chosen_on = corpus_name == CHOSEN_ON
        joins, hubs = (JOINS, HUBS) if is_chosen_on else (join, hub)
        own = CORPORA[corpus_name]
        examples = reader.read(corpora / f"{own.part}.spacy")
        domains = domains_of(corpus_name)
        if domains:
            examples = [eg for eg in examples if domain_of(eg) in domains]
        n_docs = 0 if is_chosen_on else limit
        examples = choose_docs(examples, n_docs)
        every, used = own.read_predicates(), labels_of(corpus_name)
        predicates = (every[0], *(p for p in every if p.label in used))
        msg.divider(corpus_name)
        pairs = reader.score_corpus(examples, predicates, domains)
        banks = score_banks(reader, corpora, predicates, hubs)
        rows = []
        for signatures in (True, False):
            for how, hubs_by, z in variants_of(pairs, banks, joins, hubs, signatures):
                best = Best.of(z)
                key = signatures, how, hubs_by
                if is_chosen_on:
                    thresholds[key] = best.choose(pairs)
                for decision in DECISIONS:
                    threshold = thresholds[key] if decision == "threshold" else None
                    related = best.decide(threshold)
                    rows.append(
                        {
                            "is": {
                                **identity("negatives", model, own_name),
                                "corpus": corpus_name,
                                "limit": n_docs,
                                "signatures": signatures,
                                "join": how,
                                "hub": hubs_by,
                                "decision": decision,
                            },
                            **measure(pairs, best, related, own.single_direction),
                            "threshold": threshold,
                            "seen": sorted(
                                {p.label for p in predicates[1:]}
                                & set(reader.trained_with)
                            ),
                        }
                    )
        record(results, rows)
        for row in rows:
            if row["is"]["hub"] == "none" and row["is"]["join"] == "max":
                kind = "with" if row["is"]["signatures"] else "without"
                msg.text(
                    f"{kind} signatures, {row['is']['decision']}: micro F1 "
                    f"{100 * row['micro_f']:.1f}, macro F1 {100 * row['macro_f']:.1f}, "
                    f"unrelated found {100 * row['unrelated_found']:.1f} %"
                )


# fmt: off
@app.command("few")
def few_command(
    model: Annotated[Path, MODEL],
    corpora: Annotated[Path, FOLDER],
    corpus: Annotated[
        list[str], typer.Option(help=f"Of {', '.join(FEW_CORPORA)}")
    ] = list(FEW_CORPORA),  # noqa: B006
    system: Annotated[
        list[str], typer.Option(help=f"Of {', '.join(SYSTEMS)}")
    ] = list(SYSTEMS),  # noqa: B006
    sizes: Annotated[
        str, typer.Option(help="Numbers of sentences, and all")
    ] = "5,10,20,50,100,300,all",
    draws: Annotated[int, typer.Option(help="Draws of each size")] = 3,
    limit: Annotated[int, typer.Option(help="Docs that are scored; 0 for all")] = 0,
    encoder: Annotated[
        str, typer.Option(help="The encoder of those that do not start from the model")
    ] = MINILM,
    work: Annotated[
        Path, typer.Option(help="Where the drawn sentences go")
    ] = Path("training/zero-shot"),
    name: Annotated[str | None, NAME_OPTION] = None,
    gpu: Annotated[int, GPU] = -1,
    results: Annotated[Path, RESULTS_OPTION] = RESULTS,
) -> None:
    """Train with few annotated sentences. What is recorded is not trained again."""
    # fmt: on
    refuse_unknown("corpus", corpus, FEW_CORPORA)
    refuse_unknown("system", system, SYSTEMS)
    if gpu >= 0:
        spacy.require_gpu(gpu)
    model_name = identity("few", model, name)["model"]
    numbers = [None if x == "all" else int(x) for x in sizes.split(",")]
    jobs = [
        Job(c, s, n, draw, model_name if s == "general" else Path(encoder).name, limit)
        for n, draw, c, s in product(numbers, range(draws), corpus, system)
    ]
    done = [row["is"] for row in read_rows(results)]
    jobs = [job for job in jobs if job.identity not in done]
    docs = {
        own: list(read_docs(corpora / own / "train.spacy", Vocab()))
        for own in {job.corpus for job in jobs}
    }
    failed = 0
    for job in jobs:
        msg.divider(str(job.identity))
        path = work / f"{job.corpus}-{job.size or 'all'}-{job.draw}.spacy"
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn = draw_sentences(docs[job.corpus], job.size, job.draw)
        new_doc_bin(drawn).to_disk(path)
        start = model if job.system == "general" else None
        seconds = time.perf_counter()
        test = corpora / f"{CORPORA[job.corpus].part}.spacy"
        try:
            config = make_config(job, path, encoder, start, gpu)
            scores = train_and_score(config, test, limit, gpu)
        except Exception as e:  # the others go on
            failed += 1
            msg.warn(f"{type(e).__name__}: {e}")
            continue
        seconds = time.perf_counter() - seconds
        steps = config["training"]["max_steps"]
        row = {"is": job.identity, **scores, "steps": steps, "seconds": seconds}
        record(results, [row])
        msg.text(f"micro F1 {100 * scores['micro_f']:.1f} in {seconds:.0f} s")
        gc.collect()
        if gpu >= 0:
            torch.cuda.empty_cache()
    if failed:
        msg.fail(f"{failed} failed", exits=1)


def refuse_unknown(what: str, names: Iterable[str], known: Collection[str]) -> None:
    """End the command if a name is none of those that there are.

    what (str): What is named.
    names (Iterable[str]): The names that were given.
    known (Collection[str]): Those that there are.
    """
    unknown = [name for name in names if name not in known]
    if unknown:
        there = f"There are {', '.join(known)}."
        msg.fail(f"No {what} is named {', '.join(unknown)}", there, exits=1)


@app.command("table")
def table_command(
    results: Annotated[
        Path, typer.Option(help="What was recorded", exists=True)
    ] = RESULTS,
    page: Annotated[Path, typer.Option(help="The page to update", exists=True)] = PAGE,
) -> None:
    """Write what is recorded into a page, as tables."""
    tables = make_tables(read_rows(results))
    page.write_text(replace_generated(page.read_text("utf8"), tables), encoding="utf8")
    msg.good(f"Updated {page}")


if __name__ == "__main__":
    app()
