"""What the commands share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import app as spacy_app
from wasabi import msg

HELP = (
    "Relation extraction: convert corpora, make configs, find relations, look at them."
)
# Options of several commands.
Component = Annotated[
    str, typer.Option(help="Name of the relation extractor in the trained pipeline")
]
GpuId = Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, or -1")]
Ner = Annotated[
    str | None,
    typer.Option(
        help="Pipeline that finds the entities, where the trained one does not"
    ),
]
PredicatesFile = Annotated[
    Path | None,
    typer.Option(help="JSON or YAML file of predicates, instead of its own"),
]
TextField = Annotated[
    str, typer.Option(help="Field of the text in JSONL, column in Parquet")
]
IdField = Annotated[str, typer.Option(help="Field of the id, likewise")]

app = typer.Typer(name="dualre", help=HELP, no_args_is_help=True)
spacy_app.add_typer(app, name="dualre")


@contextmanager
def fail_on_error() -> Iterator[None]:
    """Turn errors in what the user gave into one message and exit status 1."""
    try:
        yield
    except (ValueError, OSError) as e:
        msg.fail(str(e), exits=1)
