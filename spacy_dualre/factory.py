"""The factory of the component: `nlp.add_pipe("dual_relation_extractor")`."""

from collections.abc import Callable
from typing import Any

from spacy.language import Language
from thinc.api import Config, Model

from .component import DualRelationExtractor
from .model.scores import Scores
from .output.decoder import Decoder
from .pairs.candidates import Candidates, PairFinder
from .predicates import refuse_lossy_labels, refuse_lossy_types
from .training.sampler import Sampler

DEFAULT_CONFIG = """
[model]
@architectures = "spacy-dualre.DualEncoder.v1"

[model.reading]
@misc = "spacy-dualre.marked_reading.v1"

[candidates]
@misc = "spacy-dualre.candidate_pairs.v1"

[sampler]
@misc = "spacy-dualre.sampler.v1"

[decoder]
@misc = "spacy-dualre.decoder.v1"

[scorer]
@scorers = "spacy-dualre.relation_scorer.v1"
"""
_DEFAULTS = Config().from_str(DEFAULT_CONFIG)


@Language.factory(
    "dual_relation_extractor",
    assigns=["doc._.relations", "doc.spans"],
    requires=["doc.ents"],
    default_config={
        **_DEFAULTS,
        "predicates": None,
        "threshold": None,
        "type_map": {},
        "spans_key": None,
        "relations_key": "relations",
        "use_gold_ents": True,
        "multi_label": False,
        "overwrite": False,
    },
    default_score_weights={
        "rel_micro_f": 1.0,
        "rel_micro_p": None,
        "rel_micro_r": None,
        "rel_macro_f": None,
        "rel_boundary_p": None,
        "rel_boundary_r": None,
        "rel_boundary_f": None,
        "rel_candidate_recall": None,
        "rel_candidate_f": None,
        "rel_per_type": None,
    },
)
def make_dual_relation_extractor(
    nlp: Language,
    name: str,
    model: Model[list[Candidates], Scores],
    candidates: PairFinder,
    sampler: Sampler,
    decoder: Decoder,
    scorer: Callable | None,
    predicates: dict[str, Any] | list[dict[str, Any]] | None,
    threshold: float | dict[str, float] | None,
    type_map: dict[str, str],
    spans_key: str | None,
    relations_key: str,
    use_gold_ents: bool,
    multi_label: bool,
    overwrite: bool,
) -> DualRelationExtractor:
    """Make the component. The arguments are those of `DualRelationExtractor`."""
    refuse_lossy_labels(predicates or {})
    refuse_lossy_types(type_map)
    return DualRelationExtractor(
        nlp.vocab,
        model,
        name,
        candidates=candidates,
        sampler=sampler,
        decoder=decoder,
        scorer=scorer,
        predicates=predicates,
        threshold=threshold,
        type_map=type_map,
        spans_key=spans_key,
        relations_key=relations_key,
        use_gold_ents=use_gold_ents,
        multi_label=multi_label,
        overwrite=overwrite,
    )
