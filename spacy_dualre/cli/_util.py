"""What the commands share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import spacy
import typer
from spacy.cli._util import app as spacy_app
from spacy.language import Language
from wasabi import msg

from ..component import DualRelationExtractor

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
    RAISES (ValueError): If the trained pipeline has no such component.
    """
    trained = spacy.load(model, config=overrides or {})
    get_extractor(trained, component)
    if ner is None:
        return trained
    for name, pipe in trained.pipeline:
        if component in getattr(pipe, "listening_components", ()):
            # It takes along what it has its vectors from.
            trained.replace_listeners(name, component, ["model.tok2vec"])
    nlp = spacy.load(ner)
    nlp.add_pipe(component, source=trained)
    return nlp


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
