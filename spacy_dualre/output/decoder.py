"""Decoding: from the probabilities of pairs to relations."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy

from ..pairs.candidates import Candidates
from ..pairs.concepts import join_mentions
from ..predicates import Predicate
from ..relations import Relation
from .probabilities import Scored

# A probability for all predicates, or one for each label.
Threshold = float | dict[str, float] | None
# Takes the pairs of one Doc with their probabilities, the component's threshold, and
# whether a pair may have several predicates.
Decoder = Callable[[Scored, Threshold, bool], list[Relation]]


class RelationDecoder:
    """What `build_decoder` returns. A class, so that it pickles."""

    def __init__(
        self, concepts: Literal["max", "mean"] | None, single_direction: bool
    ) -> None:
        self.concepts = concepts
        self.single_direction = single_direction

    def __call__(
        self, scored: Scored, threshold: Threshold, multi_label: bool
    ) -> list[Relation]:
        candidates, probabilities = scored
        if self.concepts is not None:
            candidates, probabilities = join_mentions(
                candidates, probabilities, self.concepts
            )
        reached = reach_threshold(probabilities, candidates.predicates, threshold)
        if not multi_label:
            reached &= _is_best(numpy.where(reached, probabilities, 0))
        found = numpy.argwhere(reached)
        if self.single_direction:
            found = _best_of_directions(candidates, found, probabilities)
        relations = []
        for row, r in found.tolist():
            subject, object_ = (candidates.entities[i] for i in candidates.pairs[row])
            label = candidates.predicates[r].label
            score = min(float(probabilities[row, r]), 1.0)
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


def reach_threshold(
    probabilities: numpy.ndarray, predicates: Sequence[Predicate], threshold: Threshold
) -> numpy.ndarray:
    """Find the predicates that are probable enough.

    probabilities (ndarray): The probabilities, (P, R + 1).
    predicates (Sequence[Predicate]): R + 1 predicates, "no_relation" first.
    threshold (Optional[Union[float, Dict[str, float]]]): None: the predicates that are
        more probable than "no_relation". A number: those that reach it. Numbers by
        label: those that reach their own, and of the others as with None.
    RETURNS (ndarray): Which they are, "no_relation" never, bool, (P, R + 1).
    """
    reached = probabilities > probabilities[:, :1]
    given = threshold if isinstance(threshold, dict) else {}
    for r, predicate in enumerate(predicates):
        own = given.get(predicate.label) if isinstance(threshold, dict) else threshold
        if own is not None:
            reached[:, r] = (probabilities[:, r] >= own) & (probabilities[:, r] > 0)
    reached[:, 0] = False
    return reached


def _is_best(probabilities: numpy.ndarray) -> numpy.ndarray:
    best = numpy.zeros(probabilities.shape, dtype=bool)
    if len(best):
        best[numpy.arange(len(best)), probabilities.argmax(axis=1)] = True
    return best


def _best_of_directions(
    candidates: Candidates, found: numpy.ndarray, probabilities: numpy.ndarray
) -> numpy.ndarray:
    """Of the same ends keep the most probable pair, and all its predicates."""
    best: dict[frozenset, int] = {}
    # Best first; of equals the one that reads from left to right.
    highest = probabilities[found[:, 0], found[:, 1]]
    for i in numpy.argsort(-highest, kind="stable").tolist():
        row = int(found[i, 0])
        best.setdefault(_ends(candidates, row), row)
    kept = [best[_ends(candidates, int(row))] == row for row in found[:, 0]]
    return found[numpy.asarray(kept, dtype=bool)]


def _ends(candidates: Candidates, row: int) -> frozenset:
    """What a pair relates, whichever way round."""
    spans = (candidates.entities[i] for i in candidates.pairs[row])
    return frozenset((s.start, s.end, s.label, s.kb_id) for s in spans)
