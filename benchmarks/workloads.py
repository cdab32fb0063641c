"""What is measured: Docs, and pipelines that read them."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.util import fix_random_seed
from tqdm import tqdm
from wasabi import msg

from spacy_dualre.component import DualRelationExtractor
from spacy_dualre.corpora import CORPORA
from spacy_dualre.corpora.report import Report
from spacy_dualre.predicates import read_predicates

ASSETS = Path(__file__).parent.parent / "assets"
NAME = "dual_relation_extractor"
LIMIT = "benchmark_pairs"
BATCH_SIZE = 64  # Docs, as in configs/base.cfg


@dataclass
class Setup:
    """How a corpus is read.

    corpus (str): The format, as in `spacy-dualre convert`.
    max_length (int): Wordpieces of an input at most; what the published procedure pads
        to.
    context_length (int): Context around the pair's sentence, in wordpieces.
    max_sentences (Optional[int]): How many sentences a pair may touch.
    """

    corpus: str
    max_length: int
    context_length: int = 0
    max_sentences: int | None = 1


SETUPS = {
    # 137 wordpieces are about 100 words.
    "chemprot": Setup("chemprot", max_length=250, context_length=137),
    "scierc": Setup("scierc", max_length=128),
    "biored": Setup("biored", max_length=250, max_sentences=None),
    "sample": Setup("jsonl", max_length=128),
}


class FirstPairs:
    """Keeps the first pairs of a Doc, as many as its user data say.

    find_pairs (PairFinder): Finds the pairs.
    """

    def __init__(self, find_pairs: Any) -> None:
        self.find_pairs = find_pairs

    def __call__(
        self, doc: Doc, entities: Sequence[Span], admitted: numpy.ndarray
    ) -> tuple[numpy.ndarray, Mapping[str, int]]:
        pairs, dropped = self.find_pairs(doc, entities, admitted)
        return pairs[: doc.user_data.get(LIMIT, len(pairs))], dropped


def read_docs(nlp: Language, name: str, data: Path | None) -> tuple[str, list[Doc]]:
    """Read the gold Docs of a corpus' test split.

    nlp (Language): The pipeline whose vocabulary is used.
    name (str): The workload.
    data (Optional[Path]): The directory that has the corpus in a folder of its name (or
        is that folder): its original files, or what `spacy-dualre convert` made of
        them. Where it has neither, the sample corpus is read.
    RETURNS (Tuple[str, List[Doc]]): The workload that was read, and its Docs.
    """
    folder = ASSETS / "sample"
    if name != "sample":
        found = [
            path
            for path in ([data / name, data] if data else [])
            if (path / "test.spacy").is_file()
            or all((path / file).is_file() for file in CORPORA[name].files)
        ]
        if not found:
            msg.warn(
                f"There is no {name} corpus in {data}: the sample corpus is measured "
                "instead",
                "Give the directory with --data. Ratios on the short texts of the "
                "sample say nothing about those of the corpus.",
            )
            name = "sample"
        else:
            folder = found[0]
    if (folder / "test.spacy").is_file():
        return name, list(DocBin().from_disk(folder / "test.spacy").get_docs(nlp.vocab))
    read = CORPORA[SETUPS[name].corpus].read(nlp, folder, Report(name))
    docs = [
        doc for split, doc in tqdm(read, desc="Read", unit="doc") if split == "test"
    ]
    return name, docs


def make_pipeline(
    name: str, docs: list[Doc], encoder: str, nlp: Language | None = None
) -> Language:
    """Make a pipeline for a corpus, with untrained weights.

    name (str): The workload.
    docs (List[Doc]): Its Docs.
    encoder (str): The encoder.
    nlp (Optional[Language]): The pipeline to add the component to.
    RETURNS (Language): The pipeline, initialized.
    """
    setup = SETUPS[name]
    config = {
        "predicates": read_predicates(str(ASSETS / name / "predicates.yml")),
        "spans_key": "entities",
        "candidates": {
            "@misc": "spacy-dualre.candidate_pairs.v1",
            "max_sentences": setup.max_sentences,
        },
    }
    architecture = {
        "max_length": setup.max_length,
        "context_length": setup.context_length,
    }
    nlp = nlp or spacy.blank("en")
    nlp.batch_size = BATCH_SIZE
    return initialize(nlp, docs, encoder, config, architecture)


def initialize(
    nlp: Language,
    docs: list[Doc],
    encoder: str,
    config: dict[str, Any],
    architecture: dict[str, Any],
) -> Language:
    """Add the component to a pipeline and initialize it, the same way every time.

    nlp (Language): The pipeline.
    docs (List[Doc]): Gold Docs.
    encoder (str): The encoder.
    config (Dict[str, Any]): Arguments of the component.
    architecture (Dict[str, Any]): Arguments of the model.
    RETURNS (Language): The pipeline.
    """
    model = {
        "@architectures": "spacy-dualre.DualEncoder.v1",
        "encoder": encoder,
        **architecture,
    }
    nlp.add_pipe(NAME, config={**config, "model": model})
    fix_random_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of the Docs lack some of the types
        nlp.initialize(lambda: [Example(nlp.make_doc(doc.text), doc) for doc in docs])
    return nlp


def take_pairs(component: DualRelationExtractor, docs: list[Doc], n: int) -> list[Doc]:
    """Take Docs until there are enough candidate pairs.

    component (DualRelationExtractor): From now on it leaves out the last Doc's pairs
        that would be too many.
    docs (List[Doc]): Docs.
    n (int): How many pairs. 0: all.
    RETURNS (List[Doc]): The first Docs, without relations.
    """
    if not isinstance(component.find_pairs, FirstPairs):
        component.find_pairs = FirstPairs(component.find_pairs)
    taken, left = [], n or float("inf")
    for doc in docs:
        if left <= 0:
            break
        doc = doc.copy()
        doc.spans.pop(component.cfg["relations_key"], None)
        found = len(component.find_candidates(doc).pairs)
        if found > left:
            doc.user_data[LIMIT] = int(left)
        left -= found
        taken.append(doc)
    return taken
