"""Alignment: from the spans of one side of an example to those of the other.

The predicted and the gold Doc of an example can have other tokens, white space and
case. As in spaCy's own scorers a span is found again where its tokens are, not where
its characters are.
"""

from collections.abc import Callable

import numpy
from spacy.tokens import Doc, Span
from spacy.training import Example

SpanAligner = Callable[[Span], Span | None]


def align_to_predicted(example: Example) -> SpanAligner:
    """Build a function that finds gold spans in the predicted Doc.

    example (Example): The example.
    RETURNS (Callable[[Span], Optional[Span]]): Takes a span of the gold Doc; returns
        that of the predicted Doc, with its type and ids, or None where no tokens are
        exactly those of the span.
    """
    return _aligner(example, to_predicted=True)


def align_to_gold(example: Example) -> SpanAligner:
    """Build a function that finds predicted spans in the gold Doc.

    example (Example): The example.
    RETURNS (Callable[[Span], Optional[Span]]): As in `align_to_predicted`, the other
        way round.
    """
    return _aligner(example, to_predicted=False)


def align_sentence_starts(example: Example) -> list[bool]:
    """Find the gold sentence boundaries in the predicted Doc.

    example (Example): The example. Its gold Doc has sentence boundaries.
    RETURNS (List[bool]): For each token of the predicted Doc whether it starts a
        sentence: the first that any token of a gold sentence is aligned with.
    """
    starts = [False] * len(example.predicted)
    to_predicted = example.alignment.y2x
    for sentence in example.reference.sents:
        aligned = to_predicted[sentence.start : sentence.end]
        if len(aligned):
            starts[int(aligned[0])] = True
    return starts


def _aligner(example: Example, to_predicted: bool) -> SpanAligner:
    source, target = example.reference, example.predicted
    if not to_predicted:
        source, target = target, source
    same_tokens = _same_tokens(source, target)

    def align(span: Span) -> Span | None:
        start, end = span.start, span.end
        if not same_tokens:
            alignment = example.alignment
            forth, back = alignment.y2x, alignment.x2y
            if not to_predicted:
                forth, back = back, forth
            there = forth[start:end]
            if not len(there):
                return None
            # White space is aligned with nothing.
            own = {i for i in range(start, end) if len(forth[i])}
            start, end = int(there[0]), int(there[-1]) + 1
            if set(numpy.asarray(back[start:end]).tolist()) != own:
                return None
        return Span(
            target, start, end, label=span.label, kb_id=span.kb_id, span_id=span.id
        )

    return align


def _same_tokens(one: Doc, other: Doc) -> bool:
    if one is other:
        return True
    return len(one) == len(other) and bool(
        (one.to_array("ORTH") == other.to_array("ORTH")).all()
    )
