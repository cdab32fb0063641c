"""What is measured: Docs, and pipelines that read them."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import fix_random_seed
from tqdm import tqdm
from wasabi import msg

from benchmarks.datasets import DATASETS, ROOT, SAMPLE, Dataset
from spacy_dualre.component import DualRelationExtractor
from spacy_dualre.corpora import CORPORA, jsonl
from spacy_dualre.corpora.report import Report
from spacy_dualre.doc_bins import read_docs as read_doc_bin
from spacy_dualre.pairs.candidates import PairFinder
from spacy_dualre.training.corpus import make_example

LIMIT = "benchmark_pairs"


class FirstPairs:
    """Keeps the first pairs of a Doc, as many as its user data say.

    find_pairs (PairFinder): Finds the pairs.
    """

    def __init__(self, find_pairs: PairFinder) -> None:
        self.find_pairs = find_pairs

    def __call__(
        self, doc: Doc, entities: Sequence[Span], admitted: numpy.ndarray
    ) -> tuple[numpy.ndarray, Mapping[str, numpy.ndarray]]:
        pairs, dropped = self.find_pairs(doc, entities, admitted)
        return pairs[: doc.user_data.get(LIMIT, len(pairs))], dropped


def find_dataset(name: str, data: Path | None) -> tuple[Dataset, Path]:
    """Find a dataset, or the sample corpus where it is missing.

    name (str): The dataset, or "sample".
    data (Optional[Path]): The folder that has the dataset in a folder of its name (or
        is that folder): its original files, or what `spacy-dualre convert` made of
        them.
    RETURNS (Tuple[Dataset, Path]): The dataset and its folder.
    """
    dataset = DATASETS.get(name, SAMPLE)
    if dataset is not SAMPLE:
        for folder in [data / dataset.folder, data / name, data] if data else []:
            is_converted = (folder / "test.spacy").is_file()
            files = [folder / file for file in CORPORA[name].files]
            if is_converted or all(file.is_file() for file in files):
                return dataset, folder
        msg.warn(
            f"There is no {name} corpus in {data}: the sample corpus is measured "
            "instead",
            "Give the directory with --data. Ratios on the short texts of the sample "
            "say nothing about those of the corpus.",
        )
    return SAMPLE, ROOT / "assets" / "sample"


def read_docs(nlp: Language, dataset: Dataset, folder: Path) -> list[Doc]:
    """Read the gold Docs of a dataset's test split.

    nlp (Language): The pipeline whose vocabulary is used.
    dataset (Dataset): The dataset.
    folder (Path): Where it is.
    RETURNS (List[Doc]): The Docs.
    """
    converted = folder / "test.spacy"
    if converted.is_file():
        return list(read_doc_bin(converted, nlp.vocab))
    format_ = jsonl.FORMAT if dataset is SAMPLE else CORPORA[dataset.name]
    read = format_.read(nlp, folder, Report(dataset.name))
    progress = tqdm(read, desc="Read", unit="doc", disable=None)
    return [doc for split, doc in progress if split == "test"]


def initialize(nlp: Language, docs: list[Doc]) -> None:
    """Initialize a pipeline, the same way every time.

    nlp (Language): The pipeline.
    docs (List[Doc]): Gold Docs.
    """
    fix_random_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of the Docs lack some of the types
        nlp.initialize(lambda: [make_example(nlp, doc) for doc in docs])


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
        doc.spans.pop(component.relations_key, None)
        doc.user_data.pop("concept_relations", None)  # the gold ones of BioRED
        found = len(component.find_candidates(doc).pairs)
        if found > left:
            doc.user_data[LIMIT] = int(left)
        left -= found
        taken.append(doc)
    return taken
