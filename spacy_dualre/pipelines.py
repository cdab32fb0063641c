"""Trained pipelines: loaded, and their relation extractors found."""

from typing import Any

import spacy
from spacy.language import Language

from .component import DualRelationExtractor


def load_pipeline(
    model: str,
    ner: str | None,
    component: str,
    overrides: dict[str, Any] | None = None,
) -> Language:
    """Load a trained pipeline, behind another that finds the entities if need be.

    model (str): The pipeline with the relation extractor.
    ner (Optional[str]): The pipeline that finds entities.
    component (str): The name of the relation extractor.
    overrides (Optional[Dict[str, Any]]): Config values of the trained pipeline, by
        dotted path.
    RETURNS (Language): A pipeline that does both.
    RAISES (ValueError): If one can't be loaded, or the trained pipeline has no such
        component.
    """
    trained = _load(model, overrides or {})
    get_extractor(trained, component)
    if ner is None:
        return trained
    for name, pipe in trained.pipeline:
        if component in getattr(pipe, "listening_components", ()):
            # It takes along what it has its vectors from.
            trained.replace_listeners(name, component, ["model.tok2vec"])
    nlp = _load(ner, {})
    nlp.add_pipe(component, source=trained)
    return nlp


def _load(path: str, overrides: dict[str, Any]) -> Language:
    try:
        return spacy.load(path, config=overrides)
    except Exception as e:
        # Of a damaged file spaCy may say what is wrong, but not where, by any error.
        kind = "" if isinstance(e, ValueError | OSError) else f"{type(e).__name__}: "
        reason = f"{kind}{str(e).strip()}"
        raise ValueError(f"Can't load the pipeline '{path}': {reason:.1000}") from e


def get_extractor(nlp: Language, component: str) -> DualRelationExtractor:
    """Get the relation extractor of a pipeline.

    nlp (Language): The pipeline.
    component (str): The name of the relation extractor.
    RETURNS (DualRelationExtractor): The relation extractor.
    RAISES (ValueError): If the pipeline has no such component.
    """
    if component not in nlp.pipe_names:
        raise ValueError(
            f"The pipeline has no component '{component}'. It has: "
            f"{', '.join(nlp.pipe_names)}. Name the right one with --component."
        )
    extractor = nlp.get_pipe(component)
    if not isinstance(extractor, DualRelationExtractor):
        raise ValueError(f"The component '{component}' is no relation extractor.")
    return extractor
