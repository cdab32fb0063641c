"""Descriptions: what the predicate encoder reads.

The description of a predicate with the pair's marked spans in place of its slots:
`<S:PER> Marie Curie </S:PER> was born in <O:LOC> Warsaw </O:LOC>`.
"""

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy

from ..predicates import SLOTS, Predicate
from .batches import Inputs, gather_ranges
from .markers import N_MARKERS, N_SPECIAL
from .wordpieces import Fillings, PairTokenizer


class Descriptions:
    """The wordpieces of some predicates' descriptions, and how they are filled.

    tokenizer (PairTokenizer): Tokenizes them, and says how long an input may be.
    predicates (Sequence[Predicate]): R + 1 predicates.
    fill_spans (bool): Whether descriptions hold the pair's spans, or the markers only.
    RAISES (ValueError): If a description leaves no room for its spans.

    n (int): How many descriptions there are, D.
    of_predicate (ndarray): The predicate of each description, in order, int, (D,).
    lengths (ndarray): Wordpieces of each predicate's longest description without its
        spans, int, (R + 1,).
    longest (int): Those of the longest of all.
    max_filled (int): Wordpieces of a span that fit; of a longer one the ends are kept.
    """

    def __init__(
        self,
        tokenizer: PairTokenizer,
        predicates: Sequence[Predicate],
        *,
        fill_spans: bool = True,
    ) -> None:
        self.fill_spans = fill_spans
        descriptions = [
            (r, description)
            for r, predicate in enumerate(predicates)
            for description in predicate.descriptions
        ]
        self.n = len(descriptions)
        self.of_predicate = numpy.asarray([r for r, _ in descriptions], dtype="int64")
        ids: list[int] = []
        # Start and end of the three parts of each, around its two slots.
        self._parts = numpy.zeros((self.n, 3, 2), dtype="int64")
        self._object_first = numpy.zeros(self.n, dtype=bool)
        for d, (_, description) in enumerate(descriptions):
            texts, self._object_first[d] = split_description(description)
            for part, wordpieces in enumerate(tokenizer.tokenize(texts)):
                self._parts[d, part] = len(ids), len(ids) + len(wordpieces)
                ids.extend(wordpieces)
        self._ids = numpy.asarray(ids, dtype="int64")
        lengths = (self._parts[:, :, 1] - self._parts[:, :, 0]).sum(axis=1)
        starts = numpy.searchsorted(self.of_predicate, numpy.arange(len(predicates)))
        self.lengths = numpy.maximum.reduceat(lengths, starts) + N_SPECIAL
        self.longest = int(self.lengths.max())
        self.max_filled = (tokenizer.max_length - self.longest) // 2
        if self.max_filled < 1:
            label = predicates[int(self.of_predicate[lengths.argmax()])].label
            raise ValueError(
                f"A description of '{label}' has {lengths.max()} wordpieces, which "
                f"leaves no room for its spans in max_length = {tokenizer.max_length}. "
                "Shorten it or raise max_length."
            )

    def without_spans(self) -> "Descriptions":
        """RETURNS (Descriptions): The same descriptions with the markers only."""
        bare = copy(self)
        bare.fill_spans = False
        return bare

    def draw(self) -> numpy.ndarray:
        """RETURNS (ndarray): One description of each predicate, any, bool, (D,)."""
        order = numpy.random.permutation(self.n)
        _, first = numpy.unique(self.of_predicate[order], return_index=True)
        drawn = numpy.zeros(self.n, dtype=bool)
        drawn[order[first]] = True
        return drawn

    def surfaces(self, fillings: Fillings) -> numpy.ndarray:
        """Find which surface stands in a description for each.

        fillings (Fillings): The surfaces.
        RETURNS (ndarray): For each surface itself; or, where descriptions are read
            without spans, so that only the type counts, one of the same type, (S,).
        """
        if self.fill_spans:
            return numpy.arange(len(fillings.types))
        _, first, of_type = numpy.unique(
            fillings.types, return_index=True, return_inverse=True
        )
        return first[of_type]

    def build(
        self,
        fillings: Fillings,
        subjects: numpy.ndarray,
        objects: numpy.ndarray,
        descriptions: numpy.ndarray,
    ) -> Inputs:
        """Fill descriptions.

        fillings (Fillings): What they are filled with.
        subjects (ndarray): The surface of each subject, int, (n,).
        objects (ndarray): The surface of each object, int, (n,).
        descriptions (ndarray): Which descriptions, int, (n,).
        RETURNS (Inputs): n inputs.
        """
        pool = numpy.concatenate([fillings.pool, self._ids])
        swap = self._object_first[descriptions]
        parts = self._parts[descriptions] + len(fillings.pool)
        columns: list[tuple[Any, Any]] = [(fillings.first_at, fillings.first_at + 1)]
        for slot in range(2):
            is_object = swap if slot == 0 else ~swap
            surface = numpy.where(is_object, objects, subjects)
            start, end = fillings.surface_spans[surface].T
            keep = numpy.minimum(end - start, self.max_filled if self.fill_spans else 0)
            marker = N_MARKERS * fillings.types[surface] + 2 * is_object
            columns += [
                (parts[:, slot, 0], parts[:, slot, 1]),
                (marker, marker + 1),
                (start, start + (keep + 1) // 2),
                (end - keep // 2, end),
                (marker + 1, marker + 2),
            ]
        columns += [(parts[:, 2, 0], parts[:, 2, 1])]
        columns += [(fillings.last_at, fillings.last_at + 1)]
        starts = numpy.empty((len(swap), len(columns)), dtype="int64")
        ends = numpy.empty_like(starts)
        for column, (start, end) in enumerate(columns):
            starts[:, column], ends[:, column] = start, end
        ids, lengths, at = gather_ranges(pool, starts, ends)
        row = numpy.arange(len(swap))
        return Inputs(
            ids,
            lengths,
            subject_at=at[row, numpy.where(swap, 7, 2)],
            object_at=at[row, numpy.where(swap, 2, 7)],
        )


def split_description(description: str) -> tuple[list[str], bool]:
    """Split a description at its slots.

    description (str): A description with `{subject}` and `{object}`, once each.
    RETURNS (Tuple[List[str], bool]): The texts before, between and after the slots,
        and whether the object's slot comes first. White space before a slot is left
        out, because the span that fills it brings its own.
    """
    subject, object_ = (description.index(slot) for slot in SLOTS)
    first, second = SLOTS if subject < object_ else SLOTS[::-1]
    before, rest = description.split(first)
    between, after = rest.split(second)
    return [before.rstrip(), between.rstrip(), after.rstrip()], object_ < subject
