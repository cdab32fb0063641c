"""Trains and scores the benchmarks: dataset x encoder x variant x seed.

python benchmarks/runs.py DATA --dataset scierc --variant linear --variant dual --seed 0

Every finished run is a line in benchmarks/results/DATASET.jsonl, and is not run again.
See docs/benchmarks.md.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy
import spacy
import torch
import typer
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch
from tqdm import tqdm
from wasabi import msg

from spacy_dualre.architectures import Scored, score_docs
from spacy_dualre.component import DualRelationExtractor
from spacy_dualre.corpus import build_corpus
from spacy_dualre.gold import copy_gold_entities
from spacy_dualre.probabilities import PREDICT_WITH, to_probabilities
from spacy_dualre.scorer import concept_triples, triples

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
NAME = "dual_relation_extractor"
SPLITS = ("dev", "test")
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGES = ("spacy-dualre", "spacy", "thinc", "torch", "transformers", "numpy")
# Where a dataset's files are in DATA.
FOLDERS = {
    "chemprot": "chemprot",
    "biored": "biored",
    "scierc": "scierc",
    "semeval2010": "semeval2010_task8",
}
LEVITATED = {"model.levitated_markers": "object"}
BOTH = {"model.levitated_markers": "both"}
BARE = {**LEVITATED, "model.fill_spans": False}  # the fastest dual encoder to train
# At the encoders' learning rate the temperature hardly moves.
FAST = {"model.temperature_lr": 50.0}
# With both markers levitated the pairs of a document share a reading if they have the
# same window, so the window is as large as the encoder allows.
WHOLE_DOCUMENT = {"model.max_length": 512, "model.context_length": 512}
# What differs from configs/DATASET.cfg, below components.dual_relation_extractor.
VARIANTS: dict[str, dict[str, Any]] = {
    "linear": {"model.alpha": 1.0},
    "dual": {},
    # The head that ranks hard descriptions is not trained here.
    "contrastive": {"model.alpha": 0.0, "train_descriptions": "all"},
    "no-spans": {"model.fill_spans": False},
    "tied": {"model.tie_encoders": True},
    "no-context": {"model.use_context": False},
    "levitated": LEVITATED,
    "levitated-linear": {**LEVITATED, "model.alpha": 1.0},
    "levitated-no-spans": BARE,
    "levitated-hard-descriptions": {**LEVITATED, "train_descriptions": "hard"},
    "levitated-random-descriptions": {**LEVITATED, "train_descriptions": "random"},
    "levitated-no-spans-all-descriptions": {**BARE, "train_descriptions": "all"},
    "levitated-no-spans-all-pairs": {**BARE, "negative_ratio": None},
    "levitated-no-spans-sharp": {**BARE, "model.temperature": 0.03},
    "levitated-no-spans-fast-temperature": {**BARE, **FAST},
    "levitated-no-spans-all-descriptions-fast-temperature": {
        **BARE,
        **FAST,
        "train_descriptions": "all",
    },
    "levitated-both-linear": {**BOTH, "model.alpha": 1.0},
    "levitated-both-no-spans": {**BOTH, "model.fill_spans": False},
    "document-linear": {**BOTH, **WHOLE_DOCUMENT, "model.alpha": 1.0},
}
DatasetName = Enum("DatasetName", {name: name for name in FOLDERS}, type=str)
VariantName = Enum("VariantName", {name: name for name in VARIANTS}, type=str)


@dataclass(frozen=True)
class Run:
    """One training.

    dataset (str): The dataset.
    encoder (str): Both encoders' name.
    variant (str): One of `VARIANTS`.
    seed (int): The seed.
    steps (Optional[int]): Training steps. None: those of the dataset's config.
    train_docs (Optional[int]): How many documents of the training split are used, the
        first ones. None: all.
    """

    dataset: str
    encoder: str
    variant: str
    seed: int
    steps: int | None = None
    train_docs: int | None = None

    @property
    def name(self) -> str:
        """RETURNS (str): A name for files."""
        parts = [self.dataset, Path(self.encoder).name, self.variant, str(self.seed)]
        if self.steps:
            parts.append(f"{self.steps}steps")
        if self.train_docs:
            parts.append(f"{self.train_docs}docs")
        return "-".join(parts)

    def matches(self, row: dict[str, Any]) -> bool:
        """RETURNS (bool): Whether a recorded row is that of this run."""
        own = {**vars(self), "encoder": self.recorded_encoder}
        return all(row[key] == value for key, value in own.items())

    @property
    def recorded_encoder(self) -> str:
        """RETURNS (str): The encoder's name; the last part of an absolute path."""
        path = Path(self.encoder)
        return path.name if path.is_absolute() else self.encoder


