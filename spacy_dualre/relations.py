"""Relations, and where they live on a Doc.

Relations are stored in a span group, `doc.spans["relations"]`, as alternating
subject and object spans; `doc._.relations` is a view of that group. Every span
keeps its entity type as label. The subject's `kb_id` holds the predicate, the
object's `kb_id` the score, because label and `kb_id` are what all of spaCy's ways to
copy, merge and store a Doc keep; the entity's own `kb_id` and `id` travel in the span's
`id` (which JSON and spaCy's augmenters drop).
"""

import warnings
from collections.abc import Iterable
from functools import partial
from numbers import Real
from typing import Any, NamedTuple

from spacy.tokens import Doc, Span, SpanGroup

from .spans import find_spans, is_current

DEFAULT_KEY = "relations"
# Scores become strings of the vocabulary. Four decimals bound their number to 10,001,
# so a long-running pipeline does not grow with every relation it finds.
SCORE_DECIMALS = 4
# Between an entity's kb_id and its id, where it has an id: the unit separator of ASCII,
# which no kb_id has.
ID_SEPARATOR = "\x1f"


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
    RAISES (ValueError): If something else is given, a span is empty or not of this Doc
        as it is, a label is no string or empty, or a score is not between 0 and 1. The
        Doc then keeps the relations it had.
    """
    spans: list[Span] = []
    for relation in sorted({_check(item, doc) for item in relations}, key=_position):
        subject, object_, label, score = relation
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
    spans, _ = find_spans(group)
    relations = []
    lost = 0
    for subject, object_ in zip(spans[::2], spans[1::2]):
        if subject is None or object_ is None:
            lost += 1
            continue
        try:
            score = float(object_.kb_id_)
        except ValueError:
            raise ValueError(
                f"doc.spans['{key}'] does not hold relations: expected a score in the "
                f"kb_id of '{object_!s:.100}', but found {object_.kb_id_!r:.100}. Set "
                f"relations with `doc._.{key} = [...]` or `spacy_dualre.set_relations`."
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


def _check(item: Any, doc: Doc) -> Relation:
    if not isinstance(item, tuple | list) or len(item) not in (3, 4):
        raise ValueError(
            f"Can't set {item!r:.200} as a relation: expected (subject, object, label) "
            "or (subject, object, label, score)."
        )
    relation = Relation(*item)
    subject, object_, label, score = relation
    problem = _problem(subject, doc) or _problem(object_, doc)
    if not isinstance(label, str) or not label:
        problem = f"its label must be a non-empty string, but is {label!r:.100}"
    elif not isinstance(score, Real) or not 0 <= score <= 1:
        problem = f"its score must be between 0 and 1, but is {score!r:.100}"
    if problem:
        raise ValueError(f"Can't set the relation {tuple(item)!r:.300}: {problem}.")
    return relation


def _problem(span: Any, doc: Doc) -> str:
    if not isinstance(span, Span):
        return f"expected spans of the Doc, but {span!r:.100} is none"
    if span.doc is not doc:
        return "its spans belong to another Doc; make them from this one"
    if span.start >= span.end:
        return "a span of it is empty"
    if not is_current(span):
        return "the Doc was retokenized since its spans were made"
    return ""


def _position(relation: Relation) -> tuple[int | str | float, ...]:
    subject, object_, label, score = relation
    return (
        *(subject.start, subject.end, object_.start, object_.end),
        *(label, subject.label_, object_.label_, score),
    )


def _stored(span: Span, kb_id: str) -> Span:
    """A copy of an entity span that carries `kb_id` as well as its own type and ids."""
    ids = f"{span.kb_id_}{ID_SEPARATOR}{span.id_}" if span.id else span.kb_id
    doc, start, end = span.doc, span.start, span.end
    return Span(doc, start, end, label=span.label, kb_id=kb_id, span_id=ids)


def _entity(span: Span) -> Span:
    """The entity span that `_stored` was given."""
    kb_id: int | str = span.id
    id_: int | str = 0
    try:
        ids = span.id_
    except KeyError:  # a number that stands for no string
        ids = ""
    if ID_SEPARATOR in ids:
        kb_id, _, id_ = ids.partition(ID_SEPARATOR)
    return Span(
        span.doc, span.start, span.end, label=span.label, kb_id=kb_id, span_id=id_
    )
