"""Candidates: which pairs of entities are scored, and against which predicates."""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy
from spacy.tokens import Doc, Span

from ..predicates import Predicate, admission_table
from ..spans import get_spans

# Chooses among the pairs that the signatures admit. Takes a Doc, its n entities in
# text order and a bool array (n, n) of admitted (subject, object) pairs; returns an
# int array (P, 2) of entity indices, and by reason those that it left out, bool arrays
# (n, n). What it gives no reason for was "not chosen".
PairFinder = Callable[
    [Doc, Sequence[Span], numpy.ndarray],
    tuple[numpy.ndarray, Mapping[str, numpy.ndarray]],
]

# Entity type and id: two types may use the same ids.
Concept = tuple[str, str]


@dataclass(frozen=True)
class Candidates:
    """The candidate pairs of one Doc: what the model is given.

    doc (Doc): The Doc.
    entities (List[Span]): Its n entities, in text order.
    predicates (Tuple[Predicate, ...]): R + 1 predicates, "no_relation" first.
    pairs (ndarray): Indices into `entities` of P subjects and objects, (P, 2).
    allowed (ndarray): The predicates that each pair may have, bool, (P, R + 1).
    asked (ndarray): The predicates that it is scored against, bool, (P, R + 1).
    n_hard (int): How many more are, in training: those that the auxiliary head ranks
        highest.
    reasons (Mapping[str, ndarray]): Ordered pairs that are no candidates, by reason,
        bool, (n, n): "signature" (no predicate admits the types), "order" (only
        symmetric ones do, in the order of the text) or what the `PairFinder` says.
    type_map (Mapping[str, str]): Entity types, and as what they are read.
    """

    doc: Doc
    entities: list[Span]
    predicates: tuple[Predicate, ...]
    pairs: numpy.ndarray
    allowed: numpy.ndarray
    asked: numpy.ndarray
    n_hard: int
    reasons: Mapping[str, numpy.ndarray]
    type_map: Mapping[str, str]

    @property
    def dropped(self) -> "Counter[str]":
        """RETURNS (Counter): How many ordered pairs are no candidates, by reason."""
        counts = {name: int(pairs.sum()) for name, pairs in self.reasons.items()}
        return Counter({name: n for name, n in counts.items() if n})

    def reason(self, subject: int, object_: int) -> str | None:
        """Why an ordered pair is no candidate.

        subject (int): The index of an entity.
        object_ (int): The index of another one.
        RETURNS (Optional[str]): The reason. None: it is one.
        """
        named = (x for x, pairs in self.reasons.items() if pairs[subject, object_])
        return next(named, None)

    def type_of(self, entity: Span) -> str:
        """RETURNS (str): The type that predicates and model know an entity by."""
        return self.type_map.get(entity.label_, entity.label_)

    def rows(self) -> dict[tuple[int, int], int]:
        """RETURNS (Dict[Tuple[int, int], int]): The row of each (subject, object)."""
        return {(int(s), int(o)): row for row, (s, o) in enumerate(self.pairs)}

    def select(self, rows: numpy.ndarray) -> "Candidates":
        """RETURNS (Candidates): Some of the pairs, int, (p,)."""
        return replace(
            self,
            pairs=self.pairs[rows],
            allowed=self.allowed[rows],
            asked=self.asked[rows],
        )


def get_entities(doc: Doc, spans_key: str | None) -> list[Span]:
    """Read the entities of a Doc.

    doc (Doc): The Doc.
    spans_key (Optional[str]): The span group to read, in which entities may nest and
        overlap, or None for `doc.ents`.
    RETURNS (List[Span]): The entities in text order, each (span, type) once. Spans that
        are empty or lost to retokenizing are left out with a warning.
    """
    spans = get_spans(doc, spans_key)
    unique = {(span.start, span.end, span.label_): span for span in spans}
    return [unique[position] for position in sorted(unique)]


def source_of(spans_key: str | None) -> str:
    """RETURNS (str): Where `get_entities` reads, as code."""
    return "doc.ents" if spans_key is None else f"doc.spans['{spans_key}']"


def concepts_of(span: Span, type_map: Mapping[str, str] | None = None) -> list[Concept]:
    """Read the concepts that a mention stands for.

    span (Span): The mention. Its `kb_id_` may hold several ids, joined with commas.
    type_map (Optional[Mapping[str, str]]): Entity types, and as what they are read.
    RETURNS (List[Concept]): Its type with each of its ids; none without an id.
    """
    type_ = (type_map or {}).get(span.label_, span.label_)
    ids = [id_.strip() for id_ in span.kb_id_.split(",")]
    return [(type_, id_) for id_ in ids if id_ not in ("", "-")]


