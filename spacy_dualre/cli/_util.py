"""What the commands share."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from spacy.cli._util import app as spacy_app
from wasabi import msg

HELP = (
    "Relation extraction: convert corpora, make configs, find relations, look at them."
)
COMPONENT_HELP = "Name of the relation extractor in the trained pipeline"
GPU_HELP = "GPU, or -1"
NER_HELP = "Pipeline that finds the entities, where the trained one does not"
PREDICATES_HELP = "JSON or YAML file of predicates, instead of its own"

app = typer.Typer(name="dualre", help=HELP, no_args_is_help=True)
spacy_app.add_typer(app, name="dualre")


@contextmanager
def fail_on_error() -> Iterator[None]:
    """Turn errors in what the user gave into one message and exit status 1."""
    try:
        yield
    except (ValueError, OSError) as e:
        msg.fail(str(e), exits=1)
