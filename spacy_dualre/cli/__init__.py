"""The command line: `spacy-dualre COMMAND` or `python -m spacy dualre COMMAND`."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from spacy.cli._util import app as spacy_app
from wasabi import msg

HELP = "Relation extraction: convert corpora, make configs, draw results."

app = typer.Typer(name="dualre", help=HELP, no_args_is_help=True)
spacy_app.add_typer(app, name="dualre")


@contextmanager
def fail_on_error() -> Iterator[None]:
    """Turn errors in what the user gave into one message and exit status 1."""
    try:
        yield
    except (ValueError, OSError) as e:
        msg.fail(str(e), exits=1)


# The commands register themselves with the app.
from . import (  # noqa: E402
    answers,  # noqa: F401
    config,  # noqa: F401
    convert,  # noqa: F401
    divide,  # noqa: F401
    draw,  # noqa: F401
    evaluate,  # noqa: F401
    find_prune,  # noqa: F401
)
