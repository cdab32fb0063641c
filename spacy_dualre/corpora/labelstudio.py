"""Label Studio's JSON export of texts with labels and relations.

Of several annotations of a task the first one that was not cancelled is read. The
direction of a relation decides about subject and object; one with both directions is
two relations.
"""

from typing import Any

from ..json_files import get_id, get_objects, read_json_list
from ..text_files import shorten
from .docs import Document, Mention
from .documents import DocumentReader
from .format import Format
from .report import CHANGED, LOST, SplitReport


def parse(data: dict[str, Any], name: str, report: SplitReport) -> Document | None:
    """Read a task. See `DocumentReader`."""
    doc_id = get_id(data, "id", name)
    annotations = [
        annotation
        for annotation in get_objects(data, "annotations")
        if not annotation.get("was_cancelled")
    ]
    if not annotations:
        report.record(LOST, "document", "has no annotation", doc_id)
        return None
    for _ in annotations[1:]:
        report.record(LOST, "annotation", "is not the first one of a task", doc_id)
    regions: dict[str, int] = {}
    mentions: list[Mention] = []
    rows = []
    for item in get_objects(annotations[0], "result"):
        value = item.get("value") or {}
        labels = value.get("labels") or []
        if item.get("type") == "relation":
            rows.append(item)
        elif item.get("type") == "labels" and labels:
            is_known = item["id"] in regions
            for _ in labels[0 if is_known else 1 :]:
                report.record(LOST, "type", "a mention has one only", doc_id)
            if is_known:
                continue
            regions[item["id"]] = len(mentions)
            start, end = value["start"], value["end"]
            mentions.append(Mention(start, end, labels[0], text=value.get("text")))
        else:
            reason = "is no label of a part of the text, and no relation"
            report.record(LOST, "result", reason, doc_id)
    relations = []
    for row in rows:
        ends = (row["from_id"], row["to_id"])
        labels = row.get("labels") or []
        if not labels or not all(end in regions for end in ends):
            reason = "an argument is no mention" if labels else "has no label"
            report.rows["relation"] += 1
            report.record(LOST, "relation", reason, doc_id)
            continue
        from_, to = (regions[end] for end in ends)
        direction = row.get("direction", "right")
        for label in labels:
            if direction in ("right", "bi"):
                relations.append((from_, to, label))
            if direction in ("left", "bi"):
                relations.append((to, from_, label))
        if direction == "bi":
            report.record(CHANGED, "relation", "of both directions is two", doc_id)
    return Document(doc_id, _text(data["data"]), mentions, relations)


def _text(data: dict[str, Any]) -> str:
    texts = [value for value in data.values() if isinstance(value, str)]
    text = data.get("text", texts[0] if len(texts) == 1 else None)
    if not isinstance(text, str):
        raise ValueError(
            "expected one string in 'data', or one named 'text', but found "
            f"{shorten(list(data))}."
        )
    return text


FORMAT = Format(
    DocumentReader(
        (".json",), read_json_list, parse, "a task with 'data' and 'annotations'"
    )
)
