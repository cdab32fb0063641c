"""Decoding: from the probabilities of pairs to relations."""

from collections.abc import Sequence

import numpy

from .architectures import Scored
from .candidates import Candidates
from .concepts import join_mentions
from .predicates import Predicate
from .relations import Relation


def decode(
    scored: Scored,
    predicates: Sequence[Predicate],
    *,
    threshold: float | None = None,
    concepts: str | None = None,
    single_direction: bool = False,
) -> list[Relation]:
    """Read the relations of one Doc from the probabilities of its pairs.

    scored (Scored): P candidate pairs and their probabilities, (P, R + 1).
    predicates (Sequence[Predicate]): R + 1 predicates, "no_relation" first.
    threshold (Optional[float]): None: a pair's most probable predicate, "no_relation"
        included. A number: its most probable real predicate, where that reaches it.
    concepts (Optional[str]): How the mention pairs of two concepts are joined, if so.
    single_direction (bool): Whether of two directions only the more probable one stays.
    RETURNS (List[Relation]): The relations.
    """
    candidates, probabilities = scored
    if concepts is not None:
        candidates, probabilities = join_mentions(
            candidates, probabilities, predicates, concepts
        )
    if not len(probabilities):
        return []
    if threshold is None:
        best = probabilities.argmax(axis=1)
        found = best > 0
        highest = probabilities.max(axis=1)
    else:
        best = probabilities[:, 1:].argmax(axis=1) + 1
        highest = numpy.take_along_axis(probabilities, best[:, None], axis=1)[:, 0]
        found = (highest >= threshold) & (highest > 0)
    rows = numpy.flatnonzero(found)
    if single_direction:
        # Best first; of equals the one that reads from left to right.
        order = rows[numpy.argsort(-highest[rows], kind="stable")]
        first: dict[frozenset, int] = {}
        for row in order.tolist():
            first.setdefault(_ends(candidates, row), row)
        rows = numpy.asarray(list(first.values()), dtype="int64")
    relations = []
    for row in rows:
        subject, object_ = (candidates.entities[i] for i in candidates.pairs[row])
        label = predicates[best[row]].label
        score = min(float(highest[row]), 1.0)
        relations.append(Relation(subject, object_, label, score))
    return relations


def _ends(candidates: Candidates, row: int) -> frozenset:
    """What a pair relates, whichever way round."""
    spans = (candidates.entities[i] for i in candidates.pairs[row])
    return frozenset((s.start, s.end, s.label, s.kb_id) for s in spans)
