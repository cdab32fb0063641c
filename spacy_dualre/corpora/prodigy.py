"""Prodigy's `rel.manual` and `ner.manual`, as `prodigy db-out` writes them (JSONL).

The head of a relation is its subject, the child its object. Only accepted tasks are
read. A task without `relations` says nothing about pairs.
"""

from typing import Any

from ..json_files import get_field, get_objects, read_json_lines
from .docs import Document, Mention
from .documents import DocumentReader
from .format import Format
from .report import LOST, SplitReport


def parse(data: dict[str, Any], name: str, report: SplitReport) -> Document | None:
    """Read a task. See `DocumentReader`."""
    answer = data.get("answer", "accept")
    if answer != "accept":
        report.record(LOST, "document", f"its answer is '{answer}'", name)
        return None
    tokens = [(token["start"], token["end"]) for token in get_objects(data, "tokens")]
    spans = [
        (span["start"], span["end"], get_field(span, "label", str))
        for span in get_objects(data, "spans")
    ]
    relations = []
    for row in get_objects(data, "relations"):
        pair = []
        for key in ("head", "child"):
            span = row.get(f"{key}_span") or {}
            label = span.get("label")
            # Prodigy also relates tokens that are no entity.
            if label:
                position = (span["start"], span["end"], label)
                if position not in spans:
                    spans.append(position)
                pair.append(spans.index(position))
        if len(pair) == 2:
            relations.append((pair[0], pair[1], get_field(row, "label", str)))
        else:
            report.rows["relation"] += 1
            report.record(LOST, "relation", "an argument is no labelled span", name)
    return Document(
        name,
        "" if data.get("text") == "" else get_field(data, "text", str),
        [Mention(*span) for span in spans],
        relations,
        tokens=tokens or None,
        complete="relations" in data,
    )


FORMAT = Format(
    DocumentReader(
        (".jsonl",), read_json_lines, parse, "a task with 'text', 'spans', 'relations'"
    )
)
