"""The general model: a dual encoder that was trained on many predicates, to be asked
about others. It comes with the package.
"""

from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language

from . import __version__
from .component import DualRelationExtractor
from .model.low_rank import load_difference, read_arguments
from .model.shim import get_shim
from .model.start import GENERAL

NAME = "dual_relation_extractor"


def load_general(path: str | Path = GENERAL, **model: Any) -> Language:
    """Load the general model.

    path (Union[str, Path]): The file that `save_difference` wrote.
    model (Any): Arguments of `build_dual_encoder` that matter in prediction, such as
        `mixed_precision`, where they are to differ.
    RETURNS (Language): A blank pipeline with a "dual_relation_extractor", to be sourced
        into another one. It has no predicates yet: `set_predicates` gives it some.
    RAISES (ValueError): If there is no such file, or it is damaged or of another kind,
        or the encoder that it was trained from can't be had, or is another one.
    """
    if not Path(path).is_file():
        raise ValueError(f"There is no general model at {Path(path).absolute()}.")
    nlp = spacy.blank("en")
    # By which results name what found them.
    nlp.meta.update(name="dualre_general", version=__version__)
    architecture = "spacy-dualre.DualEncoder.v1"
    arguments = {"@architectures": architecture, **read_arguments(path), **model}
    extractor = nlp.add_pipe(NAME, config={"model": arguments})
    assert isinstance(extractor, DualRelationExtractor)
    load_difference(get_shim(extractor.model), path)
    extractor.model.set_dim("nO", 1, force=True)
    return nlp
