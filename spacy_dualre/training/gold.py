"""Gold annotation: which predicate each candidate pair of an example has."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, cast

import numpy
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import filter_spans
from thinc.types import Ints2d

from ..alignment import align_sentence_starts, align_to_predicted
from ..pairs.candidates import Candidates, get_entities
from ..predicates import NO_RELATION
from ..relations import Relation, get_relations

# In the user data of a predicted Doc: its example is completed before it is scored.
TO_BE_COMPLETED = "spacy_dualre_to_be_completed"


class Gold(NamedTuple):
    """The gold predicates of the candidate pairs of one Doc.

    labels (ndarray): The index of each pair's first predicate, 0 for no relation, (P,).
    positive (ndarray): All the predicates of each pair; the first column is "no
        relation", bool, (P, R + 1).
    known (ndarray): The pairs that the annotation decides, bool, (P,).
    own (ndarray): The predicates that the Doc was annotated with, bool, (R + 1,).
    lost (Mapping[str, int]): Gold relations that no candidate stands for, by reason:
        "label" (no such predicate), "entity" (the Doc lacks one), "same mention" (as
        subject and object), "signature" (it does not allow the types) or why the pair
        is no candidate (see `Candidates.reasons`).
    unknown (Mapping[str, int]): Of those lost by "label", the labels.
    total (int): How many gold relations the Doc has, a symmetric one once, whichever
        way round.
    """

    labels: numpy.ndarray
    positive: numpy.ndarray
    known: numpy.ndarray
    own: numpy.ndarray
    lost: Mapping[str, int]
    unknown: Mapping[str, int]
    total: int

    @property
    def further(self) -> int:
        """RETURNS (int): Gold relations between pairs that have another one already."""
        return int(self.positive[:, 1:].sum()) - int((self.labels > 0).sum())


def gold_relations(example: Example, relations_key: str) -> list[Relation]:
    """Read the gold relations of an example.

    example (Example): The example.
    relations_key (str): Where the relations are.
    RETURNS (List[Relation]): The relations of the gold Doc. An explicit "no_relation"
        is none.
    """
    relations = get_relations(example.reference, relations_key)
    return [relation for relation in relations if relation.label != NO_RELATION]


def count_labels(examples: Iterable[Example], relations_key: str) -> Counter:
    """Count the labels of gold relations.

    examples (Iterable[Example]): The examples.
    relations_key (str): Where the relations are.
    RETURNS (Counter): How many relations have each label.
    """
    return Counter(
        relation.label
        for example in examples
        for relation in gold_relations(example, relations_key)
    )


def find_gold(example: Example, found: Candidates, relations_key: str) -> Gold:
    """Find the gold predicates of each candidate pair.

    example (Example): The example. The user data of its gold Doc may say with which
        "labels" it was annotated, that it is not "complete" (only the pairs that have a
        relation, "no_relation" included, are decided), or which pairs are unknown (see
        `unknown_pairs`).
    found (Candidates): Candidates of its predicted Doc.
    relations_key (str): Where the gold relations are.
    RETURNS (Gold): The gold predicates.
    """
    n = len(found.pairs)
    labels = numpy.zeros(n, dtype="int64")
    positive = numpy.zeros((n, len(found.predicates)), dtype=bool)
    decided = numpy.zeros(n, dtype=bool)
    lost: Counter = Counter()
    unknown: Counter = Counter()
    rows = found.rows()
    index = {predicate.label: r for r, predicate in enumerate(found.predicates)}
    by_type = {(e.start, e.end, e.label_): i for i, e in enumerate(found.entities)}
    by_span = {(e.start, e.end): i for i, e in enumerate(found.entities)}
    align = align_to_predicted(example)

    def entity_of(span: Span) -> int:
        aligned = align(span)
        if aligned is None:
            return -1
        at = (aligned.start, aligned.end)
        return by_type.get((*at, aligned.label_), by_span.get(at, -1))

    seen = set()
    for relation in get_relations(example.reference, relations_key):
        pair = [entity_of(relation.subject), entity_of(relation.object)]
        if relation.label == NO_RELATION:
            if (row := rows.get((pair[0], pair[1]))) is not None:
                decided[row] = True
            continue
        label = index.get(relation.label)
        spans = [(span.start, span.end, span.label) for span in relation[:2]]
        if label is not None and found.predicates[label].symmetric:
            spans.sort()
        if (fact := (*spans, relation.label)) in seen:
            continue
        seen.add(fact)
        if label is None:
            lost["label"] += 1
            unknown[relation.label] += 1
        elif -1 in pair:
            lost["entity"] += 1
        elif pair[0] == pair[1]:
            lost["same mention"] += 1
        elif not found.predicates[label].admits(
            *(found.type_of(found.entities[i]) for i in pair)
        ):
            lost["signature"] += 1
        else:
            if found.predicates[label].symmetric:
                pair.sort()
            row = rows.get((pair[0], pair[1]))
            if row is None:
                lost[found.reason(pair[0], pair[1]) or "not chosen"] += 1
            else:
                labels[row] = labels[row] or label
                positive[row, label] = decided[row] = True
    positive[:, 0] = labels == 0
    user_data = example.reference.user_data
    known = decided if user_data.get("complete") is False else numpy.ones(n, dtype=bool)
    for subject, object_ in unknown_pairs(example.reference):
        ends = entity_of(subject), entity_of(object_)
        known[[rows[pair] for pair in (ends, ends[::-1]) if pair in rows]] = False
    own = numpy.ones(len(found.predicates), dtype=bool)
    if user_data.get("labels") is not None:
        asked = {NO_RELATION, *user_data["labels"]}
        own = numpy.asarray(
            [predicate.label in asked for predicate in found.predicates]
        )
    return Gold(labels, positive, known, own, lost, unknown, len(seen))


def unknown_pairs(doc: Doc) -> Iterator[tuple[Span, Span]]:
    """Read the pairs of which an annotation says that it does not know their relation.

    doc (Doc): A gold Doc. `doc.user_data["unknown_pairs"]` has a row of four character
        offsets for each: start and end of the one span, and of the other.
    YIELDS (Tuple[Span, Span]): Both spans of each pair. It is unknown both ways round.
    """
    for s0, s1, o0, o1 in doc.user_data.get("unknown_pairs", ()):
        spans = doc.char_span(s0, s1), doc.char_span(o0, o1)
        if spans[0] is not None and spans[1] is not None:
            yield spans[0], spans[1]


def refuse_unknown_labels(
    name: str, unknown: Mapping[str, int], known: Iterable[str]
) -> None:
    """Refuse gold relations that would be taken for "no relation".

    name (str): The component's name.
    unknown (Mapping[str, int]): Labels without a predicate, and how often they are
        there.
    known (Iterable[str]): The labels of the predicates.
    RAISES (ValueError): If there are any.
    """
    if unknown:
        counts = ", ".join(f"{n} {label}" for label, n in sorted(unknown.items()))
        raise ValueError(
            f"The training data has relations that '{name}' has no predicate for: "
            f"{counts:.1000}. Add them to the predicates (known: "
            f"{', '.join(known):.1000}), or remove them from the data."
        )


def lacks_entities(doc: Doc, spans_key: str | None) -> bool:
    """Whether no component has looked for entities, which is not finding none.

    doc (Doc): The Doc.
    spans_key (Optional[str]): Where the entities are, as in `get_entities`.
    RETURNS (bool): True if there is no annotation.
    """
    if spans_key is None:
        return len(doc) > 0 and not doc.has_annotation("ENT_IOB")
    return spans_key not in doc.spans


def can_complete(example: Example, spans_key: str | None) -> bool:
    """Whether only the gold Doc of an example has entities.

    example (Example): The example.
    spans_key (Optional[str]): Where the entities are, as in `get_entities`.
    RETURNS (bool): True if `complete` would add any.
    """
    return lacks_entities(example.predicted, spans_key) and not lacks_entities(
        example.reference, spans_key
    )


def complete(example: Example, spans_key: str | None) -> Example:
    """Copy entities and sentence boundaries from the gold Doc of an example to a copy
    of its predicted Doc, where no component has set them.

    example (Example): The example.
    spans_key (Optional[str]): Where the entities are, as in `get_entities`.
    RETURNS (Example): The changed copy; the example itself if it lacks nothing.
    """
    if not can_complete(example, spans_key):
        return example
    example = Example(example.predicted.copy(), example.reference)
    doc, gold = example.predicted, example.reference
    # First, as the setter of an array would take entities for unset.
    if gold.has_annotation("SENT_START") and not doc.has_annotation("SENT_START"):
        set_sentence_starts(doc, align_sentence_starts(example))
    align = align_to_predicted(example)
    aligned = [align(span) for span in get_entities(gold, spans_key)]
    spans = [span for span in aligned if span is not None]
    if spans_key is None:
        doc.ents = filter_spans(spans)
    else:
        doc.spans[spans_key] = spans
    return example


def set_sentence_starts(doc: Doc, starts: Iterable[bool | int | None]) -> None:
    """Set all sentence boundaries of a Doc at once. One by one takes a time that is
    quadratic in the length of the Doc.

    doc (Doc): The Doc to write to.
    starts (Iterable[Optional[bool]]): For each token whether it starts a sentence.
    """
    values = [0 if start is None else 1 if start else -1 for start in starts]
    array = numpy.asarray(values, dtype="int64").view("uint64")
    if len(array):
        doc.from_array(["SENT_START"], cast(Ints2d, array[:, None]))
