"""Gold annotation: which predicate each candidate pair of an example has."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import filter_spans

from .candidates import Candidates, get_entities
from .predicates import NO_RELATION, Predicate
from .relations import Relation, get_relations


class Gold(NamedTuple):
    """The gold predicates of the candidate pairs of one Doc.

    labels (ndarray): The index of each pair's predicate, 0 for no relation, (P,).
    lost (Mapping[str, int]): Gold relations that no candidate stands for, by reason:
        "label" (no such predicate), "entity" (the Doc lacks one), "signature" (it does
        not allow the types) or "distance" (the pair is no candidate).
    total (int): How many gold relations the Doc has.
    """

    labels: numpy.ndarray
    lost: Mapping[str, int]
    total: int

    @property
    def further(self) -> int:
        """RETURNS (int): Gold relations between pairs that have another one already."""
        return self.total - sum(self.lost.values()) - int((self.labels > 0).sum())


def gold_relations(example: Example, relations_key: str) -> list[Relation]:
    """Read the gold relations of an example.

    example (Example): The example.
    relations_key (str): Where the relations are.
    RETURNS (List[Relation]): The relations of the gold Doc. An explicit "no_relation"
        is none.
    """
    relations = get_relations(example.reference, relations_key)
    return [relation for relation in relations if relation.label != NO_RELATION]


def find_gold(
    example: Example,
    found: Candidates,
    predicates: Sequence[Predicate],
    relations_key: str,
) -> Gold:
    """Find the gold predicate of each candidate pair.

    example (Example): The example.
    found (Candidates): The candidates of its predicted Doc.
    predicates (Sequence[Predicate]): R + 1 predicates, "no_relation" first.
    relations_key (str): Where the gold relations are.
    RETURNS (Gold): The gold predicates.
    """
    labels = numpy.zeros(len(found.pairs), dtype="int64")
    lost: Counter = Counter()
    rows = found.rows()
    index = {predicate.label: r for r, predicate in enumerate(predicates)}
    by_type = {(e.start, e.end, e.label_): i for i, e in enumerate(found.entities)}
    by_span = {(e.start, e.end): i for i, e in enumerate(found.entities)}
    relations = gold_relations(example, relations_key)
    align = aligner(example)
    for relation in relations:
        pair: list[int] = []
        for span in (align(relation.subject), align(relation.object)):
            if span is not None:
                at = (span.start, span.end)
                entity = by_type.get((*at, span.label_), by_span.get(at, -1))
                pair.append(entity)
        label = index.get(relation.label)
        if label is None:
            lost["label"] += 1
        elif len(pair) < 2 or -1 in pair:
            lost["entity"] += 1
        elif not predicates[label].admits(*(found.entities[i].label_ for i in pair)):
            lost["signature"] += 1
        else:
            if predicates[label].symmetric:
                pair.sort()
            row = rows.get((pair[0], pair[1]))
            if row is None:
                lost["distance"] += 1
            elif labels[row] == 0:
                labels[row] = label
    return Gold(labels, lost, len(relations))


def copy_gold_entities(
    examples: Iterable[Example], spans_key: str | None
) -> list[Example]:
    """Copy entities and sentence boundaries from the gold Doc of each example to its
    predicted Doc, where no component has set them.

    examples (Iterable[Example]): The examples.
    spans_key (Optional[str]): Where the entities are, as in `get_entities`.
    RETURNS (List[Example]): Changed copies; examples that lack nothing are returned as
        they are.
    """
    result = []
    for example in examples:
        gold = example.reference
        needs = lacks_entities(example.predicted, spans_key)
        if not needs or lacks_entities(gold, spans_key):
            result.append(example)
            continue
        example = Example(example.predicted.copy(), gold)
        doc = example.predicted
        align = aligner(example)
        spans = [align(span) for span in get_entities(gold, spans_key)]
        aligned = [span for span in spans if span is not None]
        if spans_key is None:
            doc.ents = filter_spans(aligned)
        else:
            doc.spans[spans_key] = aligned
        has_sentences = doc.has_annotation("SENT_START")
        if gold.has_annotation("SENT_START") and not has_sentences:
            for token, start in zip(doc, example.get_aligned_sent_starts()):
                token.is_sent_start = start
        result.append(example)
    return result


def lacks_entities(doc: Doc, spans_key: str | None) -> bool:
    """Whether no component has looked for entities, which is not finding none.

    doc (Doc): The Doc.
    spans_key (Optional[str]): Where the entities are, as in `get_entities`.
    RETURNS (bool): True if there is no annotation.
    """
    if spans_key is None:
        return len(doc) > 0 and not doc.has_annotation("ENT_IOB")
    return spans_key not in doc.spans


def aligner(example: Example) -> Callable[[Span], Span | None]:
    """Build a function that finds gold spans in the predicted Doc.

    example (Example): The example.
    RETURNS (Callable[[Span], Optional[Span]]): Takes a span of the gold Doc; returns
        that of the predicted Doc, with its type and ids, or None where there is none
        with the same text.
    """
    doc, gold = example.predicted, example.reference
    same_tokens = doc.text == gold.text
    same_tokens = same_tokens and [t.idx for t in doc] == [t.idx for t in gold]

    def align(span: Span) -> Span | None:
        start, end = span.start, span.end
        if not same_tokens:
            aligned = example.get_aligned_spans_y2x([span], allow_overlap=True)
            if not aligned or aligned[0].text != span.text:
                return None
            start, end = aligned[0].start, aligned[0].end
        return Span(
            doc, start, end, label=span.label, kb_id=span.kb_id, span_id=span.id
        )

    return align
