"""Trains and scores the benchmarks: dataset x encoder x variant x seed.

python benchmarks/scores/runs.py DATA --dataset scierc --variant linear --seed 0

Every finished run is a line in benchmarks/results/DATASET.jsonl, and is not run again.
See docs/benchmarks.md.
"""

import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Iterable
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import spacy
import torch
import typer
from spacy.cli._util import parse_config_overrides
from spacy.training import Example
from spacy.util import minibatch
from spacy.vocab import Vocab
from tqdm import tqdm
from wasabi import msg

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.datasets import DATASETS, MINILM, NAME, RESULTS, ROOT
from benchmarks.scores.rows import Run, read_results
from benchmarks.scores.variants import VARIANTS, overrides_of
from spacy_dualre.component import DualRelationExtractor
from spacy_dualre.doc_bins import load_doc_bin, new_doc_bin, read_docs
from spacy_dualre.model.architectures import with_settings
from spacy_dualre.model.scores import Scores
from spacy_dualre.model.shim import get_shim
from spacy_dualre.output.probabilities import to_probabilities
from spacy_dualre.output.scorer import (
    concept_triples,
    gold_triples,
    predicted_triples,
)
from spacy_dualre.training.corpus import build_corpus
from spacy_dualre.training.gold import complete

SPLITS = ("dev", "test")
PACKAGES = ("spacy-dualre", "spacy", "thinc", "torch", "transformers", "numpy")
# What of the scores each way to predict does not look at.
UNUSED: dict[str, dict[str, Any]] = {
    "dual": {"head": None},
    "head": {"dual": None},
    "mean": {},
}
CURVE_FILE = "curve.jsonl"


