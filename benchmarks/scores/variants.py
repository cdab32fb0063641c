"""The variants of a dataset's config. For other questions there is `--override`."""

from typing import Any

from benchmarks.datasets import NAME

LEVITATED = "spacy-dualre.levitated_reading.v1"
OBJECT = {"model.reading.@misc": LEVITATED, "model.reading.markers": "object"}
BOTH = {"model.reading.@misc": LEVITATED, "model.reading.markers": "both"}
HEAD_ALONE = {"model.alpha": 1.0}
NO_SPANS = {"model.fill_spans": False}
# What differs from the config, below components.dual_relation_extractor.
VARIANTS: dict[str, dict[str, Any]] = {
    "linear": HEAD_ALONE,
    "dual": {},
    # The head that ranks descriptions is not trained here.
    "contrastive": {"model.alpha": 0.0, "sampler.descriptions": "all"},
    "no-spans": NO_SPANS,
    "tied": {"model.tie_encoders": True},
    "no-context": {"model.use_context": False},
    "levitated": OBJECT,
    "levitated-linear": {**OBJECT, **HEAD_ALONE},
    "levitated-no-spans": {**OBJECT, **NO_SPANS},
    "levitated-both-linear": {**BOTH, **HEAD_ALONE},
    "levitated-both-no-spans": {**BOTH, **NO_SPANS},
}


def overrides_of(variant: str) -> dict[str, Any]:
    """RETURNS (Dict[str, Any]): What differs from the config, by dotted path."""
    changes = VARIANTS[variant].items()
    return {f"components.{NAME}.{key}": value for key, value in changes}


def is_linear(variant: str) -> bool:
    """RETURNS (bool): Whether a variant is a linear head alone."""
    return variant.endswith("linear")


def linear_of(variant: str) -> str:
    """Find the linear head that a variant is compared with.

    variant (str): A variant, which may be one that only recorded rows have.
    RETURNS (str): The variant with the same reading and no dual encoder.
    """
    for reading in ("levitated-both", "levitated"):
        if variant.startswith(reading):
            return f"{reading}-linear"
    return "linear"
