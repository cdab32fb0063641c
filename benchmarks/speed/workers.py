"""Measures how many documents `apply` does with several workers. See docs/scale.md.

python benchmarks/speed/workers.py --workload scierc --data DIR --variant levitated
"""

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
import typer
from spacy.language import Language
from spacy.util import load_model_from_config
from wasabi import msg

from spacy_dualre.doc_bins import new_doc_bin

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.datasets import MINILM, NAME
from benchmarks.scores.variants import overrides_of
from benchmarks.speed.workloads import find_dataset, initialize, read_docs
from spacy_dualre.apply import Settings, apply

HEADER = ("engine", "workers", "documents/s", "pairs/s", "of local", "of one worker")


def make_files(
    workload: str, data: Path | None, variant: str, n_documents: int, folder: Path
) -> tuple[Path, Path, float]:
    """Write a pipeline and documents with gold entities.

    workload (str): The corpus.
    data (Optional[Path]): Where it is.
    variant (str): What differs from the corpus' config.
    n_documents (int): How many documents. Those of the test split come again and again.
    folder (Path): Where to write.
    RETURNS (Tuple[Path, Path, float]): The pipeline, the documents, and how many
        candidate pairs a document has.
    """
    dataset, source = find_dataset(workload, data)
    changes = {f"components.{NAME}.model.encoder": MINILM, **overrides_of(variant)}
    nlp: Language = load_model_from_config(dataset.make_config(changes), auto_fill=True)
    docs = read_docs(nlp, dataset, source)
    initialize(nlp, docs)
    nlp.to_disk(folder / "model")
    taken = list(islice(cycle(docs), n_documents))
    extractor: Any = nlp.get_pipe(NAME)
    n_pairs = sum(len(extractor.find_candidates(doc).pairs) for doc in taken)
    new_doc_bin(taken).to_disk(folder / "documents.spacy")
    return folder / "model", folder / "documents.spacy", n_pairs / n_documents


def measure(
    model: Path, documents: Path, engine: str, workers: int, shard_size: int
) -> float:
    """Measure a run, without the time in which its workers start.

    model (Path): The pipeline.
    documents (Path): The documents.
    engine (str): The engine.
    workers (int): How many workers, of one thread each.
    shard_size (int): How many documents a shard has.
    RETURNS (float): Documents per second, from the moment at which each worker may have
        finished its first shard.
    """
    with TemporaryDirectory() as name:
        output = Path(name) / "out.jsonl"
        if engine == "ray":
            ray: Any = import_module("ray")
            ray.init(num_cpus=workers, log_to_driver=False, include_dashboard=False)
        try:
            apply(
                *(model, documents, output),
                settings=Settings(),
                shard_size=shard_size,
                engine=engine,
                n_process=workers,
            )
        finally:
            if engine == "ray":
                ray.shutdown()
        parts = Path(name).glob("out.jsonl.parts/0*.jsonl")
        ends = sorted(path.stat().st_mtime for path in parts)
    return shard_size * (len(ends) - workers) / (ends[-1] - ends[workers - 1])


def to_rows(
    rates: dict[tuple[str, int], list[float]], n_pairs: float
) -> Iterator[tuple[str, ...]]:
    """Compare the rates.

    rates (Dict[Tuple[str, int], List[float]]): Documents per second of each run, by
        engine and number of workers.
    n_pairs (float): Candidate pairs of a document.
    YIELDS (Tuple[str, ...]): Rows of a table.
    """
    rate = {key: median(values) for key, values in rates.items()}
    for (engine, workers), own in rate.items():
        yield (
            engine,
            str(workers),
            f"{own:.2f}",
            f"{own * n_pairs:.0f}",
            f"{own / rate['local', workers]:.0%}",
            f"{own / rate[engine, 1]:.2f}",
        )


def main(
    workload: Annotated[str, typer.Option(help="Corpus")] = "sample",
    data: Annotated[Path | None, typer.Option(help="Folder with the corpora")] = None,
    variant: Annotated[str, typer.Option(help="What differs from its config")] = "dual",
    documents: Annotated[int, typer.Option(help="Documents of a run")] = 200,
    shard_size: Annotated[int, typer.Option(help="Documents of a shard")] = 10,
    workers: Annotated[str, typer.Option(help="Numbers of workers")] = "1,2",
    engines: Annotated[str, typer.Option(help="Engines")] = "local,ray",
    repeats: Annotated[int, typer.Option(help="Runs of each; the median counts")] = 3,
) -> None:
    """Measure documents per second by engine and number of workers, in turns."""
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    rates: dict[tuple[str, int], list[float]] = {}
    with TemporaryDirectory() as name:
        model, source, n_pairs = make_files(
            workload, data, variant, documents, Path(name)
        )
        for _ in range(repeats):
            for n in map(int, workers.split(",")):
                for engine in engines.split(","):
                    rate = measure(model, source, engine, n, shard_size)
                    rates.setdefault((engine, n), []).append(rate)
                    msg.info(f"{engine}, {n} workers: {rate:.2f} documents/s")
    print(f"{workload}, {variant}: {n_pairs:.1f} pairs a document")
    for row in (HEADER, ["---"] * len(HEADER), *to_rows(rates, n_pairs)):
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    typer.run(main)
