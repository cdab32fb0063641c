from spacy.language import Language
from spacy.tokens import Doc

from .relations import (
    DEFAULT_KEY,
    Relation,
    get_relations,
    install_extension,
    set_relations,
)

__version__ = "0.1.0"
__all__ = [
    "Relation",
    "get_relations",
    "install_extension",
    "load_general",
    "set_relations",
]

# Another package's extension of this name is left as it is; a component that uses the
# name says so.
if not Doc.has_extension(DEFAULT_KEY):
    install_extension()


def load_general() -> Language:
    """Load the general model, which can be asked about any predicate.

    RETURNS (Language): A blank pipeline with a "dual_relation_extractor" without
        predicates, to be sourced into another one. See `spacy_dualre.general`.
    RAISES (ValueError): If the encoder that it was trained from can't be had.
    """
    from .general import load_general

    return load_general()
