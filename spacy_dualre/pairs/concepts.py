"""Relations between concepts: one for all the mention pairs of two concepts.

Where entities carry ids (`kb_id_`, several joined with commas), the scores of all pairs
of mentions of the same two concepts are joined into one.
"""

from collections import defaultdict
from dataclasses import replace
from typing import Literal

import numpy
from spacy.tokens import Span

from .candidates import Candidates, Concept, concepts_of


def join_mentions(
    found: Candidates,
    probabilities: numpy.ndarray,
    join: Literal["max", "mean"],
) -> tuple[Candidates, numpy.ndarray]:
    """Join the probabilities of mention pairs into those of concept pairs.

    A pair of concepts has the "max" or the "mean" of the probabilities that its mention
    pairs were scored with. It is represented by the mention pair that is most probably
    related, whose spans then have the concept's id alone. Of a symmetric predicate both
    orders of the mentions count. A mention without id is a concept of its own.

    found (Candidates): P mention pairs of one Doc.
    probabilities (ndarray): Their probabilities, (P, R + 1).
    join (str): "max" or "mean".
    RETURNS (Tuple[Candidates, ndarray]): Q concept pairs, (Q, R + 1).
    """
    symmetric = numpy.asarray([predicate.symmetric for predicate in found.predicates])
    symmetric[0] = symmetric[1:].all()
    concepts = [
        concepts_of(span) or [("", f"mention {i}")]
        for i, span in enumerate(found.entities)
    ]
    rows_of: dict[tuple[Concept, Concept], list[int]] = defaultdict(list)
    for row, (s, o) in enumerate(found.pairs.tolist()):
        for subject in concepts[s]:
            for object_ in concepts[o]:
                if subject != object_:
                    rows_of[subject, object_].append(row)
    entities: list[Span] = []
    joined, allowed = [], []
    for (subject, object_), rows in rows_of.items():
        reverse = rows_of.get((object_, subject), [])
        values = _join(probabilities, found.allowed, rows, join)
        # A symmetric predicate is emitted once: in the order that was met first.
        first = not reverse or rows[0] < reverse[0]
        if symmetric.all() and not first:
            continue
        if symmetric.any():
            both = _join(probabilities, found.allowed, rows + reverse, join)
            values = numpy.where(symmetric, both if first else 0, values)
        best = int(values[1:].argmax()) + 1
        mentions = rows + reverse if symmetric[best] else rows
        row = mentions[int(probabilities[mentions, best].argmax())]
        pair = (subject, object_) if row in rows else (object_, subject)
        for i, concept in zip(found.pairs[row], pair):
            entities.append(_with_id(found.entities[i], concept))
        joined.append(values)
        allowed.append(values > 0)
    n = len(joined)
    shape = (n, probabilities.shape[1])
    allowed_array = numpy.asarray(allowed, dtype=bool).reshape(shape)
    concept_pairs = replace(
        found,
        entities=entities,
        pairs=numpy.arange(2 * n).reshape((n, 2)),
        allowed=allowed_array,
        asked=allowed_array,
        reasons={},
    )
    return concept_pairs, numpy.asarray(joined, dtype="float32").reshape(shape)


def _join(
    probabilities: numpy.ndarray, allowed: numpy.ndarray, rows: list[int], join: str
) -> numpy.ndarray:
    values, scored = probabilities[rows], allowed[rows]
    if join == "max":
        # The pair is unrelated only as far as its most related mention pair is.
        highest = values.max(axis=0)
        highest[0] = values[:, 0].min()
        return highest
    return values.sum(axis=0) / numpy.maximum(scored.sum(axis=0), 1)


def _with_id(span: Span, concept: Concept) -> Span:
    kb_id = concept[1] if concept[0] else span.kb_id_
    return Span(span.doc, span.start, span.end, label=span.label, kb_id=kb_id)