def make_overrides(run: Run, corpus: Path) -> list[str]:
    """Find what of a run is not in the configs.

    run (Run): The run.
    corpus (Path): The converted corpus.
    RETURNS (List[str]): Arguments for `spacy-dualre config`.
    """
    dataset = DATASETS[run.dataset]
    changes: dict[str, Any] = {
        "paths.train": find_train(run, corpus),
        "paths.dev": corpus / "dev.spacy",
        "paths.predicates": dataset.predicates,
        "system.seed": run.seed,
        f"components.{NAME}.model.encoder": run.encoder,
        **overrides_of(run.variant),
    }
    if run.learn_rate:
        changes["training.optimizer.learn_rate.initial_rate"] = run.learn_rate
    for change in run.overrides.split():
        key, _, value = change.partition("=")
        changes[key] = value
    config = dataset.make_config(parse_config_overrides(_arguments(changes)))
    n_docs = run.train_docs or len(load_doc_bin(corpus / "train.spacy"))
    one_pass = -(-n_docs // config["training"]["batcher"]["size"])
    steps = run.steps or (run.passes or 0) * one_pass
    if steps:
        changes["training.max_steps"] = steps
        changes["training.optimizer.learn_rate.warmup_steps"] = steps // 10
    steps = steps or config["training"]["max_steps"]
    # So that the last evaluation is that of the last step, or just before it.
    about_a_pass = steps // max(round(steps / one_pass), 1)
    changes["training.eval_frequency"] = run.eval_every or about_a_pass
    return _arguments(changes)


def find_train(run: Run, corpus: Path) -> Path:
    """RETURNS (Path): What a run is trained on: the split, or what is drawn from it."""
    drawn = f"-{run.train_docs}-{run.seed}" if run.train_docs else ""
    return corpus / f"train{drawn}.spacy"


def draw(run: Run, corpus: Path) -> None:
    """Draw the training documents of a run, with its seed. Of a seed the more documents
    hold the fewer, and every variant has the same.

    run (Run): The run.
    corpus (Path): The converted corpus.
    """
    docs = list(read_docs(corpus / "train.spacy", Vocab()))
    random.Random(run.seed).shuffle(docs)
    new_doc_bin(docs[: run.train_docs]).to_disk(find_train(run, corpus))


def train(run: Run, corpus: Path, folder: Path, gpu: int) -> list[str]:
    """Train a pipeline.

    run (Run): The run.
    corpus (Path): The converted corpus.
    folder (Path): Where the pipeline goes.
    gpu (int): The GPU's number, -1 for the CPU.
    RETURNS (List[str]): The commands that were run.
    """
    if run.train_docs:
        draw(run, corpus)
    config, curve = folder / "config.cfg", folder / CURVE_FILE
    curve.unlink(missing_ok=True)  # or the new one is not written
    logger = {"@loggers": "spacy.ConsoleLogger.v2", "output_file": curve}
    own = [DATASETS[run.dataset].config, str(config)]
    python = [sys.executable, "-m", "spacy"]
    commands = [
        [*python, "dualre", "config", *own, *make_overrides(run, corpus)],
        [*python, "train", str(config), "--output", str(folder), "-g", str(gpu)]
        + _arguments({f"training.logger.{key}": v for key, v in logger.items()}),
    ]
    for command in commands:
        subprocess.run(command, check=True, cwd=ROOT)
    hidden = {
        sys.executable: "python",
        str(folder.parent): "WORK",
        run.encoder: run.recorded_encoder,
    }
    return [_without_paths(" ".join(command), hidden) for command in commands]


def read_curve(folder: Path) -> list[list[float]]:
    """Read how a training went on.

    folder (Path): Where the pipeline is.
    RETURNS (List[List[float]]): The step and the score on dev of each evaluation.
    """
    lines = (folder / CURVE_FILE).read_text("utf8").splitlines()
    points = map(json.loads, lines)
    return [[point["step"], point["score"]] for point in points]


def evaluate(model: Path, data: Path) -> tuple[dict[str, Any], dict[str, Any], float]:
    """Score a pipeline, once for each way to predict that its variant has. The pairs go
    through the encoders once.

    model (Path): The pipeline.
    data (Path): A `.spacy` file.
    RETURNS (Tuple[Dict, Dict, float]): The scores, and the true positives, false
        positives and false negatives of each document and label, by `predict_with`; and
        the pairs scored in a second.
    """
    nlp = spacy.load(model)
    component: DualRelationExtractor = nlp.get_pipe(NAME)  # type: ignore[assignment]
    examples = [
        complete(example, component.spans_key)
        for example in build_corpus(str(data))(nlp)
    ]
    alpha = get_shim(component.model).settings.alpha
    ways = ["dual"] if alpha == 0 else ["head"] if alpha == 1 else list(UNUSED)
    scorer = with_settings(component.model, predict_with=ways[-1], prune=0.0)
    start = time.perf_counter()
    parts: list[Scores] = []
    for batch in minibatch(
        tqdm(examples, desc="Score", unit="doc", disable=None), nlp.batch_size
    ):
        found = [component.find_candidates(example.predicted) for example in batch]
        parts.append(scorer.predict(found))
    seconds = time.perf_counter() - start
    scores, counts = {}, {}
    for way in ways:
        for example in examples:
            example.predicted.spans.pop(component.relations_key, None)
        used = [part._replace(**UNUSED[way]) for part in parts]
        scored = [scored for part in used for scored in to_probabilities(part)]
        component.set_annotations([example.predicted for example in examples], scored)
        scores[way] = component.score(examples)
        are_concepts = "rel_concept_f" in scores[way]
        counts[way] = count(examples, component, are_concepts)
    n_pairs = sum(len(found.pairs) for part in parts for found in part.candidates)
    return scores, counts, n_pairs / seconds


def count(
    examples: Iterable[Example], component: DualRelationExtractor, are_concepts: bool
) -> list[list[int]]:
    """Count right, wrong and missed relations of each document and label.

    examples (Iterable[Example]): Examples with predicted and gold relations.
    component (DualRelationExtractor): The component, which says what is symmetric.
    are_concepts (bool): Whether relations are between concepts.
    RETURNS (List[List[int]]): Rows of document, label (its index in
        `component.labels`), true positives, false positives and false negatives;
        without rows of zeros.
    """
    symmetric = [p.label for p in component.predicates if p.symmetric]
    settings = component.relations_key, symmetric
    rows = []
    for i, example in enumerate(examples):
        predicted: set[Any]
        gold: set[Any]
        if are_concepts:
            predicted = concept_triples(example.predicted, *settings)
            gold = concept_triples(example.reference, *settings)
        else:
            predicted = predicted_triples(example, *settings)
            gold = gold_triples(example, *settings)
        for j, label in enumerate(component.labels):
            found = {triple for triple in predicted if triple[-1] == label}
            true = {triple for triple in gold if triple[-1] == label}
            if found or true:
                rows.append(
                    [i, j, len(found & true), len(found - true), len(true - found)]
                )
    return rows


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
        source = data / DATASETS[run.dataset].folder
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
            "dev_curve": read_curve(folder),
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
        scored = evaluate(folder / f"model-{run.scored}", corpus / f"{split}.spacy")
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
        # "high": in TF32.
        hardware["float32_products"] = torch.get_float32_matmul_precision()
    return hardware


def _commit() -> str:
    """The commit, "" where there is no git."""
    git = ["git", "-C", str(ROOT)]
    names = [
        [*git, "rev-parse", "HEAD"],
        [*git, "status", "--porcelain", "--untracked-files=no"],
    ]
    try:
        head, changes = (
            subprocess.run(name, capture_output=True, text=True).stdout
            for name in names
        )
    except FileNotFoundError:
        return ""
    return head.strip() + (" with changes" if changes else "")


def _arguments(changes: dict[str, Any]) -> list[str]:
    """Overrides of a config, as arguments of a command."""
    arguments = []
    for key, value in changes.items():
        text = str(value) if isinstance(value, (str, Path)) else json.dumps(value)
        arguments += [f"--{key}", text]
    return arguments


def _without_paths(text: str, hidden: dict[str, str]) -> str:
    for path, name in hidden.items():
        text = text.replace(path, name)
    return text


# fmt: off
def main(
    data: Annotated[Path, typer.Argument(help="The datasets' files", exists=True)],
    dataset: Annotated[list[str], typer.Option(help=f"Of {', '.join(DATASETS)}")],
    variant: Annotated[list[str], typer.Option(help=f"Of {', '.join(VARIANTS)}")],
    seed: Annotated[list[int], typer.Option(help="Which seeds")],
    encoder: Annotated[str, typer.Option(help="The encoders' name")] = MINILM,
    passes: Annotated[
        int | None,
        typer.Option(help="Passes over the training documents, a tenth of warmup"),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Training steps, instead of passes")
    ] = None,
    train_docs: Annotated[
        int | None, typer.Option(help="So many training documents, drawn with the seed")
    ] = None,
    eval_every: Annotated[
        int | None,
        typer.Option(help="Steps between two evaluations on dev; by default a pass"),
    ] = None,
    learn_rate: Annotated[
        float | None, typer.Option(help="The highest learning rate")
    ] = None,
    override: Annotated[
        list[str] | None,
        typer.Option(help="Another change of the config, SECTION.KEY=VALUE"),
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
    unknown = sorted({*dataset} - {*DATASETS} | {*variant} - {*VARIANTS})
    if unknown:
        msg.fail(f"No dataset or variant is named {', '.join(unknown)}", exits=1)
    for change in override or []:
        if "=" not in change or " " in change:
            msg.fail(f"--override takes SECTION.KEY=VALUE, not '{change}'", exits=1)
    if passes and steps:
        msg.fail("Give either --passes or --steps", exits=1)
    results.mkdir(parents=True, exist_ok=True)
    for name, kind, number in product(dataset, variant, seed):
        run = Run(
            dataset=name,
            encoder=encoder,
            variant=kind,
            seed=number,
            steps=steps,
            train_docs=train_docs,
            passes=passes,
            eval_every=eval_every,
            learn_rate=learn_rate,
            overrides=" ".join(sorted(override or [])),
        )
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
