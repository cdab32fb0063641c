"""Documents as the files of a format give them, and Docs made of them."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from ..predicates import NO_RELATION
from ..relations import Relation, set_relations
from ..spans import ENTITIES_KEY
from ..text_files import shorten
from .report import CHANGED, LOST, MERGED, NOTED, SplitReport
from .sentences import FULL_STOPS, find_sentences, set_sentences

# Start, end, label and concept of a span.
Position = tuple[int, int, str, str]


class Mention(NamedTuple):
    """A mention of an entity in a text.

    start (int): The offset of its first character.
    end (int): The offset behind its last character.
    label (str): The entity type.
    kb_id (str): The concept it refers to; several are joined with ",".
    id (str): Its own id in the dataset.
    text (Optional[str]): What the file says that its text is.
    """

    start: int
    end: int
    label: str
    kb_id: str = ""
    id: str = ""
    text: str | None = None


class Document(NamedTuple):
    """An annotated document, as the files of a format give it.

    id (str): Its id.
    text (str): Its text.
    mentions (Sequence[Mention]): The mentions. They may nest, overlap and be identical.
    relations (Sequence[Tuple[int, int, str]]): Subjects and objects, as positions in
        `mentions`, and labels. "no_relation" is a label, too.
    tokens (Optional[Sequence[Tuple[int, int]]]): Start and end of each token; None: the
        language's tokenizer finds them.
    sentences (Optional[Sequence[int]]): The offsets at which sentences begin; None:
        they are found by rule.
    paragraphs (Sequence[int]): Offsets at which a sentence begins in any case, such as
        that of an abstract behind its title.
    complete (bool): Whether each pair without relation is known to have none. False:
        only the pairs in `relations` were looked at.
    unknown (Sequence[Tuple[int, int]]): Pairs that were not looked at, as positions in
        `mentions`.
    labels (Optional[Sequence[str]]): The labels that were looked for. None: all.
    """

    id: str
    text: str
    mentions: Sequence[Mention]
    relations: Sequence[tuple[int, int, str]] = ()
    tokens: Sequence[tuple[int, int]] | None = None
    sentences: Sequence[int] | None = None
    paragraphs: Sequence[int] = ()
    complete: bool = True
    unknown: Sequence[tuple[int, int]] = ()
    labels: Sequence[str] | None = None


def make_doc(
    nlp: Language,
    document: Document,
    report: SplitReport,
    rule: Callable[[Doc], list[bool]] = find_sentences,
) -> Doc:
    """Make a Doc of a document. Where a mention begins or ends inside a token, the
    token is split there. White space at the edges of a mention is left out of it.

    nlp (Language): The pipeline whose tokenizer is used.
    document (Document): The document.
    report (SplitReport): Records what is not on the Doc as it is in the document.
    rule (Callable[[Doc], List[bool]]): Tells for each token whether a sentence begins
        there, where the document does not say it.
    RETURNS (Doc): A Doc of exactly this text, with the mentions as spans in the same
        order in `doc.spans["entities"]`, those that do not overlap in `doc.ents`, and
        the relations. `doc.user_data` has "doc_id", and where not all pairs were looked
        at, "complete" (False) or "unknown_pairs" (start and end of the subject and of
        the object, in characters).
    RAISES (ValueError): If an offset is none of the text, a type or id is no string, or
        there is no such mention.
    """
    doc_id, text = document.id, document.text
    _check(document)
    report.rows["mention"] += len(document.mentions)
    report.rows["relation"] += len(document.relations)
    trimmed = [_trim(mention, text, doc_id, report) for mention in document.mentions]
    mentions = [mention for mention in trimmed if mention is not None]
    doc = _tokenize(nlp, document, mentions, report)
    add_mentions(doc, mentions, doc_id, report)
    starts = [span.start for span in doc.spans[ENTITIES_KEY]]
    ends = [span.end for span in doc.spans[ENTITIES_KEY]]
    begins = _begins_at(doc, (*(document.sentences or ()), *document.paragraphs))
    if document.sentences is None:
        begins = [begin or given for begin, given in zip(rule(doc), begins)]
        report.record(NOTED, "document", "sentences were found by rule", doc_id)
    for _ in range(set_sentences(doc, begins, zip(starts, ends))):
        report.record(CHANGED, "sentence", "began inside a mention", doc_id)
    kept = iter(doc.spans[ENTITIES_KEY])
    spans = [None if mention is None else next(kept) for mention in trimmed]
    relations = []
    for s, o, label in document.relations:
        subject, object_ = spans[s], spans[o]
        if subject is None or object_ is None:
            report.record(LOST, "relation", "a mention of it is lost", doc_id)
        else:
            relations.append((subject, object_, label))
    add_relations(doc, relations, report)
    if document.labels is not None:
        doc.user_data["labels"] = list(document.labels)
    if not document.complete:
        doc.user_data["complete"] = False
        report.record(NOTED, "document", "only the listed pairs are decided", doc_id)
    add_unknown(doc, ((spans[s], spans[o]) for s, o in document.unknown), report)
    return doc


def add_mentions(
    doc: Doc, mentions: Sequence[Mention], doc_id: str, report: SplitReport
) -> None:
    """Put mentions on a Doc.

    doc (Doc): The Doc to write to, with token boundaries at those of the mentions.
    mentions (Sequence[Mention]): The mentions.
    doc_id (str): The document's id, for `doc.user_data["doc_id"]`.
    report (SplitReport): Records mentions that have no place in `doc.ents`.
    """
    starts, ends = _bounds(doc)
    spans = [
        Span(
            doc,
            bisect_left(starts, mention.start),
            bisect_left(ends, mention.end) + 1,
            label=mention.label,
            kb_id=mention.kb_id,
            span_id=mention.id,
        )
        for mention in mentions
    ]
    doc.user_data["doc_id"] = doc_id
    doc.spans[ENTITIES_KEY] = spans
    # Without the mention's own id: as that of a token it would be the entity's.
    ents = [
        Span(doc, span.start, span.end, label=span.label, kb_id=span.kb_id)
        for span in filter_spans(spans)
    ]
    doc.ents = ents
    for _ in range(len(spans) - len(ents)):
        report.record(NOTED, "mention", "not in doc.ents: overlaps a longer", doc_id)


def add_relations(
    doc: Doc, relations: Iterable[tuple[Span, Span, str]], report: SplitReport
) -> None:
    """Put gold relations on a Doc.

    doc (Doc): The Doc to write to, with sentence boundaries.
    relations (Iterable[Tuple[Span, Span, str]]): Subjects, objects and labels.
    report (SplitReport): Records relations of a mention with itself, those that are
        there twice, and what makes a relation hard to find.
    """
    doc_id = doc.user_data["doc_id"]
    unique: dict[tuple[Position, Position, str], Relation] = {}
    labels: dict[tuple[Position, Position], set[str]] = defaultdict(set)
    sentence = sentence_indices(doc)
    for subject, object_, label in relations:
        pair = (_position(subject), _position(object_))
        if pair[0] == pair[1]:
            report.record(LOST, "relation", "of a mention with itself", doc_id)
            continue
        key = (*pair, label)
        if key in unique:
            report.record(MERGED, "relation", "is there more than once", doc_id)
            continue
        labels[pair].add(label)
        unique[key] = Relation(subject, object_, label)
        if label == NO_RELATION:
            continue
        if sentence[subject.start] != sentence[object_.start]:
            report.record(NOTED, "relation", "crosses a sentence boundary", doc_id)
        if subject.start < object_.end and object_.start < subject.end:
            report.record(NOTED, "relation", "subject and object overlap", doc_id)
    for several in labels.values():
        if len(several) > 1 and NO_RELATION in several:
            report.record(NOTED, "pair", "has both no_relation and a label", doc_id)
        elif len(several) > 1:
            report.record(NOTED, "pair", "has more than one label", doc_id)
    set_relations(doc, unique.values())


def add_unknown(
    doc: Doc, pairs: Iterable[tuple[Span | None, Span | None]], report: SplitReport
) -> None:
    """Note pairs that nobody looked at in `doc.user_data["unknown_pairs"]`.

    doc (Doc): The Doc to write to.
    pairs (Iterable[Tuple[Optional[Span], Optional[Span]]]): Subjects and objects.
    report (SplitReport): Records them.
    """
    unknown = {
        (s.start_char, s.end_char, o.start_char, o.end_char): None
        for s, o in pairs
        if s is not None and o is not None and s != o
    }
    if unknown:
        doc.user_data["unknown_pairs"] = [list(pair) for pair in unknown]
    for _ in unknown:
        report.record(NOTED, "pair", "is unknown", doc.user_data["doc_id"])


def sentence_indices(doc: Doc) -> numpy.ndarray:
    """RETURNS (ndarray): For each token the number of its sentence."""
    return numpy.cumsum(doc.to_array("SENT_START") == 1)


def check_offsets(start: object, end: object, length: int, what: str) -> None:
    """Check that offsets are numbers and lie in a text.

    start (object): Where something begins.
    end (object): Where it ends, exclusive.
    length (int): The length of the text.
    what (str): What lies there, for the error.
    RAISES (ValueError): If they are no numbers or do not lie in it.
    """
    # bool is an int to Python.
    if type(start) is not int or type(end) is not int:
        raise ValueError(
            f"expected whole numbers as start and end of {what}, but found "
            f"{shorten(start)} and {shorten(end)}."
        )
    if not 0 <= start < end <= length:
        hint = " The end is that behind the last character." if start == end else ""
        raise ValueError(
            f"expected {what} with 0 <= start < end <= {length} (the length of the "
            f"text), but start is {shorten(start)} and end is {shorten(end)}.{hint}"
        )


def _check(document: Document) -> None:
    for i, mention in enumerate(document.mentions):
        start, end, label, kb_id, id_, text = mention
        strings = (label, kb_id, id_, "" if text is None else text)
        # To spaCy a number is the hash of some string.
        if not all(isinstance(item, str) for item in strings) or not label:
            raise ValueError(
                f"expected strings as type, identifiers and text of entity {i}, but "
                f"found {shorten(strings)}."
            )
        check_offsets(start, end, len(document.text), f"entity {i}")
    for s, o, label in document.relations:
        if not isinstance(label, str) or not label:
            raise ValueError(
                f"expected a string that is not empty as label of a relation, but "
                f"found {shorten(label)}."
            )
        _check_pair(s, o, document)
    for s, o in document.unknown:
        _check_pair(s, o, document)


def _check_pair(s: object, o: object, document: Document) -> None:
    n = len(document.mentions)
    for index in (s, o):
        if type(index) is not int or not 0 <= index < n:
            raise ValueError(
                f"expected subject and object as positions in the list of {n} "
                f"entities, from 0, but found {shorten(index)}."
            )


def _trim(
    mention: Mention, text: str, doc_id: str, report: SplitReport
) -> Mention | None:
    found = text[mention.start : mention.end]
    if not (found[0].isspace() or found[-1].isspace()):
        return mention
    start = mention.start + len(found) - len(found.lstrip())
    end = mention.end - len(found) + len(found.rstrip())
    if start >= end:
        report.record(LOST, "mention", "is nothing but white space", doc_id)
        return None
    report.record(CHANGED, "mention", "white space at its edge left out", doc_id)
    return mention._replace(start=start, end=end)


def _tokenize(
    nlp: Language,
    document: Document,
    mentions: Sequence[Mention],
    report: SplitReport,
) -> Doc:
    text = document.text
    if document.tokens is None:
        starts, ends = _bounds(nlp.tokenizer(text))
        stops = [match.span() for match in FULL_STOPS.finditer(text)]
    else:
        starts, ends = _given_tokens(text, document.tokens)
        stops = []

    def inside_token(edges: Iterable[int]) -> set[int]:
        return {
            edge
            for edge in edges
            if (i := bisect_right(starts, edge) - 1) >= 0 and starts[i] < edge < ends[i]
        }

    n_split = n_inclusive = 0
    cuts = set()
    for stop in stops:
        # Not behind the last one of a token: that is no end inside of it.
        if inside_token(stop[1:]):
            cuts |= inside_token(stop)
            report.record(CHANGED, "token", "split at a full stop", document.id)
    is_end = set(ends)
    for mention in mentions:
        inside = inside_token(mention[:2])
        if inside:
            n_split += 1
            cuts |= inside
            n_inclusive += (
                mention.end in inside
                and mention.end + 1 in is_end
                and text[mention.end].isalnum()  # no full stop of an abbreviation
            )
    for _ in range(n_split):
        report.record(CHANGED, "mention", "split a token at its edge", document.id)
    report.rows["mention that ends one character early"] += n_inclusive
    starts = sorted({*starts, *cuts})
    ends = sorted({*ends, *cuts})
    # A token has one space behind it; other white space is a token.
    spaces = [
        after == end + 1 and text[end] == " "
        for end, after in zip(ends, [*starts[1:], len(text)])
    ]
    words = [text[start:end] for start, end in zip(starts, ends)]
    doc = Doc(nlp.vocab, words=words, spaces=spaces)
    if doc.text != text:
        raise ValueError("the tokens do not add up to the text.")
    return doc


def _bounds(doc: Doc) -> tuple[list[int], list[int]]:
    """The first characters of the tokens, and those behind the last ones."""
    starts, lengths = doc.to_array(["IDX", "LENGTH"]).T.astype("int64")
    return starts.tolist(), (starts + lengths).tolist()


def _given_tokens(
    text: str, tokens: Sequence[tuple[int, int]]
) -> tuple[list[int], list[int]]:
    starts: list[int] = []
    ends: list[int] = []
    before = 0
    for i, (start, end) in enumerate([*tokens, (len(text), len(text) + 1)]):
        gap = text[before:start]
        if start < before or gap.strip():
            raise ValueError(
                f"expected tokens in the order of the text, and only white space "
                f"between them, but {shorten(gap)} is before token {i}."
            )
        skipped = before + (gap[:1] == " " and before > 0)
        if skipped < start:
            starts.append(skipped)
            ends.append(start)
        starts.append(start)
        ends.append(end)
        before = end
    return starts[:-1], ends[:-1]


def _begins_at(doc: Doc, offsets: Sequence[int]) -> list[bool]:
    """Each sentence begins at the first token that does not begin before it."""
    starts, _ = _bounds(doc)
    begins = [i == 0 for i in range(len(doc))]
    for offset in offsets:
        i = bisect_left(starts, offset)
        if i < len(doc):
            begins[i] = True
    return begins


def _position(span: Span) -> Position:
    return (span.start, span.end, span.label_, span.kb_id_)
