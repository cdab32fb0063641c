"""Dropped pairs: why two spans of a Doc are no candidate pair."""

from collections.abc import Sequence
from typing import NamedTuple

from spacy.tokens import Span

from ..predicates import Predicate
from .candidates import Candidates, PairFinder, source_of

SENTENCES = {
    "entity": "'{span}' is no entity of the Doc. Entities are read from {source}.",
    "same mention": "Subject and object are the same mention.",
    "order": "Only symmetric predicates admit {types}. They are asked once for both "
    "directions, in the order of the text: swap subject and object.",
    "signature": "No signature admits {types}: {signatures}.",
    "sentences": "The pair touches more sentences than max_sentences ({limit}).",
    "tokens": "More tokens lie between the spans than max_tokens ({limit}).",
    "max_pairs": "The Doc has more pairs than max_pairs ({limit}), and others are "
    "nearer together.",
    "max_pairs_per_concept": "Other mentions of the same two concepts are nearer "
    "together, and max_pairs_per_concept is {limit}.",
}


class Dropped(NamedTuple):
    """Why a pair is no candidate.

    rule (str): "entity" (a span is none), "same mention", "signature" (none admits the
        types), "order" (symmetric predicates are asked the other way round), or as the
        candidate rule names it: "sentences", "tokens", "max_pairs",
        "max_pairs_per_concept" or a name of its own.
    sentence (str): The same in words.
    """

    rule: str
    sentence: str


def why_dropped(
    found: Candidates,
    find_pairs: PairFinder,
    spans_key: str | None,
    subject: Span,
    object_: Span,
) -> Dropped | None:
    """Find why two spans are no candidate pair.

    found (Candidates): The candidates of their Doc.
    find_pairs (PairFinder): The rule that chose them.
    spans_key (Optional[str]): Where the entities are, as in `get_entities`.
    subject (Span): The subject.
    object_ (Span): The object.
    RETURNS (Optional[Dropped]): The reason, or None if they are one.
    """
    s, o = (find_entity(found.entities, span) for span in (subject, object_))
    if -1 in (s, o) or s == o:
        rule: str | None = "entity" if -1 in (s, o) else "same mention"
    else:
        rule = found.reason(s, o)
    if rule is None:
        return None
    types = [
        found.type_of(span if i == -1 else found.entities[i]) or "no type"
        for i, span in ((s, subject), (o, object_))
    ]
    signatures = [_signature(predicate) for predicate in found.predicates[1:]]
    setting = {"sentences": "max_sentences", "tokens": "max_tokens"}.get(rule, rule)
    sentence = SENTENCES.get(rule, "The candidate rule left it out: {rule}.").format(
        span=f"{subject.text if s == -1 else object_.text:.200}",
        source=source_of(spans_key),
        types=" -> ".join(types),
        signatures="; ".join(signatures[:10]) + ("; ..." if signatures[10:] else ""),
        limit=getattr(find_pairs, setting, None),
        rule=rule,
    )
    return Dropped(rule, sentence)


def find_entity(entities: Sequence[Span], span: Span) -> int:
    """RETURNS (int): Which entity is in the place of a span, of the same type if there
    are several, or -1."""
    place = (span.start, span.end)
    same = [i for i, e in enumerate(entities) if (e.start, e.end) == place]
    typed = [i for i in same if entities[i].label == span.label]
    return (typed or same or [-1])[0]


def _signature(predicate: Predicate) -> str:
    subjects, objects = (
        "|".join(types) or "any"
        for types in (predicate.subject_types, predicate.object_types)
    )
    return f"{predicate.label} takes {subjects} -> {objects}"
