"""The settings of a dual encoder, which follow the config."""

from dataclasses import dataclass
from typing import Literal

from ..encoding.reading import Reading

WITHOUT_HEAD = " where alpha is 0, because the head is not trained"
WITHOUT_SPANS = "0 where fill_spans is false, because no description is read twice"
DUAL_ONLY = f"'dual'{WITHOUT_HEAD}"


@dataclass(frozen=True)
class Settings:
    """The arguments of `build_dual_encoder`, which has their meaning, or of
    `build_shared_encoder`. They are not stored with the weights.

    reading (Optional[Reading]): None: the instances come from a Tok2Vec layer.
    RAISES (ValueError): If one is out of its range.
    """

    encoder: str
    start: str | None
    reading: Reading | None
    alpha: float
    max_length: int
    context_length: int
    fill_spans: bool
    tie_encoders: bool
    use_context: bool
    temperature: float
    temperature_lr: float
    type_dropout: float
    predict_with: Literal["dual", "head", "mean"]
    prune: float
    shortlist: int
    mixed_precision: bool
    compile: bool
    max_tokens: int | None
    cache_size: int

    def __post_init__(self) -> None:
        none_or_positive = self.max_tokens is None or self.max_tokens > 0
        trained = self.alpha > 0  # the head
        for name, valid, what in (
            ("alpha", 0 <= self.alpha <= 1, "between 0 and 1"),
            ("max_length", self.max_length >= 16, "at least 16"),
            ("context_length", self.context_length >= 0, "at least 0"),
            ("temperature", self.temperature > 0, "more than 0"),
            ("temperature_lr", self.temperature_lr >= 0, "at least 0"),
            ("type_dropout", 0 <= self.type_dropout <= 1, "in [0, 1]"),
            ("prune", 0 <= self.prune < 1, "at least 0 and less than 1"),
            ("prune", trained or self.prune == 0, f"0{WITHOUT_HEAD}"),
            ("shortlist", self.shortlist >= 0, "at least 0"),
            ("shortlist", self.fill_spans or self.shortlist == 0, WITHOUT_SPANS),
            ("predict_with", trained or self.predict_with == "dual", DUAL_ONLY),
            ("max_tokens", none_or_positive, "more than 0, or null"),
            ("cache_size", self.cache_size >= 0, "at least 0"),
        ):
            if not valid:
                value = getattr(self, name)
                raise ValueError(f"{name} must be {what}, but is {value!r}.")
