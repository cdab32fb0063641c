"""brat standoff: a folder with a text and its annotations (`.txt`, `.ann`) for each
document. The score of a relation and the model are in a note on it.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .results import NO_ID, Results
from .writer import Writer

# What a type or a role can't have in it.
NOT_IN_TYPE = re.compile(r"[^\w-]")
LINE_ENDS = re.compile(r"[\r\n]+")
MAX_NAME = 200


def write(results: Results, path: Path) -> None:
    """Write the folder. See `Writer`."""
    path.mkdir()
    for record in results.documents():
        stem = _file_name(record["id"])
        name, n = stem, 1
        while (path / f"{name}.txt").exists():  # another document of the same id
            n += 1
            name = f"{stem}-{n}"
        for ending, content in (
            ("txt", record["text"]),
            ("ann", "".join(f"{line}\n" for line in annotate(record))),
        ):
            file = path / f"{name}.{ending}"
            file.write_text(content, encoding="utf8", newline="")


def annotate(record: dict[str, Any]) -> Iterator[str]:
    """Write the annotations of a document.

    record (Dict[str, Any]): The document.
    YIELDS (str): The lines.
    """
    text = record["text"]
    n_ids = 0
    for i, entity in enumerate(record["entities"], start=1):
        pieces = list(_pieces(text, entity["start"], entity["end"]))
        offsets = ";".join(f"{start} {end}" for start, end in pieces)
        words = " ".join(text[start:end] for start, end in pieces)
        yield f"T{i}\t{_type(entity.get('label', ''))} {offsets}\t{words}"
        for id_ in entity.get("id", "").split(","):
            if id_ not in NO_ID:
                n_ids += 1
                # brat expects the name of a database before an id.
                full = id_ if ":" in id_ else f"kb:{id_}"
                safe = re.sub(r"\s", "_", full)
                yield f"N{n_ids}\tReference T{i} {safe}\t{words}"
    for i, relation in enumerate(record["relations"], start=1):
        subject, object_ = relation["subject"] + 1, relation["object"] + 1
        label = relation["label"]
        yield f"R{i}\t{_type(label)} Arg1:T{subject} Arg2:T{object_}"
        note = f"{label!a} score={relation['score']} model={record['model']!a}"
        yield f"#{i}\tAnnotatorNotes R{i}\t{note}"


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A mention that goes on in another line has a piece in each of them."""
    for line_end in LINE_ENDS.finditer(text, start, end):
        if line_end.start() > start:
            yield start, line_end.start()
        start = line_end.end()
    if start < end:
        yield start, end


def _type(label: str) -> str:
    return NOT_IN_TYPE.sub("_", label) or "Entity"


def _file_name(doc_id: str) -> str:
    """A name that any file system takes, and that says the id."""
    name = quote(doc_id, safe=" ").replace(".", "%2E") if "/" in doc_id else None
    name = name or quote(doc_id, safe=" ")
    if name.startswith(".") or name != name.strip():
        name = quote(name, safe="").replace(".", "%2E")
    if len(name) > MAX_NAME or not name:
        digest = hashlib.sha256(doc_id.encode()).hexdigest()[:16]
        name = f"{name[:MAX_NAME]}-{digest}".lstrip("-")
    return name


WRITER = Writer(write, of_documents=True)
