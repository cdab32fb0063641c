"""The command line: `spacy-dualre COMMAND` or `python -m spacy dualre COMMAND`."""

import typer
from spacy.cli._util import app as spacy_app

HELP = "Relation extraction: convert corpora, draw results."

app = typer.Typer(name="dualre", help=HELP, no_args_is_help=True)
spacy_app.add_typer(app, name="dualre")
