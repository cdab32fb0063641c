"""`spacy-dualre draw`: find the relations of some texts, print and draw them."""

from pathlib import Path
from typing import Annotated

import spacy
import typer
from spacy.language import Language
from tqdm import tqdm
from wasabi import msg

from ..drawing import draw_relations
from ..relations import get_relations
from . import app, fail_on_error


@app.command("draw")
def draw_cli(
    model: Annotated[Path, typer.Argument(help="Trained pipeline", exists=True)],
    texts: Annotated[
        Path, typer.Argument(help="Text file, one text per line", dir_okay=False)
    ],
    output: Annotated[Path, typer.Argument(help="HTML page to write")],
    ner: Annotated[
        str | None,
        typer.Option(
            "--ner",
            help="Pipeline that finds the entities, where the trained one does not",
        ),
    ] = None,
    component: Annotated[
        str, typer.Option(help="Name of the relation extractor in the trained pipeline")
    ] = "dual_relation_extractor",
) -> None:
    """Find the relations in a text file, print them, and draw them as an HTML page."""
    with fail_on_error():
        lines = [line.strip() for line in texts.read_text("utf8").splitlines()]
        nlp = load_pipeline(str(model), ner, component)
        key = nlp.get_pipe(component).cfg["relations_key"]  # type: ignore[attr-defined]
        docs = list(tqdm(nlp.pipe(filter(None, lines)), total=len(lines), leave=False))
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(draw_relations(docs, key), encoding="utf8")
    n_relations = 0
    for doc in docs:
        msg.text(doc.text, color="grey")
        for relation in get_relations(doc, key):
            msg.text(f"    {relation}  {relation.score:.2f}")
            n_relations += 1
    msg.good(f"{n_relations} relations in {len(docs)} texts, drawn in {output}")


def load_pipeline(model: str, ner: str | None, component: str) -> Language:
    """Load a trained pipeline, behind another that finds the entities if need be.

    model (str): The pipeline with the relation extractor.
    ner (Optional[str]): The pipeline that finds entities.
    component (str): The name of the relation extractor.
    RETURNS (Language): A pipeline that does both.
    RAISES (ValueError): If the trained pipeline has no such component.
    """
    trained = spacy.load(model)
    if component not in trained.pipe_names:
        raise ValueError(
            f"The pipeline '{model}' has no component '{component}'. It has: "
            f"{', '.join(trained.pipe_names)}. Name the right one with --component."
        )
    if ner is None:
        return trained
    nlp = spacy.load(ner)
    nlp.add_pipe(component, source=trained)
    return nlp
