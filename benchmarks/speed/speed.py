"""Measures speed and memory of the dual encoder. See docs/speed.md.

python benchmarks/speed/speed.py --workload chemprot --data DIR --pairs 200 --json FILE
"""

import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import spacy
import torch
import typer
from spacy.util import load_model_from_config
from wasabi import msg

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.datasets import DATASETS, MINILM, NAME, SAMPLE
from benchmarks.scores.variants import VARIANTS, overrides_of
from benchmarks.speed.bench import MODES, NLP_PIPE, TRAINING_STEP, Bench
from benchmarks.speed.rows import HEADER, cells, remarks, title
from benchmarks.speed.sweeps import run_sweeps
from benchmarks.speed.workloads import find_dataset, initialize, read_docs, take_pairs
from spacy_dualre.model.devices import has_bfloat16

SWEEP = "sweep"
WORKLOADS = (*DATASETS, SAMPLE.name, SWEEP)


def make_bench(
    workload: str,
    data: Path | None,
    n_pairs: int,
    encoder: str = MINILM,
    variant: str = "dual",
    model: Path | None = None,
) -> Bench:
    """Make a benchmark of a corpus.

    workload (str): The corpus.
    data (Optional[Path]): Where it is.
    n_pairs (int): How many pairs are scored. 0: all of the test split.
    encoder (str): The encoder, without a trained pipeline.
    variant (str): What differs from the corpus' config, without a trained pipeline.
    model (Optional[Path]): A pipeline that was trained on the corpus.
    RETURNS (Bench): The benchmark.
    """
    dataset, folder = find_dataset(workload, data)
    if model:
        nlp = spacy.load(model)
        gold = read_docs(nlp, dataset, folder)
    else:
        changes = {f"components.{NAME}.model.encoder": encoder, **overrides_of(variant)}
        nlp = load_model_from_config(dataset.make_config(changes), auto_fill=True)
        gold = read_docs(nlp, dataset, folder)
        # As many as there may be pairs, so that all types are known.
        initialize(nlp, gold[: n_pairs or None])
        msg.info(
            "The weights beside the encoders are random (--model gives trained ones): "
            "speed and score differences hold, but pruning can't be measured"
        )
    docs = take_pairs(nlp.get_pipe(NAME), gold, n_pairs)  # type: ignore[arg-type]
    nlp.select_pipes(enable=[NAME])
    gold = gold[: len(docs)]
    length = dataset.published_length
    return Bench(nlp, docs, gold, trained=model is not None, naive_length=length)


def check_modes(names: str | None) -> list[str] | None:
    """Read the names of modes.

    names (Optional[str]): Names, separated by semicolons.
    RETURNS (Optional[List[str]]): The names.
    RAISES (ValueError): If there is no such mode.
    """
    if names is None:
        return None
    known = [*(mode.name for mode in MODES), NLP_PIPE, TRAINING_STEP]
    chosen = [name.strip() for name in names.split(";")]
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise ValueError(
            f"There is no mode {', '.join(unknown)}; there are {'; '.join(known)}."
        )
    return chosen


def print_rows(rows: Iterable[dict[str, Any]]) -> None:
    """Print the table.

    rows (Iterable[Dict[str, Any]]): The rows.
    """
    rows = list(rows)
    aligns = ["l"] + ["r"] * (len(HEADER) - 1)
    msg.table([cells(row) for row in rows], header=HEADER, aligns=aligns, divider=True)
    for row in rows:
        if remarks(row):
            msg.text(f"{title(row)}: {remarks(row)}")
        share = row["share_of_ceiling"]
        if share is not None and share > 1.05:
            msg.warn(
                f"{row['mode']}: {share:.0%} of the ceiling can't be",
                "The rate was taken while the machine was busier, or the mode is not "
                "what its name says.",
            )


def describe_machine(bench: Bench | None = None) -> str:
    """RETURNS (str): The machine, its load and its rate of multiply-adds."""
    texts = [
        f"{platform.machine()}, torch {torch.__version__}",
        f"{torch.get_num_threads()} threads of {os.cpu_count()} cores",
    ]
    if hasattr(os, "getloadavg"):
        texts.append(f"load {os.getloadavg()[0]:.1f}")
    for dtype, rate in (bench.rate.best if bench else {}).items():
        texts.append(f"{rate / 1e9:,.0f} G multiply-adds/s in {dtype}")
    return ", ".join(texts)


