"""SpERT, and datasets in its format (CoNLL04, FIRE): sentences with entities.

A JSON list of objects with `tokens`, `entities` (`type`, `start` and `end` in tokens,
the end excluded) and `relations` (`type`, and `head` and `tail`, positions in the list
of entities from 0).
"""

from typing import Any

from ..json_files import get_field, get_id, get_objects, read_json_list
from .docs import Document, Mention
from .documents import DocumentReader
from .format import Format
from .report import LOST, SplitReport
from .tokens import join_tokens


def parse(data: dict[str, Any], name: str, report: SplitReport) -> Document:
    """Read a sentence. See `DocumentReader`."""
    doc_id = get_id(data, "orig_id", name)
    joined = join_tokens(data["tokens"], allow_empty=True)
    for _ in range(len(joined.offsets) - len(joined.tokens)):
        report.record(LOST, "token", "is empty", doc_id)
    mentions = []
    for i, entity in enumerate(get_objects(data, "entities")):
        span = joined.span(entity["start"], entity["end"], f"entity {i}")
        mentions.append(Mention(*span, get_field(entity, "type", str)))
    relations = [
        (relation["head"], relation["tail"], get_field(relation, "type", str))
        for relation in get_objects(data, "relations")
    ]
    return Document(
        doc_id,
        joined.text,
        mentions,
        relations,
        tokens=joined.tokens,
        sentences=[0],
    )


FORMAT = Format(
    DocumentReader(
        (".json",),
        read_json_list,
        parse,
        "an object with 'tokens', 'entities' and 'relations'",
    )
)
