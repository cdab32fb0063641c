"""Docs from text and character offsets; gold annotation on them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from ..relations import Relation, set_relations
from .report import CHANGED, MERGED, NOTED, SplitReport

ENTITIES_KEY = "entities"
# Start, end, label and concept of a span.
Position = tuple[int, int, str, str]


class Mention(NamedTuple):
    """A mention of an entity in a text.

    start (int): The offset of its first character.
    end (int): The offset behind its last character.
    label (str): The entity type.
    kb_id (str): The concept it refers to; several are joined with ",".
    id (str): Its own id in the dataset.
    """

    start: int
    end: int
    label: str
    kb_id: str = ""
    id: str = ""


def make_doc(
    nlp: Language,
    text: str,
    mentions: Sequence[Mention],
    doc_id: str,
    report: SplitReport,
) -> Doc:
    """Make a Doc with mentions at any character offsets. Where a mention begins or ends
    inside a token, the token is split there.

    nlp (Language): The pipeline whose tokenizer is used.
    text (str): The text.
    mentions (Sequence[Mention]): The mentions. They may nest, overlap and be identical.
    doc_id (str): The document's id, for `doc.user_data["doc_id"]`.
    report (SplitReport): Records mentions that split a token.
    RETURNS (Doc): A Doc of exactly this text, with the mentions as spans in the same
        order in `doc.spans["entities"]`, and those that do not overlap in `doc.ents`.
    RAISES (ValueError): If a mention does not lie in the text.
    """
    for mention in mentions:
        if not 0 <= mention.start < mention.end <= len(text):
            raise ValueError(
                f"Document {doc_id}: a mention from {mention.start} to {mention.end} "
                f"does not lie in a text of {len(text)} characters."
            )
    starts = {mention.start for mention in mentions}
    ends = {mention.end for mention in mentions}
    words: list[str] = []
    spaces: list[bool] = []
    inside = set()  # offsets within tokens at which mentions begin or end
    for token in nlp.tokenizer(text):
        begin, end = token.idx, token.idx + len(token)
        cuts = [i for i in range(begin + 1, end) if i in starts or i in ends]
        inside.update(cuts)
        for left, right in zip([begin, *cuts], [*cuts, end]):
            words.append(text[left:right])
            spaces.append(False)
        if token.whitespace_:
            # A Doc hides a space behind the token before it, unless a mention has it.
            if end in starts or end + 1 in ends:
                words.append(" ")
                spaces.append(False)
            else:
                spaces[-1] = True
    doc = Doc(nlp.vocab, words=words, spaces=spaces)
    if doc.text != text:
        raise ValueError(f"Document {doc_id}: the tokens do not add up to the text.")
    first = {token.idx: token.i for token in doc}
    last = {token.idx + len(token): token.i + 1 for token in doc}
    positions = [(first[mention.start], last[mention.end]) for mention in mentions]
    for mention in mentions:
        if mention.start in inside or mention.end in inside:
            report.record(CHANGED, "mention", "split a token at its edge", doc_id)
    add_mentions(doc, mentions, positions, doc_id, report)
    return doc


def add_mentions(
    doc: Doc,
    mentions: Sequence[Mention],
    positions: Sequence[tuple[int, int]],
    doc_id: str,
    report: SplitReport,
) -> None:
    """Put mentions on a Doc.

    doc (Doc): The Doc to write to.
    mentions (Sequence[Mention]): The mentions; their offsets are not looked at.
    positions (Sequence[Tuple[int, int]]): First token of each and the one behind it.
    doc_id (str): The document's id, for `doc.user_data["doc_id"]`.
    report (SplitReport): Records mentions that have no place in `doc.ents`.
    RAISES (ValueError): If a type is empty, or a type or id is not a string.
    """
    for _, _, label, kb_id, id_ in mentions:
        # To spaCy a number is the hash of some string.
        if not label or not all(isinstance(item, str) for item in (label, kb_id, id_)):
            raise ValueError(
                "expected strings as type and identifiers of a mention, but found "
                f"{(label, kb_id, id_)}."
            )
    spans = [
        Span(doc, start, end, label=label, kb_id=kb_id, span_id=id_)
        for (_, _, label, kb_id, id_), (start, end) in zip(mentions, positions)
    ]
    doc.user_data["doc_id"] = doc_id
    doc.spans[ENTITIES_KEY] = spans
    doc.ents = filter_spans(spans)
    for _ in range(len(spans) - len(doc.ents)):
        report.record(NOTED, "mention", "not in doc.ents: overlaps a longer", doc_id)


def add_relations(
    doc: Doc, relations: Iterable[tuple[Span, Span, str]], report: SplitReport
) -> list[Relation]:
    """Put gold relations on a Doc.

    doc (Doc): The Doc to write to, with sentence boundaries.
    relations (Iterable[Tuple[Span, Span, str]]): Subjects, objects and labels.
    report (SplitReport): Records relations that are there twice, and those that cross a
        sentence boundary.
    RETURNS (List[Relation]): The relations, each once.
    """
    doc_id = doc.user_data["doc_id"]
    unique: dict[tuple[Position, Position, str], Relation] = {}
    labels: dict[tuple[Position, Position], set[str]] = defaultdict(set)
    sentence = sentence_indices(doc)
    for subject, object_, label in relations:
        pair = (_position(subject), _position(object_))
        key = (*pair, label)
        if key in unique:
            report.record(MERGED, "relation", "is there more than once", doc_id)
            continue
        labels[pair].add(label)
        unique[key] = Relation(subject, object_, label)
        if sentence[subject.start] != sentence[object_.start]:
            report.record(NOTED, "relation", "crosses a sentence boundary", doc_id)
    for several in labels.values():
        if len(several) > 1:
            report.record(NOTED, "pair", "has more than one label", doc_id)
    set_relations(doc, unique.values())
    return list(unique.values())


def sentence_indices(doc: Doc) -> numpy.ndarray:
    """RETURNS (ndarray): For each token the number of its sentence."""
    return numpy.cumsum(doc.to_array("SENT_START") == 1)


def _position(span: Span) -> Position:
    return (span.start, span.end, span.label_, span.kb_id_)
