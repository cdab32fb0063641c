"""The command line: `spacy-dualre COMMAND` or `python -m spacy dualre COMMAND`."""

# The commands register themselves with the app.
from . import answers, config, convert, draw, evaluate, find_prune, join  # noqa: F401
from ._util import app as app
