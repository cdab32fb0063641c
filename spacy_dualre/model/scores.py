"""Scores: what the model returns."""

from collections.abc import Sequence
from typing import NamedTuple

from thinc.types import Floats2d

from ..pairs.candidates import Candidates


class Scores(NamedTuple):
    """The scores of the pairs of some Docs, P in all, against R + 1 predicates.

    candidates (Sequence[Candidates]): The pairs, Doc by Doc.
    dual (Optional[Floats2d]): z, from the descriptions, (P, R + 1); -inf where a
        predicate was not asked for. None: not computed.
    head (Optional[Floats2d]): l, from the auxiliary head, (P, R + 1); -inf where a
        predicate is not allowed, or the head was not trained with it. None: not
        computed.
    alpha (float): The share of l in the loss, where both are computed.
    """

    candidates: Sequence[Candidates]
    dual: Floats2d | None
    head: Floats2d | None
    alpha: float = 0.5

    def scaled(self, factor: float) -> "Scores":
        """RETURNS (Scores): All scores, which may be gradients, times a factor."""
        dual, head = (None if y is None else y * factor for y in self[1:3])
        return self._replace(dual=dual, head=head)