def find_candidates(
    doc: Doc,
    predicates: tuple[Predicate, ...],
    find_pairs: PairFinder,
    spans_key: str | None = None,
    type_map: Mapping[str, str] | None = None,
) -> Candidates:
    """Find the candidate pairs of a Doc, and the predicates that each may have.

    doc (Doc): The Doc, with entities.
    predicates (Tuple[Predicate, ...]): R + 1 predicates, "no_relation" first.
    find_pairs (PairFinder): Chooses among the pairs that the signatures admit.
    spans_key (Optional[str]): Where the entities are, as in `get_entities`.
    type_map (Optional[Mapping[str, str]]): Entity types, and as what they are read.
    RETURNS (Candidates): The candidates, sorted by subject, then by object.
    RAISES (ValueError): If there are no predicates.
    """
    if not predicates:
        raise ValueError(
            "There are no predicates to find relations for. Describe some with the "
            "component's `set_predicates`, or train it."
        )
    type_map = type_map or {}
    entities = get_entities(doc, spans_key)
    type_of = [type_map.get(entity.label_, entity.label_) for entity in entities]
    types = tuple(sorted(set(type_of)))
    in_order, reverse = admission_table(predicates, types)
    type_ids = numpy.asarray([types.index(type_) for type_ in type_of], dtype="int64")
    admitted_in_order: Any = in_order[:, :, 1:].any(axis=2)
    admitted_reverse: Any = reverse[:, :, 1:].any(axis=2)
    subject_type, object_type = type_ids[:, None], type_ids[None, :]
    n = len(entities)
    before = numpy.triu(numpy.ones((n, n), dtype=bool), k=1)
    fits: numpy.ndarray = admitted_in_order[subject_type, object_type]
    admitted = numpy.where(before, fits, admitted_reverse[subject_type, object_type])
    numpy.fill_diagonal(admitted, False)
    pairs, left_out = find_pairs(doc, entities, admitted)
    pairs = numpy.asarray(pairs, dtype="int64").reshape((-1, 2))
    pairs = pairs[numpy.lexsort((pairs[:, 1], pairs[:, 0]))]
    s, o = pairs[:, 0], pairs[:, 1]
    allowed = numpy.where(
        (s < o)[:, None],
        in_order[type_ids[s], type_ids[o]],
        reverse[type_ids[s], type_ids[o]],
    )
    unexplained = admitted.copy()
    unexplained[s, o] = False
    for explained in left_out.values():
        unexplained &= ~explained
    distinct = ~numpy.eye(n, dtype=bool)
    return Candidates(
        doc,
        entities,
        predicates,
        pairs,
        allowed,
        asked=allowed,
        n_hard=0,
        reasons={
            "signature": distinct & ~fits,
            "order": distinct & fits & ~admitted,
            **left_out,
            "not chosen": unexplained,
        },
        type_map=type_map,
    )


def build_candidate_pairs(
    max_sentences: int | None = 1,
    max_tokens: int | None = None,
    max_pairs: int | None = None,
    max_pairs_per_concept: int | None = None,
) -> PairFinder:
    """Build a function that chooses pairs by how far apart their spans are.

    max_sentences (Optional[int]): How many sentences a pair may touch, from the first
        to the last. None for no limit.
    max_tokens (Optional[int]): How many tokens may lie between the two spans.
    max_pairs (Optional[int]): How many pairs of one Doc are kept: those with the
        fewest tokens between their spans and, among equals, the first in the text.
    max_pairs_per_concept (Optional[int]): How many pairs of mentions are kept for two
        concepts (`kb_id_`), nearest first.
    RETURNS (PairFinder): The function. Its reasons are "sentences", "tokens",
        "max_pairs" and "max_pairs_per_concept".
    RAISES (ValueError): If a limit is too low to leave any pair.
    """
    limits = {
        "max_sentences": max_sentences,
        "max_tokens": max_tokens,
        "max_pairs": max_pairs,
        "max_pairs_per_concept": max_pairs_per_concept,
    }
    for name, limit in limits.items():
        lowest = 0 if name == "max_tokens" else 1
        if limit is not None and limit < lowest:
            raise ValueError(
                f"{name} must be at least {lowest}, or null for none; it is {limit}."
            )
    return CandidatePairs(**limits)