def train(run: Run, corpus: Path, folder: Path, gpu: int) -> list[str]:
    """Train a pipeline.

    run (Run): The run.
    corpus (Path): The converted corpus.
    folder (Path): Where the pipeline goes.
    gpu (int): The GPU's number, -1 for the CPU.
    RETURNS (List[str]): The commands that were run.
    """
    config = folder / "config.cfg"
    overrides = {
        "paths.train": str(corpus / "train.spacy"),
        "paths.dev": str(corpus / "dev.spacy"),
        "paths.predicates": str(Path("assets", run.dataset, "predicates.yml")),
        "system.seed": run.seed,
        f"components.{NAME}.model.encoder": run.encoder,
        # The last model is the one that is scored, on all of dev, afterwards.
        "corpora.dev.limit": 1,
    }
    changes = VARIANTS[run.variant]
    if run.dataset == "biored" and changes.items() >= BOTH.items():
        changes = {**changes, **WHOLE_DOCUMENT}
    for key, value in changes.items():
        overrides[f"components.{NAME}.{key}"] = value
    if run.train_docs:
        overrides["corpora.train.limit"] = run.train_docs
    if run.steps:
        overrides["training.max_steps"] = run.steps
        overrides["training.eval_frequency"] = run.steps
        overrides["training.optimizer.learn_rate.total_steps"] = run.steps
        overrides["training.optimizer.learn_rate.warmup_steps"] = run.steps // 10
    given = [
        text for k, v in overrides.items() for text in (f"--{k}", _override_text(v))
    ]
    own = ["configs/base.cfg", f"configs/{run.dataset}.cfg", str(config)]
    python = [sys.executable, "-m", "spacy"]
    commands = [
        [*python, "dualre", "config", *own, *given],
        [*python, "train", str(config), "--output", str(folder), "-g", str(gpu)],
    ]
    for command in commands:
        subprocess.run(command, check=True, cwd=ROOT)
    hidden = {
        sys.executable: "python",
        str(folder.parent): "WORK",
        run.encoder: run.recorded_encoder,
    }
    return [_without_paths(" ".join(command), hidden) for command in commands]


def evaluate(model: Path, data: Path) -> tuple[dict[str, Any], dict[str, Any], float]:
    """Score a pipeline, once for each way to predict that its variant has. What the
    pairs scored is kept beside the pipeline (z and logits, in an .npz file named after
    the data), to find out why a model is wrong without scoring them again.

    model (Path): The pipeline.
    data (Path): A `.spacy` file.
    RETURNS (Tuple[Dict, Dict, float]): The scores, and the true positives, false
        positives and false negatives of each document and label, by `predict_with`; and
        the pairs scored in a second.
    """
    nlp = spacy.load(model)
    component: DualRelationExtractor = nlp.get_pipe(NAME)  # type: ignore[assignment]
    spans_key = component.cfg["spans_key"]
    examples = copy_gold_entities(build_corpus(str(data))(nlp), spans_key)
    settings = component.model.attrs["settings"]
    settings.prune = 0.0
    ways = {0: ("dual",), 1: ("head",)}.get(settings.alpha, PREDICT_WITH)
    settings.predict_with = ways[-1]  # "mean" computes both
    start = time.perf_counter()
    parts: list[Any] = []
    for batch in minibatch(tqdm(examples, desc="Score", unit="doc"), nlp.batch_size):
        docs = [example.predicted for example in batch]
        parts += score_docs(component.model, docs)
    seconds = time.perf_counter() - start
    scores, counts = {}, {}
    for way in ways:
        for example, (found, z, logits) in zip(examples, parts):
            probabilities = to_probabilities(z, logits, way).numpy()
            component.set_annotations(
                [example.predicted], [Scored(found, probabilities)]
            )
        scores[way] = component.score(examples)
        counts[way] = count(examples, component)
    if any(z is not None for _, z, _ in parts):
        numpy.savez_compressed(
            model.parent / f"{data.stem}.npz",
            z=torch.cat([z for _, z, _ in parts]).numpy(),
            logits=torch.cat([logits for *_, logits in parts]).numpy(),
        )
    n_pairs = sum(len(found.pairs) for found, *_ in parts)
    return scores, counts, n_pairs / seconds


def count(
    examples: Iterable[Example], component: DualRelationExtractor
) -> list[list[int]]:
    """Count right, wrong and missed relations of each document and label.

    examples (Iterable[Example]): Examples with predicted and gold relations.
    component (DualRelationExtractor): The component, which says what is symmetric, and
        whether relations are between concepts.
    RETURNS (List[List[int]]): Rows of document, label (its index in
        `component.labels`), true positives, false positives and false negatives;
        without rows of zeros.
    """
    symmetric = [p.label for p in component.predicates if p.symmetric]
    read: Callable[[Doc, str, list[str]], set] = triples
    if component.cfg["concepts"] is not None:
        read = concept_triples
    rows = []
    for i, example in enumerate(examples):
        key = component.cfg["relations_key"]
        predicted = read(example.predicted, key, symmetric)
        gold = read(example.reference, key, symmetric)
        for j, label in enumerate(component.labels):
            found = {triple for triple in predicted if triple[-1] == label}
            true = {triple for triple in gold if triple[-1] == label}
            if found or true:
                rows.append(
                    [i, j, len(found & true), len(found - true), len(true - found)]
                )
    return rows


