"""TACRED and formats like it (Re-TACRED, TACREV): sentences with one marked pair each.

A JSON list of objects with `token`, `relation`, and of the subject and the object the
first and the last token (`subj_start`, `subj_end`, `obj_start`, `obj_end`) and the type
(`subj_type`, `obj_type`). Nobody looked at other pairs of a sentence.
"""

from typing import Any

from ..json_files import get_field, get_id, read_json_list
from .docs import Document, Mention
from .documents import DocumentReader
from .format import Format
from .report import SplitReport
from .tokens import join_tokens


def parse(data: dict[str, Any], name: str, report: SplitReport) -> Document:
    """Read a sentence. See `DocumentReader`."""
    joined = join_tokens(data["token"])
    mentions = []
    for role in ("subj", "obj"):
        start = get_field(data, f"{role}_start", int)
        end = get_field(data, f"{role}_end", int) + 1
        span = joined.span(start, end, f"'{role}'")
        mentions.append(Mention(*span, get_field(data, f"{role}_type", str)))
    return Document(
        get_id(data, "id", name),
        joined.text,
        mentions,
        [(0, 1, get_field(data, "relation", str))],
        tokens=joined.offsets,
        sentences=[0],
        complete=False,
    )


FORMAT = Format(
    DocumentReader(
        (".json",),
        read_json_list,
        parse,
        "an object with 'token', 'relation', 'subj_start', 'subj_end', 'subj_type', "
        "'obj_start', 'obj_end' and 'obj_type'",
    )
)
