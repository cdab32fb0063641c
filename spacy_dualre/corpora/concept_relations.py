"""Relations between concepts, put on the pairs of their mentions."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spacy.tokens import Doc, Span

from ..spans import ENTITIES_KEY
from .docs import add_relations, add_unknown, sentence_indices
from .report import LOST, MERGED, NOTED, SplitReport


class ConceptRelation(NamedTuple):
    """A relation between two concepts of a document.

    subject (str): The identifier of the subject.
    object (str): The identifier of the object.
    label (str): The predicate.
    novelty (str): Whether it is new, in the dataset's own words.
    """

    subject: str
    object: str
    label: str
    novelty: str = ""


def relate_concepts(
    doc: Doc,
    relations: Sequence[ConceptRelation],
    report: SplitReport,
    *,
    directed: bool = False,
    unrelated_types: Iterable[str] = (),
    unknown: Iterable[tuple[str, str]] = (),
) -> None:
    """Put relations between concepts on a Doc: as such in
    `doc.user_data["concept_relations"]`, a list of `[identifier1, identifier2, label,
    type1, type2, novelty]`, and on every pair of a mention of the one and a mention of
    the other concept.

    doc (Doc): The Doc, with mentions, whose `kb_id_` has the identifiers, joined with
        ",".
    relations (Sequence[ConceptRelation]): The relations.
    report (SplitReport): Records relations that have no mentions.
    directed (bool): Whether subject and object differ. Otherwise the mention that comes
        first in the text is the subject.
    unrelated_types (Iterable[str]): Types whose mentions take no part in relations.
    unknown (Iterable[Tuple[str, str]]): Concepts of which nobody knows whether they are
        related.
    """
    doc_id = doc.user_data["doc_id"]
    sentence = sentence_indices(doc)
    spans = list(doc.spans[ENTITIES_KEY])
    # identifier -> type -> mentions
    concepts: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, span in enumerate(spans):
        if span.kb_id_ and span.label_ not in unrelated_types:
            for identifier in span.kb_id_.split(","):
                concepts[identifier][span.label_].append(i)

    def mention_pairs(ids: tuple[str, str]) -> dict[tuple[Span, Span], None]:
        found: dict[tuple[Span, Span], None] = {}
        first, second = (next(iter(concepts[id_].values())) for id_ in ids)
        for i in first:
            for j in second:
                if spans[i] != spans[j]:
                    pair = [spans[i], spans[j]]
                    if not directed:
                        pair.sort(key=_offsets)
                    found[pair[0], pair[1]] = None
        return found

    rows: dict[tuple[str, ...], None] = {}
    related: dict[tuple[Span, Span, str], None] = {}
    report.rows["relation"] += len(relations)
    for relation in relations:
        ids = (relation.subject, relation.object)
        if not all(id_ in concepts for id_ in ids):
            report.record(LOST, "relation", "a concept has no mention", doc_id)
            continue
        if any(len(concepts[id_]) > 1 for id_ in ids):
            report.record(LOST, "relation", "an identifier has several types", doc_id)
            continue
        type1, type2 = (next(iter(concepts[id_])) for id_ in ids)
        row = (*ids, relation.label, type1, type2, relation.novelty)
        if row in rows:
            report.record(MERGED, "relation", "is there more than once", doc_id)
            continue
        rows[row] = None
        if ids[0] == ids[1]:
            report.record(NOTED, "concept relation", "of a concept with itself", doc_id)
        pairs = mention_pairs(ids)
        for pair in pairs:
            related[(*pair, relation.label)] = None
        if not any(sentence[s.start] == sentence[o.start] for s, o in pairs):
            report.record(
                NOTED, "concept relation", "has no mention pair in one sentence", doc_id
            )
    doc.user_data["concept_relations"] = [list(row) for row in rows]
    add_relations(doc, related, report)
    undecided = [
        pair
        for ids in unknown
        if all(len(concepts.get(id_, ())) == 1 for id_ in ids)
        for pair in mention_pairs(ids)
    ]
    add_unknown(doc, undecided, report)


def split_identifiers(text: str) -> tuple[str, bool]:
    """Remove blanks around the identifiers of a mention.

    text (str): Identifiers, joined with ",".
    RETURNS (Tuple[str, bool]): The same without blanks, and whether there were any.
    """
    stripped = ",".join(part.strip() for part in text.split(","))
    return stripped, stripped != text


def _offsets(span: Span) -> tuple[int, int]:
    return (span.start, span.end)
