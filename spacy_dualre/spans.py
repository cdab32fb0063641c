"""The spans of a span group, also after the Doc was retokenized.

A group keeps the positions that its spans had when they were put there, and the
retokenizer leaves these as they are: other tokens, or none, can be there then. The
offsets of the characters stay right.
"""

import struct
import warnings
from collections import Counter

import srsly
from spacy.tokens import Doc, Span, SpanGroup

# A span in the bytes of a SpanGroup: id, kb_id, label, tokens, characters (from, to).
SPAN_FORMAT = ">QQQllll"
# Where converters put all mentions, each with its own id in the file.
ENTITIES_KEY = "entities"
EMPTY = "empty"
MOVED = "not at token boundaries since the Doc was retokenized"


def get_spans(doc: Doc, spans_key: str | None) -> list[Span]:
    """Read the spans of a Doc that hold its entities.

    doc (Doc): The Doc.
    spans_key (Optional[str]): A span group, or None for `doc.ents`.
    RETURNS (List[Span]): The spans. Those that can't be entities are left out with a
        warning: they are empty, or no longer at token boundaries.
    """
    if spans_key is None:
        return list(doc.ents)
    if spans_key not in doc.spans:
        return []
    spans, lost = find_spans(doc.spans[spans_key])
    if lost:
        reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(lost.items()))
        warnings.warn(
            f"Spans in doc.spans['{spans_key}'] are no entities and were left out: "
            f"{reasons}."
        )
    return [span for span in spans if span is not None]


def find_spans(group: SpanGroup) -> tuple[list[Span | None], Counter[str]]:
    """Find the spans of a group where the Doc has them now.

    group (SpanGroup): The group.
    RETURNS (Tuple[List[Optional[Span]], Counter]): For each span itself, or the span at
        the same characters, or None where that has no tokens of its own; and how many
        are None, by reason.
    """
    spans = [_find_span(group, i) for i in range(len(group))]
    lost = Counter(span for span in spans if isinstance(span, str))
    return [None if isinstance(span, str) else span for span in spans], lost


def is_current(span: Span) -> bool:
    """RETURNS (bool): Whether a span has tokens, at the same characters as when it was
    made.
    """
    doc, start, end = span.doc, span.start, span.end
    if not 0 <= start < end <= len(doc):
        return False
    last = doc[end - 1]
    return bool(
        doc[start].idx == span.start_char and last.idx + len(last) == span.end_char
    )


def _find_span(group: SpanGroup, i: int) -> Span | str:
    """The i-th span of a group where it is now, or the reason why it is nowhere."""
    doc = group.doc
    try:
        span = group[i]
        id_, kb_id, label = span.id, span.kb_id, span.label
        start, end = span.start_char, span.end_char
    except IndexError:  # the Doc has fewer tokens now
        stored = srsly.msgpack_loads(group.to_bytes())["spans"][i]
        id_, kb_id, label, _, _, start, end = struct.unpack(SPAN_FORMAT, stored)
    else:
        if is_current(span):
            return span
    if start >= end:
        return EMPTY
    moved = doc.char_span(start, end, label=label, kb_id=kb_id, span_id=id_)
    return MOVED if moved is None else moved
