"""The command line: `spacy-dualre COMMAND` or `python -m spacy dualre COMMAND`."""

# The commands register themselves with the app.
from . import (  # noqa: F401
    answers,
    apply,
    check,
    config,
    convert,
    divide,
    evaluate,
    explain,
    find_prune,
    init,
    join,
    render,
    shrink,
    tune,
)
from ._util import app as app
