"""Levitated reading: several pairs share one reading of their text.

Levitated markers (Ye et al., "Packed Levitated Marker for Entity and Relation
Extraction", arXiv 2109.06067, section 3) stand behind the text. They have the positions
of their span's ends, see the text and the pair's other markers, and are not seen by the
text, which is therefore read once for all pairs that have the same markers in it.
"""

from typing import Any, Literal

import numpy

from .batches import Inputs, gather_ranges
from .marked_text import markers_of, text_ranges, with_markers
from .markers import N_MARKERS, N_SPECIAL
from .wordpieces import Pairs

# How many of the four markers stay in the text: it is read once for all pairs of a
# subject, or for all pairs.
N_SOLID = {"object": 2, "both": 0}
# Pairs that share one reading at most, unless all their markers are shorter than the
# text, as what a wordpiece costs grows with the length of what is read at once.
MAX_SHARED = 32
# Encoders that take position ids and a mask of who attends to whom, and know a
# wordpiece's position by its id alone.
ABSOLUTE_POSITIONS = ("bert", "electra", "roberta", "xlm-roberta")


class LevitatedReading:
    """Reads a text once for several pairs. See `Reading`.

    markers (str): "object": those of the objects are levitated, so that the pairs of a
        subject share a text. "both": those of the subjects too; all pairs with the same
        window share it.
    """

    def __init__(self, markers: Literal["object", "both"]) -> None:
        self.markers = markers
        self.n_solid = N_SOLID[markers]
        self.n_levitated = N_MARKERS - self.n_solid

    def build(self, pairs: Pairs, rows: numpy.ndarray) -> Inputs:
        """RETURNS (Inputs): Texts with the levitated markers of several pairs each."""
        starts, ends, order = text_ranges(pairs, rows)
        elided = (ends[:, 7] - starts[:, 0]) > (ends - starts).sum(axis=1)
        text_of, first = self._share(pairs, rows, elided)
        rank = _rank(text_of)
        starts, ends, column = with_markers(pairs, rows, starts, ends, order)
        row = numpy.arange(len(rows))
        for marker in column[:, self.n_solid :].T:
            ends[row, marker] = starts[row, marker]  # it is not in the text
        text, text_lengths, _ = gather_ranges(pairs.pool, starts[first], ends[first])
        at = numpy.cumsum(ends - starts, axis=1) - (ends - starts)
        at = numpy.take_along_axis(at, column, axis=1)
        n_pairs = numpy.bincount(text_of, minlength=len(text_lengths))
        lengths = text_lengths + self.n_levitated * n_pairs
        begins = numpy.cumsum(lengths) - lengths
        within = numpy.arange(len(text)) - numpy.repeat(
            numpy.cumsum(text_lengths) - text_lengths, text_lengths
        )
        text_at = numpy.repeat(begins, text_lengths) + within
        opens_at = text_lengths[text_of] + self.n_levitated * rank
        markers_at = begins[text_of] + opens_at
        markers_at = markers_at[:, None] + numpy.arange(self.n_levitated)
        ids, positions, owners = numpy.zeros((3, int(lengths.sum())), dtype="int64")
        ids[text_at], positions[text_at] = text, within
        ids[markers_at] = pairs.pool[markers_of(pairs, rows)[:, self.n_solid :]]
        # A closing marker has the place of the span's last wordpiece.
        closing = [0, 1] * (self.n_levitated // 2)
        positions[markers_at] = at[:, self.n_solid :] - closing
        owners[markers_at] = 1 + rank[:, None]
        return Inputs(
            ids,
            lengths,
            subject_at=at[:, 0] if self.n_solid else opens_at,
            object_at=opens_at + self.n_levitated - 2,
            text_of=text_of,
            positions=positions,
            owners=owners,
        )

    def cost(self, pairs: Pairs, rows: numpy.ndarray) -> numpy.ndarray:
        """RETURNS (ndarray): The wordpieces of the text, or only those of the levitated
        markers where the pair before has the same text, (n,).
        """
        cost = pairs.window_lengths[rows] + N_SPECIAL
        text = numpy.column_stack(self._text_key(pairs, rows))
        same = (text[1:] == text[:-1]).all(axis=1)
        cost[1:][same] = self.n_levitated
        return cost

    def check(self, encoder: Any) -> None:
        """RAISES (ValueError): If the encoder's attention is not told the positions of
        wordpieces.
        """
        if encoder.config.model_type not in ABSOLUTE_POSITIONS:
            raise ValueError(
                "Levitated markers need an encoder with absolute positions "
                f"({', '.join(ABSOLUTE_POSITIONS)}), not {encoder.config.model_type}. "
                "Choose another encoder, or the reading spacy-dualre.marked_reading.v1."
            )

    def _share(
        self, pairs: Pairs, rows: numpy.ndarray, elided: numpy.ndarray
    ) -> tuple[numpy.ndarray, numpy.ndarray]:
        """The text of each pair, (n,), and the first pair of each text."""
        # A text of which something was left out is the pair's own.
        own = numpy.where(elided, 1 + numpy.arange(len(rows)), 0)
        key = [*self._text_key(pairs, rows), own]
        _, group = numpy.unique(numpy.column_stack(key), axis=0, return_inverse=True)
        most = numpy.maximum(pairs.window_lengths[rows] // self.n_levitated, MAX_SHARED)
        part = numpy.column_stack([group, _rank(group) // most])
        _, first, text_of = numpy.unique(
            part, axis=0, return_index=True, return_inverse=True
        )
        return text_of, first

    def _text_key(self, pairs: Pairs, rows: numpy.ndarray) -> list[numpy.ndarray]:
        """What pairs have in common that read the same text."""
        key = [pairs.window[rows], pairs.spans[rows, : self.n_solid]]
        if self.n_solid:
            key.append(pairs.surfaces[rows, 0])
        return key


def build_levitated_reading(
    markers: Literal["object", "both"] = "object",
) -> LevitatedReading:
    """Build a reading that several pairs share: faster, and another model, as a text
    does not see the levitated markers.

    markers (str): Which are levitated. "object": those of the objects, so that the
        pairs of a subject share a reading. "both": those of the subjects too, so that
        all pairs do. Only pairs with the same text around them share one: see the
        model's `context_length` and `max_length`.
    RETURNS (LevitatedReading): The reading.
    """
    return LevitatedReading(markers)


def _rank(groups: numpy.ndarray) -> numpy.ndarray:
    """The how-maniest of its group each item is, from 0, (n,)."""
    order = numpy.argsort(groups, kind="stable")
    sizes = numpy.bincount(groups, minlength=1)
    rank = numpy.empty_like(order)
    rank[order] = numpy.arange(len(groups)) - numpy.repeat(
        numpy.cumsum(sizes) - sizes, sizes
    )
    return rank
