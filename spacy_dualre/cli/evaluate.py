"""`spacy-dualre evaluate`: score a trained pipeline, predicate by predicate."""

from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from spacy.cli._util import parse_config_overrides, setup_gpu
from spacy.util import fix_random_seed, load_model
from tqdm import tqdm
from wasabi import msg

from ..training.corpus import build_corpus
from ._util import GPU_HELP, app, fail_on_error


@app.command(
    "evaluate",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def evaluate_cli(
    ctx: typer.Context,
    model: Annotated[Path, typer.Argument(help="Trained pipeline", exists=True)],
    data: Annotated[Path, typer.Argument(help="Gold .spacy file", exists=True)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSON file for the scores")
    ] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help=GPU_HELP)] = -1,
) -> None:
    """Score a trained pipeline on gold tokens, and print precision, recall and F1 of
    each predicate. Settings can be changed for the run (--components.NAME.key value).
    """
    with fail_on_error():
        setup_gpu(gpu_id, silent=output is None)
        scores = evaluate(model, data, parse_config_overrides(ctx.args))
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            srsly.write_json(output, scores)
    per_type = scores["rel_per_type"] or {}
    rows = [
        (label, *_percent(prf["p"], prf["r"], prf["f"]))
        for label, prf in per_type.items()
    ]
    for name in ("micro", "boundary", "concept"):
        # Concepts are scored only where the component joins mentions.
        if f"rel_{name}_f" in scores:
            values = [scores[f"rel_{name}_{part}"] for part in "prf"]
            rows.append((name, *_percent(*values)))
    rows.append(("macro", "", "", *_percent(scores["rel_macro_f"])))
    candidates = _percent(scores["rel_candidate_f"])
    rows.append(("micro, candidates only", "", "", *candidates))
    msg.table(
        rows, header=("", "P", "R", "F"), aligns=("l", "r", "r", "r"), divider=True
    )
    (recall,) = _percent(scores["rel_candidate_recall"])
    msg.text(f"Candidate recall {recall}; {scores['speed']:.0f} words per second")


def evaluate(
    model: Path, data: Path, overrides: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Score a trained pipeline.

    model (Path): The pipeline.
    data (Path): A `.spacy` file.
    overrides (Optional[Dict[str, Any]]): Config values by dotted path.
    RETURNS (Dict[str, Any]): The scores of `nlp.evaluate`.
    """
    fix_random_seed()
    nlp = load_model(model, config=overrides or {})
    examples = list(tqdm(build_corpus(str(data))(nlp), desc="Reading", disable=None))
    return nlp.evaluate(examples)


def _percent(*values: float | None) -> list[str]:
    return ["-" if value is None else f"{100 * value:.2f}" for value in values]
