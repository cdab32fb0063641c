"""`spacy-dualre render`: the relations of documents as arcs over their text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import setup_gpu
from spacy.tokens import Doc
from spacy.vocab import Vocab
from tqdm import tqdm
from wasabi import msg

from ..apply.inputs import read_items
from ..apply.settings import Settings
from ..apply.shard import content_of
from ..component import DualRelationExtractor
from ..output.explanation import explain_pairs
from ..output.rendering import render
from ..pipelines import get_extractor, load_pipeline
from ..predicates import read_predicates
from ..relations import DEFAULT_KEY, get_relations
from ._util import (
    Component,
    GpuId,
    IdField,
    Ner,
    PredicatesFile,
    TextField,
    app,
    fail_on_error,
)

DEFAULT = Settings(split="line")
PATHS_HELP = (
    "MODEL: trained pipeline, folder or package; without it, what is drawn are the "
    "relations that the Docs of .spacy files already have. INPUT: text, .jsonl, "
    ".parquet or .spacy file, or a folder of such, here or at a URL; - for stdin. "
    "OUTPUT: HTML page to write."
)


@app.command("render")
def render_cli(
    paths: Annotated[
        list[str], typer.Argument(metavar="[MODEL] INPUT OUTPUT", help=PATHS_HELP)
    ],
    split: Annotated[
        str,
        typer.Option(help="A text in a text file: the whole file, a line or a block"),
    ] = "line",
    text_field: TextField = DEFAULT.text_field,
    id_field: IdField = DEFAULT.id_field,
    ner: Ner = None,
    predicates: PredicatesFile = None,
    component: Component = DEFAULT.component,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Show of each relation how all predicates were scored"
        ),
    ] = False,
    title: Annotated[str, typer.Option(help="Heading of the page")] = "Relations",
    relations_key: Annotated[
        str, typer.Option(help="Without MODEL: span group of the relations")
    ] = DEFAULT_KEY,
    spans_key: Annotated[
        str | None,
        typer.Option(help="Without MODEL: span group of the entities, if not doc.ents"),
    ] = None,
    gpu_id: GpuId = -1,
) -> None:
    """Draw relations as arcs over the text, on one HTML page that needs nothing but a
    browser. With MODEL they are found first.
    """
    if len(paths) not in (2, 3):
        raise typer.BadParameter(f"Expected [MODEL] INPUT OUTPUT, not {len(paths)}.")
    *models, input_path, output = paths
    with fail_on_error():
        settings = Settings(
            component=component,
            ner=ner,
            predicates=read_predicates(str(predicates)) if predicates else None,
            split=split,
            text_field=text_field,
            id_field=id_field,
            gpu_id=gpu_id,
        )
        settings.check()
        if models:
            setup_gpu(gpu_id)
            extractor, found = find_relations(models[0], input_path, settings)
            relations_key, spans_key = extractor.relations_key, extractor.spans_key
        else:
            found = read_relations(input_path, settings)
        explanations = []
        docs = []
        for doc in tqdm(found, unit=" documents", disable=None):
            docs.append(doc)
            if explain and models:
                pairs = [r[:2] for r in get_relations(doc, relations_key)]
                explanations += explain_pairs(extractor, doc, pairs)
        page = render(
            docs,
            relations_key=relations_key,
            spans_key=spans_key,
            title=title,
            explanations=explanations,
            jupyter=False,
        )
        assert page is not None
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        Path(output).write_text(page, encoding="utf8")
    n_relations = sum(len(get_relations(doc, relations_key)) for doc in docs)
    msg.good(f"{n_relations} relations in {len(docs)} documents, drawn in {output}")


def find_relations(
    model: str, input_path: str, settings: Settings
) -> tuple[DualRelationExtractor, Iterator[Doc]]:
    """Find the relations of documents.

    model (str): The trained pipeline: a folder or an installed package.
    input_path (str): A file with documents, a folder of such files, or "-".
    settings (Settings): How documents are read and processed.
    RETURNS (Tuple[DualRelationExtractor, Iterator[Doc]]): The relation extractor, and
        the Docs. Their ids are in `doc.user_data["doc_id"]`.
    RAISES (ValueError): If the pipeline can't be used, or a document can't be read.
    """
    nlp = load_pipeline(model, settings.ner, settings.component)
    extractor = get_extractor(nlp, settings.component)
    if settings.predicates is not None:
        extractor.set_predicates(settings.predicates)
    items = read_items(input_path, settings, nlp.vocab)
    contents = ((content_of(item, extractor.relations_key), item.id) for item in items)
    docs = nlp.pipe(contents, as_tuples=True)
    return extractor, (_with_id(doc, id_) for doc, id_ in docs)


def read_relations(input_path: str, settings: Settings) -> Iterator[Doc]:
    """Read Docs that have relations already.

    input_path (str): A `.spacy` file, or a folder of such files.
    settings (Settings): How documents are read.
    YIELDS (Doc): The Docs. Their ids are in `doc.user_data["doc_id"]`.
    RAISES (ValueError): If there is a text among them.
    """
    for item in read_items(input_path, settings, Vocab()):
        if isinstance(item.content, str):
            raise ValueError(
                f"{item.id} is a text, in which relations have to be found first. Name "
                "the pipeline that does: spacy-dualre render MODEL INPUT OUTPUT."
            )
        yield _with_id(item.content, item.id)


def _with_id(doc: Doc, doc_id: str) -> Doc:
    doc.user_data["doc_id"] = doc_id
    return doc
