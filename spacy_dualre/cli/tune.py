"""`spacy-dualre tune`: choose how probable a predicate must be."""

from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import setup_gpu
from spacy.language import Language
from tqdm import tqdm
from wasabi import msg

from ..evaluation import joins_concepts, predict_examples
from ..pipelines import get_extractor, load_pipeline
from ..training.corpus import build_corpus
from ..tuning import Point, Tuning, tune_threshold
from ._util import Component, GpuId, app, fail_on_error


@app.command("tune")
def tune_cli(
    model: Annotated[Path, typer.Argument(help="Trained pipeline", exists=True)],
    data: Annotated[
        Path,
        typer.Argument(help="Gold .spacy file, the development split", exists=True),
    ],
    output: Annotated[
        Path, typer.Argument(help="Folder for the tuned pipeline", file_okay=False)
    ],
    per_label: Annotated[
        bool, typer.Option("--per-label", help="A threshold for each predicate")
    ] = False,
    precision: Annotated[
        float | None,
        typer.Option(
            help="Precision that is wanted, with the most recall; or else the best F1",
            min=0,
            max=1,
        ),
    ] = None,
    component: Component = "dual_relation_extractor",
    gpu_id: GpuId = -1,
) -> None:
    """Choose the threshold of a trained pipeline on a development split, and save the
    pipeline with it. What it gains is measured on the same split, so it is the most
    that can be expected: score the result on other data.
    """
    with fail_on_error():
        setup_gpu(gpu_id)
        nlp = load_pipeline(str(model), None, component)
        tuning = tune(nlp, component, data, per_label=per_label, precision=precision)
        chosen = tuning.threshold
        get_extractor(nlp, component).threshold = chosen
        output.mkdir(parents=True, exist_ok=True)
        nlp.to_disk(output)
    own = chosen if isinstance(chosen, dict) else {}
    rows = [
        (label, _number(own.get(label) if own else chosen), *_change(*points))
        for label, points in tuning.by_label.items()
    ]
    whole = "" if own else _number(chosen)
    rows.append(("micro", whole, *_change(tuning.before, tuning.after)))
    msg.table(
        rows,
        header=("", "threshold", "P", "R", "F1", "P before", "R before", "F1 before"),
        aligns=("l", *["r"] * 7),
        divider=True,
        max_col=100,
    )
    if precision is not None:
        reached = {label: after for label, (_, after) in tuning.by_label.items()}
        reached = {"micro": tuning.after, **(reached if per_label else {})}
        below = [name for name, p in reached.items() if p.precision < precision]
        if below:
            msg.warn(f"No threshold reaches this precision: {', '.join(below)}")
    if tuning.after == tuning.before:
        msg.info("No other threshold is better, so it stays as it was")
    gain = 100 * (tuning.after.f - tuning.before.f)
    msg.good(f"Saved to {output}: micro F1 {gain:+.2f} on {data}")


def tune(
    nlp: Language,
    component: str,
    data: Path,
    *,
    per_label: bool = False,
    precision: float | None = None,
) -> Tuning:
    """Choose the threshold of a pipeline's relation extractor, which stays as it is.

    nlp (Language): The pipeline.
    component (str): The name of the relation extractor.
    data (Path): A `.spacy` file, of a development set.
    per_label (bool): Choose one for each predicate. See `tune_threshold`.
    precision (Optional[float]): The precision that is wanted. None: the best F1.
    RETURNS (Tuning): What was chosen.
    RAISES (ValueError): If there are no gold relations, or nothing to be found.
    """
    extractor = get_extractor(nlp, component)
    examples = list(build_corpus(str(data))(nlp))
    progress = tqdm(examples, desc="Scoring", unit=" documents", disable=None)
    predictions = predict_examples(nlp, component, progress)
    return tune_threshold(
        extractor,
        predictions.examples,
        predictions.scored,
        per_label=per_label,
        precision=precision,
        concepts=joins_concepts(extractor),
    )


def _change(before: Point, after: Point) -> list[str]:
    values = (*after[1:], after.f, *before[1:], before.f)
    return [f"{100 * value:.2f}" for value in values]


def _number(threshold: object) -> str:
    return f"{threshold:.6g}" if isinstance(threshold, float) else "none"
