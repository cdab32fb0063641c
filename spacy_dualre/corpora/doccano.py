"""doccano's JSONL export: relation extraction (`entities`, `relations`), and sequence
labelling (`label`), which says nothing about pairs."""

from typing import Any

from ..json_files import get_field, get_id, get_objects, read_json_lines
from ..text_files import shorten
from .docs import Document, Mention
from .documents import DocumentReader
from .format import Format
from .report import LOST, NOTED, SplitReport


def parse(data: dict[str, Any], name: str, report: SplitReport) -> Document:
    """Read a text. See `DocumentReader`."""
    doc_id = get_id(data, "id", name)
    index: dict[Any, int] = {}
    mentions: list[Mention] = []
    for entity in get_objects(data, "entities"):
        if entity["id"] in index:
            raise ValueError(
                "expected an id of its own for each entity, but "
                f"{shorten(entity['id'])} is there twice."
            )
        index[entity["id"]] = len(mentions)
        start, end = entity["start_offset"], entity["end_offset"]
        mentions.append(Mention(start, end, get_field(entity, "label", str)))
    for start, end, label in data.get("label", ()):
        mentions.append(Mention(start, end, label))
    relations = []
    for relation in get_objects(data, "relations"):
        ends = (relation["from_id"], relation["to_id"])
        if all(end in index for end in ends):
            from_, to = (index[end] for end in ends)
            relations.append((from_, to, get_field(relation, "type", str)))
        else:
            report.rows["relation"] += 1
            report.record(LOST, "relation", "an argument is no mention", doc_id)
    for _ in data.get("Comments", ()):
        report.record(NOTED, "note", "of an annotator, not read", doc_id)
    return Document(
        doc_id,
        "" if data.get("text") == "" else get_field(data, "text", str),
        mentions,
        relations,
        complete="relations" in data,
    )


FORMAT = Format(
    DocumentReader(
        (".jsonl",),
        read_json_lines,
        parse,
        "an object with 'text', 'entities' and 'relations'",
    )
)
