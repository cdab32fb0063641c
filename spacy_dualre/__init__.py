from importlib import import_module
from typing import TYPE_CHECKING, Any

from spacy.tokens import Doc

from .relations import (
    DEFAULT_KEY,
    Relation,
    get_relations,
    install_extension,
    set_relations,
)

if TYPE_CHECKING:
    from .general import load_general
    from .output.explanation import explain
    from .output.rendering import render

__version__ = "0.1.0"
__all__ = [
    "Relation",
    "explain",
    "get_relations",
    "install_extension",
    "load_general",
    "render",
    "set_relations",
]

# Where the names are that are imported when they are asked for, so that importing the
# package takes no time.
LATER = {
    "explain": ".output.explanation",
    "load_general": ".general",
    "render": ".output.rendering",
}

# Another package's extension of this name is left as it is; a component that uses the
# name says so.
if not Doc.has_extension(DEFAULT_KEY):
    install_extension()


def __getattr__(name: str) -> Any:
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(LATER[name], __name__), name)
