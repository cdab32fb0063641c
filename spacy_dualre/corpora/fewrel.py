"""FewRel, as JSON lines: sentences with one marked pair each.

A line has `tokens`, `relation` (a property), `head` and `tail` (`[start, end]` in
tokens, the end excluded) and their concepts, `head_id` and `tail_id`. Nobody looked at
other pairs of a sentence; but the same pair the other way round has no relation, unless
the property is symmetric. There are no entity types: all are "ENTITY".
"""

from typing import Any

from ..json_files import get_field, read_json_lines
from ..predicates import NO_RELATION
from .docs import Document, Mention
from .documents import DocumentReader
from .format import Format
from .report import SplitReport
from .tokens import join_tokens

ENTITY_TYPE = "ENTITY"
# Shares border with, spouse, twinned with, partner, said to be the same as, sibling.
SYMMETRIC = ("P47", "P26", "P190", "P451", "P460", "P3373")


def parse(data: dict[str, Any], name: str, report: SplitReport) -> Document:
    """Read a sentence. See `DocumentReader`."""
    joined = join_tokens(data["tokens"])
    mentions = []
    for key in ("head", "tail"):
        start, end = data[key]
        span = joined.span(start, end, f"'{key}'")
        kb_id = data.get(f"{key}_id") or ""
        mentions.append(Mention(*span, ENTITY_TYPE, kb_id=kb_id))
    label = get_field(data, "relation", str)
    relations = [(0, 1, label)]
    if label not in SYMMETRIC:
        relations.append((1, 0, NO_RELATION))
    return Document(
        name,
        joined.text,
        mentions,
        relations,
        tokens=joined.offsets,
        sentences=[0],
        complete=False,
    )


FORMAT = Format(
    DocumentReader(
        (".jsonl",),
        read_json_lines,
        parse,
        "an object with 'tokens', 'relation', 'head' and 'tail'",
    )
)
