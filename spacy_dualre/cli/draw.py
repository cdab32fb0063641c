"""`spacy-dualre draw`: find the relations of some texts, print and draw them."""

from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm
from wasabi import msg

from ..corpora.format import read_lines
from ..output.drawing import draw_relations
from ..relations import get_relations
from ._util import COMPONENT_HELP, app, fail_on_error, get_extractor, load_pipeline


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
        str, typer.Option(help=COMPONENT_HELP)
    ] = "dual_relation_extractor",
) -> None:
    """Find the relations in a text file, print them, and draw them as an HTML page."""
    with fail_on_error():
        lines = [line.strip() for _, line in read_lines(texts)]
        nlp = load_pipeline(str(model), ner, component)
        key = get_extractor(nlp, component).relations_key
        docs = list(tqdm(nlp.pipe(filter(None, lines)), total=len(lines), disable=None))
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(draw_relations(docs, key), encoding="utf8")
    n_relations = 0
    for doc in docs:
        msg.text(doc.text, color="grey")
        for relation in get_relations(doc, key):
            msg.text(f"    {relation}  {relation.score:.2f}")
            n_relations += 1
    msg.good(f"{n_relations} relations in {len(docs)} texts, drawn in {output}")
