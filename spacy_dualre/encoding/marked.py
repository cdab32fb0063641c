"""Marked reading: each pair's text for itself, with markers around both spans.

`... <S:PER> Marie Curie </S:PER> was born in <O:LOC> Warsaw </O:LOC> ...`, as published
(arXiv 2503.17799).
"""

from typing import Any

import numpy

from .batches import Inputs, gather_ranges
from .marked_text import text_ranges, with_markers
from .markers import N_SPECIAL
from .wordpieces import Pairs


class MarkedReading:
    """Reads the text of each pair for itself. See `Reading`."""

    def build(self, pairs: Pairs, rows: numpy.ndarray) -> Inputs:
        """RETURNS (Inputs): The marked texts, one for each pair."""
        starts, ends, order = text_ranges(pairs, rows)
        starts, ends, column = with_markers(pairs, rows, starts, ends, order)
        ids, lengths, at = gather_ranges(pairs.pool, starts, ends)
        row = numpy.arange(len(rows))
        return Inputs(ids, lengths, at[row, column[:, 0]], at[row, column[:, 2]])

    def cost(self, pairs: Pairs, rows: numpy.ndarray) -> numpy.ndarray:
        """RETURNS (ndarray): The wordpieces of each pair's text, (n,)."""
        return pairs.window_lengths[rows] + N_SPECIAL

    def check(self, encoder: Any) -> None:
        """Every encoder can read marked texts."""


def build_marked_reading() -> MarkedReading:
    """RETURNS (MarkedReading): The reading that was published."""
    return MarkedReading()