class CandidatePairs:
    """What `build_candidate_pairs` returns. A class, so that it pickles."""

    def __init__(
        self,
        max_sentences: int | None,
        max_tokens: int | None,
        max_pairs: int | None,
        max_pairs_per_concept: int | None,
    ) -> None:
        self.max_sentences = max_sentences
        self.max_tokens = max_tokens
        self.max_pairs = max_pairs
        self.max_pairs_per_concept = max_pairs_per_concept
        self._warned = False

    def __call__(
        self, doc: Doc, entities: Sequence[Span], admitted: numpy.ndarray
    ) -> tuple[numpy.ndarray, Mapping[str, numpy.ndarray]]:
        starts = numpy.asarray([span.start for span in entities], dtype="int64")
        ends = numpy.asarray([span.end for span in entities], dtype="int64")
        left_out: dict[str, numpy.ndarray] = {}
        kept = admitted
        if self.max_sentences is not None and self._has_sentences(doc, entities):
            sentence = sentence_ids(doc)
            first = numpy.minimum.outer(sentence[starts], sentence[starts])
            last = numpy.maximum.outer(sentence[ends - 1], sentence[ends - 1])
            near = last - first < self.max_sentences
            left_out["sentences"] = kept & ~near
            kept = kept & near
        later_start = numpy.maximum.outer(starts, starts)
        earlier_end = numpy.minimum.outer(ends, ends)
        between = numpy.maximum(later_start - earlier_end, 0)
        if self.max_tokens is not None:
            near = between <= self.max_tokens
            left_out["tokens"] = kept & ~near
            kept = kept & near
        pairs = numpy.argwhere(kept)
        if self.max_pairs_per_concept is not None:
            distance = between[pairs[:, 0], pairs[:, 1]]
            pairs = pairs[numpy.argsort(distance, kind="stable")]
            near = self._nearest_of_concepts(entities, pairs)
            left_out["max_pairs_per_concept"] = _mask(pairs[~near], len(entities))
            pairs = pairs[near]
        if self.max_pairs is not None and len(pairs) > self.max_pairs:
            distance = between[pairs[:, 0], pairs[:, 1]]
            pairs = pairs[numpy.argsort(distance, kind="stable")]
            rest = pairs[self.max_pairs :]
            left_out["max_pairs"] = _mask(rest, len(entities))
            pairs = pairs[: self.max_pairs]
        return pairs, left_out

    def _nearest_of_concepts(
        self, entities: Sequence[Span], pairs: numpy.ndarray
    ) -> numpy.ndarray:
        """Which pairs, nearest first, are among the first of a pair of concepts."""
        assert self.max_pairs_per_concept is not None
        concepts = [concepts_of(span) for span in entities]
        seen: Counter = Counter()
        kept = numpy.ones(len(pairs), dtype=bool)
        for row, (s, o) in enumerate(pairs.tolist()):
            keys = [
                frozenset((subject, object_))
                for subject in concepts[s]
                for object_ in concepts[o]
            ]
            # A mention without id is a concept of its own.
            kept[row] = not keys or any(
                seen[key] < self.max_pairs_per_concept for key in keys
            )
            if kept[row]:
                seen.update(keys)
        return kept

    def _has_sentences(self, doc: Doc, entities: Sequence[Span]) -> bool:
        if doc.has_annotation("SENT_START"):
            return True
        if len(entities) > 1 and not self._warned:
            self._warned = True
            warnings.warn(
                "A Doc has no sentence boundaries, so all its entities are paired as "
                "if it were one sentence (said once). Add a component that sets them, "
                "such as 'sentencizer', before 'dual_relation_extractor' (and to "
                "training.annotating_components), or set max_sentences to null."
            )
        return False


def tokens_between(one: Span, other: Span) -> int:
    """RETURNS (int): How many tokens are between two spans; below 0 if they overlap."""
    return max(one.start, other.start) - min(one.end, other.end)


def sentence_ids(doc: Doc) -> numpy.ndarray:
    """RETURNS (ndarray): For every token the index of its sentence, int, (n_tokens,).
    All 0 where the Doc has no sentence boundaries.
    """
    if not doc.has_annotation("SENT_START"):
        return numpy.zeros(len(doc), dtype="int64")
    is_start = doc.to_array("SENT_START").astype("int64") == 1
    is_start[:1] = False
    return numpy.cumsum(is_start)


def _mask(pairs: numpy.ndarray, n: int) -> numpy.ndarray:
    mask = numpy.zeros((n, n), dtype=bool)
    mask[pairs[:, 0], pairs[:, 1]] = True
    return mask