def read_results(dataset: str, folder: Path = RESULTS) -> list[dict[str, Any]]:
    """Read the recorded runs of a dataset.

    dataset (str): The dataset.
    folder (Path): Where the results are.
    RETURNS (List[Dict[str, Any]]): One row for each run.
    """
    path = folder / f"{dataset}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf8").splitlines()]


def do_run(
    run: Run, data: Path, work: Path, gpu: int, splits: Iterable[str] = SPLITS
) -> dict[str, Any]:
    """Convert, train and score, as far as it is not done.

    run (Run): The run.
    data (Path): Where the datasets' files are.
    work (Path): Where corpora and pipelines go.
    gpu (int): The GPU's number, -1 for the CPU.
    splits (Iterable[str]): What is scored.
    RETURNS (Dict[str, Any]): The row that records it.
    """
    corpus, folder = work / "corpus" / run.dataset, work / run.name
    if not (corpus / "report.json").exists():
        source = data / FOLDERS[run.dataset]
        command = [sys.executable, "-m", "spacy", "dualre", "convert", run.dataset]
        command += [str(source), str(corpus)]
        subprocess.run(command, check=True, cwd=ROOT)
    record = folder / "trained.json"
    if not record.exists():
        start = time.perf_counter()
        commands = train(run, corpus, folder, gpu)
        trained = {
            "commands": commands,
            "versions": {name: version(name) for name in PACKAGES},
            "commit": _commit(),
            "train": time.perf_counter() - start,
        }
        record.write_text(json.dumps(trained), encoding="utf8")
    trained = json.loads(record.read_text("utf8"))
    row: dict[str, Any] = {**vars(run), **trained, "encoder": run.recorded_encoder}
    row["hardware"] = describe_hardware(gpu)
    row["seconds"] = {"train": row.pop("train")}
    row["scores"], row["pairs_per_s"], row["counts"] = {}, {}, {}
    if gpu >= 0:
        spacy.require_gpu(gpu)
    for split in splits:
        start = time.perf_counter()
        scored = evaluate(folder / "model-last", corpus / f"{split}.spacy")
        row["scores"][split], counts, row["pairs_per_s"][split] = scored
        row["seconds"][split] = time.perf_counter() - start
        if split == "test":
            row["counts"] = counts  # for the bootstrap
    return row


def describe_hardware(gpu: int) -> dict[str, Any]:
    """RETURNS (Dict[str, Any]): What the run had to work with."""
    hardware: dict[str, Any] = {
        "machine": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    if gpu >= 0:
        hardware["gpu"] = torch.cuda.get_device_name(gpu)
    return hardware


def _commit() -> str:
    git = ["git", "-C", str(ROOT)]
    names = [
        [*git, "rev-parse", "HEAD"],
        [*git, "status", "--porcelain", "--untracked-files=no"],
    ]
    head, changes = (
        subprocess.run(name, capture_output=True, text=True).stdout for name in names
    )
    return head.strip() + (" with changes" if changes else "")


def _override_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _without_paths(text: str, hidden: dict[str, str]) -> str:
    for path, name in hidden.items():
        text = text.replace(path, name)
    return text


# fmt: off
def main(
    data: Annotated[Path, typer.Argument(help="The datasets' files", exists=True)],
    dataset: Annotated[list[DatasetName], typer.Option(help="Which datasets")],
    variant: Annotated[list[VariantName], typer.Option(help="Which variants")],
    seed: Annotated[list[int], typer.Option(help="Which seeds")],
    encoder: Annotated[str, typer.Option(help="The encoders' name")] = MINILM,
    steps: Annotated[
        int | None, typer.Option(help="Training steps, for a shorter run")
    ] = None,
    train_docs: Annotated[
        int | None, typer.Option(help="Training documents, for a smaller run")
    ] = None,
    dev_only: Annotated[
        bool, typer.Option("--dev-only", help="Score dev only, for a choice")
    ] = False,
    work: Annotated[
        Path, typer.Option(help="Where corpora and pipelines go")
    ] = Path("training/benchmarks"),
    results: Annotated[Path, typer.Option(help="Where results go")] = RESULTS,
    gpu: Annotated[int, typer.Option(help="The GPU's number, or -1")] = -1,
) -> None:
    """Train and score the benchmarks, and record each finished run."""
    # fmt: on
    results.mkdir(parents=True, exist_ok=True)
    for name, kind, number in product(dataset, variant, seed):
        run = Run(name.value, encoder, kind.value, number, steps, train_docs)
        if any(run.matches(row) for row in read_results(run.dataset, results)):
            msg.info(f"{run.name} is recorded")
            continue
        msg.divider(run.name)
        row = do_run(run, data, work, gpu, SPLITS[:1] if dev_only else SPLITS)
        with (results / f"{run.dataset}.jsonl").open("a", encoding="utf8") as file:
            file.write(json.dumps(row) + "\n")
        msg.good(f"{run.name} is recorded in {results}")


if __name__ == "__main__":
    typer.run(main)
