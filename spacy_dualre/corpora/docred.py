"""DocRED and Re-DocRED: documents with relations between entities, not mentions.

Documents, in a JSON list or one a line, have `sents` (lists of tokens), `vertexSet` (of
each entity its mentions: `name`, `type`, `sent_id`, and `pos`, `[start, end]` in the
sentence) and `labels` (`h` and `t`, positions in `vertexSet`, and `r`). An entity is a
concept ("e0", "e1", ...): a relation is kept in `doc.user_data["concept_relations"]`,
and put on every pair of a mention of the one and a mention of the other entity. Pairs
of entities in `unknown` (`[h, t]`), which is no part of DocRED, are unknown pairs.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ..json_files import Fail, get_field, get_id, read_json_lines, read_json_list
from ..text_files import shorten
from .concept_relations import ConceptRelation, relate_concepts
from .docs import Document, Mention
from .documents import DocumentReader
from .format import Format
from .report import CHANGED, SplitReport
from .tokens import join_tokens


def read_documents(path: Path, fail: Fail) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read a list, or one document a line, after the file's name."""
    if path.name.lower().endswith(".jsonl"):
        return read_json_lines(path, fail)
    return read_json_list(path, fail)


def parse(data: dict[str, Any], name: str, report: SplitReport) -> Document:
    """Read a document. See `DocumentReader`."""
    doc_id = get_id(data, "title", name)
    sentences = data["sents"]
    joined = join_tokens([token for sentence in sentences for token in sentence])
    first = [0]
    for sentence in sentences:
        first.append(first[-1] + len(sentence))
    mentions = []
    for i, entity in enumerate(data["vertexSet"]):
        for row in entity:
            start, end = row["pos"]
            before = first[get_field(row, "sent_id", int)]
            what = f"a mention of entity {i}"
            span = joined.span(before + start, before + end, what)
            # One type, or it would not be one concept.
            type_ = get_field(entity[0], "type", str)
            if row["type"] != type_:
                reason = "has the type of the entity's first mention"
                report.record(CHANGED, "mention", reason, doc_id)
            mentions.append(Mention(*span, type_, kb_id=f"e{i}"))
    return Document(
        doc_id,
        joined.text,
        mentions,
        tokens=joined.offsets,
        sentences=[joined.offsets[i][0] for i in first[:-1] if i < len(joined.offsets)],
        complete="labels" in data,
    )


def add_labels(doc: Doc, data: dict[str, Any], report: SplitReport) -> None:
    """Put the relations between entities on a Doc. See `DocumentReader`."""
    n = len(data["vertexSet"])
    relations = []
    for label in data.get("labels", ()):
        pair = [get_field(label, key, int) for key in ("h", "t")]
        if not all(0 <= index < n for index in pair):
            raise ValueError(
                f"expected 'h' and 't' below {n}, but found {shorten(pair)}."
            )
        head, tail = (f"e{index}" for index in pair)
        relations.append(ConceptRelation(head, tail, get_field(label, "r", str)))
    unknown = [(f"e{head}", f"e{tail}") for head, tail, *_ in data.get("unknown", ())]
    relate_concepts(doc, relations, report, directed=True, unknown=unknown)


FORMAT = Format(
    DocumentReader(
        (".json", ".jsonl"),
        read_documents,
        parse,
        "an object with 'sents', 'vertexSet' and 'labels'",
        finish=add_labels,
    )
)
