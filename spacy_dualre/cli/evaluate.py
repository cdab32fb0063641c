"""`spacy-dualre evaluate`: score a trained pipeline, predicate by predicate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import srsly
import typer
from spacy.cli._util import parse_config_overrides, setup_gpu
from spacy.util import fix_random_seed
from tqdm import tqdm
from wasabi import msg

from ..evaluation import (
    Evaluation,
    candidate_recall,
    count_all,
    count_labels,
    evaluate,
)
from ..output.evaluation_page import render_evaluation
from ..pipelines import get_extractor, load_pipeline
from ..training.corpus import build_corpus
from ..training.report import count_by_reason
from ._util import Component, GpuId, app, fail_on_error


@app.command(
    "evaluate",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def evaluate_cli(
    ctx: typer.Context,
    model: Annotated[Path, typer.Argument(help="Trained pipeline", exists=True)],
    data: Annotated[Path, typer.Argument(help="Gold .spacy file", exists=True)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSON file for its scores")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            help="HTML page to write: tables, precision and recall, confusions, and "
            "every error with its text"
        ),
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(help="Another trained pipeline, shown beside it", exists=True),
    ] = None,
    component: Component = "dual_relation_extractor",
    gpu_id: GpuId = -1,
) -> None:
    """Score a trained pipeline on gold tokens, and print precision, recall and F1 of
    each predicate. Settings can be changed for the run (--components.NAME.key value).
    """
    models = [model] if compare is None else [model, compare]
    with fail_on_error():
        setup_gpu(gpu_id, silent=output is None)
        overrides = parse_config_overrides(ctx.args)
        evaluations = [
            (str(path), evaluate_model(path, data, component, overrides))
            for path in models
        ]
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            srsly.write_json(output, evaluations[0][1].scores)
        if html is not None:
            html.parent.mkdir(parents=True, exist_ok=True)
            page = render_evaluation(evaluations, f"Evaluation on {data.name}")
            html.write_text(page, encoding="utf8")
    for path, evaluation in evaluations:
        if compare is not None:
            msg.divider(path)
        _print(evaluation)
    if html is not None:
        msg.good(f"Wrote {html}")


def evaluate_model(
    model: Path,
    data: Path,
    component: str = "dual_relation_extractor",
    overrides: dict[str, Any] | None = None,
) -> Evaluation:
    """Evaluate a trained pipeline.

    model (Path): The pipeline.
    data (Path): A `.spacy` file.
    component (str): The name of the relation extractor.
    overrides (Optional[Dict[str, Any]]): Config values by dotted path.
    RETURNS (Evaluation): The evaluation.
    RAISES (ValueError): If the pipeline has no such component.
    """
    fix_random_seed()
    nlp = load_pipeline(str(model), None, component, overrides)
    get_extractor(nlp, component)
    examples = list(build_corpus(str(data))(nlp))
    progress = tqdm(examples, desc=model.name, unit=" documents", disable=None)
    return evaluate(nlp, component, progress)


def _print(evaluation: Evaluation) -> None:
    scores, cases = evaluation.scores, evaluation.cases
    rows: list[Sequence[str]] = [
        (label, *_percent(*counts.prf)) for label, counts in count_labels(cases).items()
    ]
    # Where the component joins mentions, it finds one relation of two concepts for all
    # pairs of their mentions. Scores of these pairs then say little.
    joined = evaluation.are_concepts
    pairs = "mention pairs, " if joined else ""
    if joined:
        rows.append(("concept", *_percent(*count_all(cases).prf)))
    for kind in ("micro", "boundary"):
        values = [scores.get(f"rel_{kind}_{part}") for part in "prf"]
        rows.append((f"{pairs}{kind}", *_percent(*values)))
    rows.append((f"{pairs}macro", "", "", *_percent(scores.get("rel_macro_f"))))
    candidates = _percent(scores.get("rel_candidate_f"))
    rows.append((f"{pairs}micro, candidates only", "", "", *candidates))
    msg.table(
        rows,
        header=("concept pairs" if joined else "", "P", "R", "F"),
        aligns=("l", "r", "r", "r"),
        divider=True,
        max_col=100,
    )
    recall, rules = candidate_recall(cases)
    lost = f" (not candidates: {count_by_reason(rules)})" if rules else ""
    of = " of concept pairs" if joined else ""
    msg.text(f"Candidate recall{of} {_percent(recall)[0]}{lost}")
    msg.text(f"{scores['speed']:,.0f} words per second, with the gold tokens")


def _percent(*values: float | None) -> list[str]:
    return ["-" if value is None else f"{100 * value:.2f}" for value in values]