def _measure(
    bench: Bench, modes: list[str] | None, repeats: int, naive_pairs: int | None
) -> Iterator[dict[str, Any]]:
    yield from bench.measure(bench.choose(modes), repeats, naive_pairs)
    if modes is None or NLP_PIPE in modes:
        yield bench.pipeline_row()
    if modes is None or TRAINING_STEP in modes:
        yield bench.training_row()


WORKLOAD_HELP = (
    f"The test split of a corpus, or sweeps over synthetic Docs: {', '.join(WORKLOADS)}"
)
DATA_HELP = (
    "Directory with the corpora in folders of their own, as their owners distribute "
    "them or as `spacy-dualre convert` wrote them"
)
PAIRS_HELP = (
    "How many candidate pairs are scored, 0: all. Default: 200. In the sweeps: the "
    "most pairs in a Doc, by default 10,000"
)
JSON_HELP = "Where the rows are written, one JSON object in each line"
MODEL_HELP = (
    "A pipeline trained on the corpus; several are measured one after the other, each "
    "beside its own naive mode. Without it the weights are random"
)
ENCODER_HELP = (
    "The encoder, without --model. Default: MiniLM; in the sweeps a small random one"
)
VARIANT_HELP = f"What differs from the config, without --model: {', '.join(VARIANTS)}"
NAIVE_HELP = "How many pairs the published procedure scores at most, 0: all"


def main(
    # fmt: off
    workload: Annotated[str, typer.Option(help=WORKLOAD_HELP)] = SAMPLE.name,
    data: Annotated[Path | None, typer.Option(help=DATA_HELP)] = None,
    pairs: Annotated[int | None, typer.Option(help=PAIRS_HELP, min=0)] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help=JSON_HELP)] = None,
    model: Annotated[
        list[Path] | None, typer.Option(help=MODEL_HELP, exists=True)
    ] = None,  # noqa: E501
    encoder: Annotated[str | None, typer.Option(help=ENCODER_HELP)] = None,
    variant: Annotated[str, typer.Option(help=VARIANT_HELP)] = "dual",
    modes: Annotated[
        str | None, typer.Option(help="Names of modes, separated by ;")
    ] = None,  # noqa: E501
    repeats: Annotated[int, typer.Option(help="Runs of each mode", min=1)] = 2,
    naive_pairs: Annotated[int, typer.Option(help=NAIVE_HELP, min=0)] = 200,
    docs: Annotated[int, typer.Option(help="Short Docs in the sweeps", min=0)] = 10000,
    entities: Annotated[
        int, typer.Option(help="Entities of the sweeps' largest Doc", min=0)
    ] = 200,  # noqa: E501
    gpu: Annotated[int, typer.Option(help="The GPU's number, -1 for the CPU")] = -1,
    # fmt: on
) -> None:
    """Measure speed and memory of the dual encoder."""
    if gpu >= 0:
        spacy.require_gpu(gpu)
    bench: Bench | None = None
    rows: list[dict[str, Any]] = []
    if workload not in WORKLOADS or variant not in VARIANTS:
        msg.fail(f"No workload '{workload}', or no variant '{variant}'", exits=1)
    if workload == SWEEP:
        with tempfile.TemporaryDirectory() as folder:
            rows = run_sweeps(Path(folder), encoder, pairs or 10000, docs, entities)
    else:
        try:
            chosen = check_modes(modes)
        except ValueError as e:
            msg.fail(str(e), exits=1)
        n_pairs = 200 if pairs is None else pairs
        encoder = encoder or MINILM
        paths: list[Path | None] = [*model] if model else [None]
        for path in paths:
            bench = make_bench(workload, data, n_pairs, encoder, variant, path)
            config = bench.nlp.config
            said = {"encoder": config["components"][NAME]["model"]["encoder"]}
            if path:
                said["steps"] = config["training"]["max_steps"]
            for row in _measure(bench, chosen, repeats, naive_pairs):
                rows.append({**row, **said})
        if bench and not has_bfloat16(bench.device):
            msg.info("No bfloat16 on this device: its modes are not measured")
    machine = describe_machine(bench)
    whole = pairs == 0 and workload != SWEEP
    for row in rows:
        row["workload"] = workload + ("-test" if whole else "")
        row.setdefault("encoder", encoder)
        row["machine"] = machine
    if json_file:
        lines = [json.dumps(row) + "\n" for row in rows]
        json_file.write_text("".join(lines), encoding="utf8")
    msg.divider(f"{workload}: {machine}")
    print_rows(rows)


if __name__ == "__main__":
    typer.run(main)
