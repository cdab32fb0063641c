"""Relations, and where they live on a Doc.

Relations are stored in a span group, `doc.spans["relations"]`, as alternating
subject and object spans; `doc._.relations` is a view of that group. Every span
keeps its entity type as label. The subject's `kb_id` holds the predicate, the
object's `kb_id` the score, because label and `kb_id` are what all of spaCy's ways to
copy, merge and store a Doc keep; the entity's own `kb_id` travels in the span's `id`
(which JSON and spaCy's augmenters drop).
"""

import struct
import warnings
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import srsly
from spacy.tokens import Doc, Span, SpanGroup

DEFAULT_KEY = "relations"
# Scores become strings of the vocabulary. Four decimals bound their number to 10,001,
# so a long-running pipeline does not grow with every relation it finds.
SCORE_DECIMALS = 4
# A span in the bytes of a SpanGroup: id, kb_id, label, tokens, characters (from, to).
SPAN_FORMAT = ">QQQllll"


class Relation(NamedTuple):
    """A predicate that holds between two spans of one Doc.

    subject (Span): The subject, with its entity type as label.
    object (Span): The object, with its entity type as label.
    label (str): The predicate.
    score (float): The probability of the predicate for this pair, in [0, 1]. On a Doc
        it is kept to four decimals.
    """

    subject: Span
    object: Span
    label: str
    score: float = 1.0

    @property
    def fact(self) -> tuple[int, int, int, int, str]:
        """RETURNS (Tuple[int, int, int, int, str]): What it says, whatever its score
        and the ids of its spans: their tokens and the label.
        """
        subject, object_ = self.subject, self.object
        return (subject.start, subject.end, object_.start, object_.end, self.label)

    def __str__(self) -> str:
        return f"({self.subject.text}, {self.label}, {self.object.text})"


RelationLike = Relation | tuple[Span, Span, str] | tuple[Span, Span, str, float]


def set_relations(
    doc: Doc, relations: Iterable[RelationLike], key: str = DEFAULT_KEY
) -> None:
    """Replace the relations of a Doc.

    doc (Doc): The Doc to write to.
    relations (Iterable[Relation]): The relations, as `Relation` or as tuples
        `(subject, object, label)` or `(subject, object, label, score)`.
    key (str): The key of the span group in `doc.spans`.
    RAISES (ValueError): If a span is not of this Doc, a label is empty, or a score is
        not between 0 and 1. The Doc then keeps the relations it had.
    """
    spans: list[Span] = []
    for relation in sorted({Relation(*item) for item in relations}, key=_position):
        subject, object_, label, score = relation
        if subject.doc is not doc or object_.doc is not doc:
            raise ValueError(
                f"Can't set relation {relation}: its spans belong to another Doc. "
                "Make them from the Doc that you set the relations on."
            )
        if not label or not isinstance(label, str):
            raise ValueError(
                f"Can't set a relation between '{subject}' and '{object_}': its label "
                f"must be a non-empty string, but is {label!r}."
            )
        if not 0 <= score <= 1:
            raise ValueError(
                f"Can't set relation {relation}: its score must be between 0 and 1, "
                f"but is {score!r}."
            )
        spans.append(_stored(subject, label))
        spans.append(_stored(object_, f"{score:.{SCORE_DECIMALS}f}"))
    doc.spans[key] = SpanGroup(doc, name=key, spans=spans)


def get_relations(doc: Doc, key: str = DEFAULT_KEY) -> tuple[Relation, ...]:
    """Read the relations of a Doc.

    A relation whose tokens were changed since it was set (by the retokenizer) is
    found again through its character offsets where they still are token boundaries,
    and left out with a warning where they are not.

    doc (Doc): The Doc to read from.
    key (str): The key of the span group in `doc.spans`.
    RETURNS (Tuple[Relation, ...]): The relations, sorted by the position of the
        subject, then of the object, then by label.
    RAISES (ValueError): If the span group does not hold relations.
    """
    if key not in doc.spans:
        return ()
    group = doc.spans[key]
    if len(group) % 2:
        raise ValueError(
            f"doc.spans['{key}'] holds {len(group)} spans, but relations are stored as "
            "alternating subject and object spans. Was it written by something else? "
            "Choose another `relations_key`."
        )
    relations = []
    lost = 0
    for i in range(0, len(group), 2):
        subject, object_ = _current(group, i), _current(group, i + 1)
        if subject is None or object_ is None:
            lost += 1
            continue
        try:
            score = float(object_.kb_id_)
        except ValueError:
            raise ValueError(
                f"doc.spans['{key}'] does not hold relations: expected a score in the "
                f"kb_id of '{object_}', but found {object_.kb_id_!r}. Set relations "
                f"with `doc._.{key} = [...]` or `spacy_dualre.set_relations`."
            ) from None
        label = subject.kb_id_
        relations.append(Relation(_entity(subject), _entity(object_), label, score))
    if lost:
        warnings.warn(
            f"{lost} relations in doc.spans['{key}'] were left out: the Doc was "
            "retokenized and their spans are no longer at token boundaries."
        )
    return tuple(sorted(relations, key=_position))


def install_extension(key: str = DEFAULT_KEY) -> None:
    """Make the relations in `doc.spans[key]` available as `doc._.<key>`.

    An extension of that name which another package has set is left as it is.

    key (str): The key of the span group, and the name of the extension.
    """
    if not Doc.has_extension(key):
        Doc.set_extension(
            key,
            getter=partial(get_relations, key=key),
            setter=partial(set_relations, key=key),
        )
        return
    getter: object | None = Doc.get_extension(key)[2]
    if not (isinstance(getter, partial) and getter.func is get_relations):
        warnings.warn(
            f"doc._.{key} belongs to another package and is left as it is. The "
            f"relations are in doc.spans['{key}']; read them with `spacy_dualre."
            f"get_relations(doc, '{key}')`, or set another `relations_key`."
        )


def _position(relation: Relation) -> tuple[int | str | float, ...]:
    subject, object_, label, score = relation
    return (
        *(subject.start, subject.end, object_.start, object_.end),
        *(label, subject.label_, object_.label_, score),
    )


def _stored(span: Span, kb_id: str) -> Span:
    """A copy of an entity span that carries `kb_id` as well as its own type and id."""
    doc, start, end = span.doc, span.start, span.end
    return Span(doc, start, end, label=span.label, kb_id=kb_id, span_id=span.kb_id)


def _entity(span: Span) -> Span:
    """The entity span that `_stored` was given."""
    return Span(span.doc, span.start, span.end, label=span.label, kb_id=span.id)


def _current(group: SpanGroup, i: int) -> Span | None:
    """The i-th span of a group, or None where retokenizing has left it stale."""
    doc = group.doc
    try:
        span = group[i]
    except IndexError:  # the Doc has fewer tokens now
        stored = srsly.msgpack_loads(group.to_bytes())["spans"][i]
        id_, kb_id, label, _, _, start, end = struct.unpack(SPAN_FORMAT, stored)
        return doc.char_span(start, end, label=label, kb_id=kb_id, span_id=id_)
    start_char, end_char = span.start_char, span.end_char
    last = doc[span.end - 1]
    if doc[span.start].idx == start_char and last.idx + len(last) == end_char:
        return span
    return doc.char_span(
        start_char, end_char, label=span.label, kb_id=span.kb_id, span_id=span.id
    )
