"""`spacy-dualre explain`: how a pair was scored, or why it was not."""

from pathlib import Path
from typing import Annotated

import srsly
import typer
from spacy.cli._util import setup_gpu
from wasabi import msg

from ..output.explanation import SHORTENED, Explanation, explain
from ..pipelines import get_extractor, load_pipeline
from ..predicates import read_predicates
from ._util import Component, GpuId, Ner, PredicatesFile, app, fail_on_error

NOT_ASKED = {
    "signature": "the signature does not admit the types",
    "order": "symmetric, asked of the pair in the order of the text",
}


@app.command("explain")
def explain_cli(
    model: Annotated[str, typer.Argument(help="Trained pipeline: folder or package")],
    text: Annotated[str, typer.Argument(help="The text")],
    subject: Annotated[str, typer.Option(help="The subject, as it is in the text")],
    object_: Annotated[
        str, typer.Option("--object", help="The object, as it is in the text")
    ],
    ner: Ner = None,
    predicates: PredicatesFile = None,
    component: Component = "dual_relation_extractor",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSON file for all of it")
    ] = None,
    gpu_id: GpuId = -1,
) -> None:
    """Show how a pair of entities was scored: each predicate's descriptions as the
    model read them, their cosines, what the auxiliary head thinks, and what was
    shortened or pruned. Or why the pair was never scored.
    """
    with fail_on_error():
        setup_gpu(gpu_id)
        nlp = load_pipeline(model, ner, component)
        extractor = get_extractor(nlp, component)
        if predicates is not None:
            extractor.set_predicates(read_predicates(str(predicates)))
        explanation = explain(extractor, nlp(text), subject, object_)
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            srsly.write_json(output, explanation.to_data())
    ends = explanation.subject, explanation.object
    title = " -> ".join(f"{end.text} [{end.label_ or 'no type'}]" for end in ends)
    msg.divider(title, show=True)
    if explanation.dropped is not None:
        msg.warn("Not a candidate pair", explanation.dropped.sentence)
        return
    msg.text(f"Read as: {explanation.text}")
    if explanation.shortened:
        cut = ", ".join(SHORTENED[name] for name in explanation.shortened)
        msg.warn(f"Shortened to fit the encoder: {cut}")
    msg.table(
        _rows(explanation),
        header=("predicate", "score", "cosine", "head", "description as read"),
        aligns=("l", "r", "r", "r", "l"),
        divider=True,
        max_col=100,
    )
    for skipped, why in NOT_ASKED.items():
        labels = [x.label for x in explanation.opinions if x.skipped == skipped]
        if labels:
            msg.text(f"Not asked ({why}): {', '.join(labels)}")
    if explanation.found:
        msg.good(f"Found: {', '.join(explanation.found)}")
    else:
        msg.info("Found: no relation")


def _rows(explanation: Explanation) -> list[tuple[str, ...]]:
    """A row for each description; the first of a predicate has its scores too."""
    rows: list[tuple[str, ...]] = []
    for opinion in explanation.opinions:
        if opinion.skipped in NOT_ASKED:
            continue
        head = opinion.head_probability
        said = "-" if head is None else f"{head:.4f}"
        scores = (opinion.label, f"{opinion.probability:.4f}")
        read = [*zip(opinion.cosines, opinion.descriptions)]
        if opinion.skipped == "pruned":
            rows.append((*scores, "pruned", said, "(not read)"))
        elif not read:
            rows.append((*scores, "-", said, "(the linear head reads none)"))
        else:
            (cosine, text), *others = read
            rows.append((*scores, f"{cosine:.3f}", said, text))
            rows += [("", "", f"{cosine:.3f}", "", text) for cosine, text in others]
    return rows
