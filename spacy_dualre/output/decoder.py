"""Decoding: from the probabilities of pairs to relations."""

from collections.abc import Callable
from typing import Literal

import numpy

from ..pairs.candidates import Candidates
from ..pairs.concepts import join_mentions
from ..relations import Relation
from .probabilities import Scored

# Takes the pairs of one Doc with their probabilities, and the component's threshold.
Decoder = Callable[[Scored, float | None], list[Relation]]


class RelationDecoder:
    """What `build_decoder` returns. A class, so that it pickles."""

    def __init__(
        self, concepts: Literal["max", "mean"] | None, single_direction: bool
    ) -> None:
        self.concepts = concepts
        self.single_direction = single_direction

    def __call__(self, scored: Scored, threshold: float | None) -> list[Relation]:
        candidates, probabilities = scored
        if self.concepts is not None:
            candidates, probabilities = join_mentions(
                candidates, probabilities, self.concepts
            )
        if not len(probabilities):
            return []
        best, highest = choose_predicates(probabilities, threshold)
        rows = numpy.flatnonzero(best)
        if self.single_direction:
            rows = _best_of_directions(candidates, rows, highest)
        relations = []
        for row in rows:
            subject, object_ = (candidates.entities[i] for i in candidates.pairs[row])
            label = candidates.predicates[best[row]].label
            score = min(float(highest[row]), 1.0)
            relations.append(Relation(subject, object_, label, score))
        return relations


def build_decoder(
    concepts: Literal["max", "mean"] | None = None, single_direction: bool = False
) -> Decoder:
    """Build a function that reads the relations of a Doc from the probabilities of its
    pairs.

    concepts (Optional[str]): Whether the mention pairs of two concepts (`kb_id_`) give
        one relation between them, from the "max" or the "mean" of their probabilities.
        None: every mention pair for itself.
    single_direction (bool): Whether two entities that are found related in both
        directions keep only the more probable one.
    RETURNS (Decoder): The function.
    """
    return RelationDecoder(concepts, single_direction)


def choose_predicates(
    probabilities: numpy.ndarray, threshold: float | None
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Choose the predicate of each pair.

    probabilities (ndarray): The probabilities, (P, R + 1).
    threshold (Optional[float]): None: a pair's most probable predicate, "no_relation"
        included. A number: its most probable real predicate, where that reaches it.
    RETURNS (Tuple[ndarray, ndarray]): The predicate, 0 for none, int, (P,); and its
        probability, (P,).
    """
    if threshold is None:
        return probabilities.argmax(axis=1), probabilities.max(axis=1)
    best = probabilities[:, 1:].argmax(axis=1) + 1
    highest = numpy.take_along_axis(probabilities, best[:, None], axis=1)[:, 0]
    return numpy.where((highest >= threshold) & (highest > 0), best, 0), highest


def _best_of_directions(
    candidates: Candidates, rows: numpy.ndarray, highest: numpy.ndarray
) -> numpy.ndarray:
    # Best first; of equals the one that reads from left to right.
    order = rows[numpy.argsort(-highest[rows], kind="stable")]
    first: dict[frozenset, int] = {}
    for row in order.tolist():
        first.setdefault(_ends(candidates, row), row)
    return numpy.asarray(list(first.values()), dtype="int64")


def _ends(candidates: Candidates, row: int) -> frozenset:
    """What a pair relates, whichever way round."""
    spans = (candidates.entities[i] for i in candidates.pairs[row])
    return frozenset((s.start, s.end, s.label, s.kb_id) for s in spans)
