"""JSON lines: your own data.

One document per line (shown in several here); docs/jsonl.schema.json is their schema:

    {"text": "Marie Curie was born in Warsaw.",
     "entities": [{"start": 0, "end": 11, "label": "PERSON", "id": "Q7186"},
                  {"start": 24, "end": 30, "label": "PLACE"}],
     "relations": [{"subject": 0, "object": 1, "label": "BORN-IN"}]}

`start` and `end` count characters, the end excluded. Entities may nest and overlap.
Subject and object are positions in the list of entities, from 0. The `id` of an entity
is the concept it refers to (several: a list, or joined with ","), and its `text` is
compared with what is at its offsets. Also optional are `relations`; `id`, otherwise
the number of the line; `sentences` and `tokens`, lists of `[start, end]`, which are
found by rule otherwise; `complete`, which is false where only the listed pairs were
looked at (then "no_relation" may be the label of a relation); `unknown`, a list of the
pairs `[subject, object]` that were not; and `labels`, the labels that were looked for.
What `apply` writes can be read: its `model`, and the `score` of relations, are left.
"""

from typing import Any

from ..json_files import get_field, get_id, get_objects, get_strings, read_json_lines
from ..text_files import shorten
from .docs import Document, Mention, check_offsets
from .documents import DocumentReader, SeveralErrors
from .format import Format
from .report import LOST, SplitReport

KNOWN = (
    *("id", "text", "entities", "relations"),
    *("sentences", "tokens", "complete", "unknown", "labels"),
)
KNOWN_OF_ENTITY = ("start", "end", "label", "id", "text")
KNOWN_OF_RELATION = ("subject", "object", "label")
# Fields that `apply` writes, of a document and of a relation, and that are not read.
OF_RESULTS, OF_RESULTS_OF_RELATION = ("model",), ("score",)
# What others call the id of an entity.
OTHER_IDS = ("kb_id", "concept", "concept_id", "identifier")


def parse(data: dict[str, Any], name: str, report: SplitReport) -> Document:
    """Read a document. See `DocumentReader`.

    data (Dict[str, Any]): The object of one line.
    name (str): The id of a document without one.
    report (SplitReport): Records fields that are not part of the format.
    RETURNS (Document): The document.
    RAISES (ValueError): If it has errors. Where there are several, they are the
        `messages` of the error.
    """
    errors: list[str] = []
    doc_id = get_id(data, "id", name)
    text = ""
    mentions: list[Mention] = []
    relations: list[tuple[int, int, str]] = []
    complete = True
    labels: list[str] | None = None
    bounds: dict[str, list[tuple[int, int]] | None] = {}
    unknown: list[tuple[int, int]] = []
    _record_unknown(data, (*KNOWN, *OF_RESULTS), doc_id, report)
    try:
        if data.get("text") != "":
            text = get_field(data, "text", str)
        if "entities" not in data:
            get_field(data, "entities", list)
        entities = get_objects(data, "entities")
        listed = get_objects(data, "relations")
        if data.get("complete") is not None:
            complete = get_field(data, "complete", bool)
        labels = get_strings(data, "labels")
        for key in ("sentences", "tokens"):
            bounds[key] = _get_bounds(data, key, len(text))
        unknown = _get_pairs(data, "unknown", "[subject, object]")
    except ValueError as e:
        raise SeveralErrors([str(e)]) from None
    for i, entity in enumerate(entities):
        _record_unknown(entity, KNOWN_OF_ENTITY, doc_id, report)
        try:
            mentions.append(_get_mention(entity, len(text)))
        except ValueError as e:
            errors.append(f"entity {i}: {e}")
    for i, relation in enumerate(listed):
        fields = (*KNOWN_OF_RELATION, *OF_RESULTS_OF_RELATION)
        _record_unknown(relation, fields, doc_id, report)
        try:
            relations.append(_get_relation(relation, len(entities)))
        except ValueError as e:
            errors.append(f"relation {i}: {e}")
    if errors:
        raise SeveralErrors(errors)
    sentences = bounds["sentences"]
    return Document(
        doc_id,
        text,
        mentions,
        relations,
        tokens=bounds["tokens"],
        sentences=None if sentences is None else [start for start, _ in sentences],
        complete=complete,
        unknown=unknown,
        labels=labels,
    )


def _get_mention(entity: dict[str, Any], length: int) -> Mention:
    start, end = get_field(entity, "start", int), get_field(entity, "end", int)
    label = get_field(entity, "label", str)
    text = None if entity.get("text") is None else get_field(entity, "text", str)
    if text is None:  # otherwise it is compared, and the unit of the offsets found
        check_offsets(start, end, length, "an entity")
    ids = entity.get("id")
    if isinstance(ids, list) and all(isinstance(id_, str) and id_ for id_ in ids):
        ids = ",".join(ids)
    elif ids is not None and (not isinstance(ids, str) or not ids):
        raise ValueError(
            "expected a string that is not empty as 'id', or a list of them, but "
            f"found {shorten(ids)}."
        )
    return Mention(start, end, label, ids or "", text=text)


def _get_relation(relation: dict[str, Any], n: int) -> tuple[int, int, str]:
    subject = get_field(relation, "subject", int)
    object_ = get_field(relation, "object", int)
    for index in (subject, object_):
        if not 0 <= index < n:
            raise ValueError(
                f"expected subject and object as positions in the list of {n} "
                f"entities, from 0, but found {shorten(index)}."
            )
    return subject, object_, get_field(relation, "label", str)


def _get_bounds(
    data: dict[str, Any], key: str, length: int
) -> list[tuple[int, int]] | None:
    if data.get(key) is None:
        return None
    pairs = _get_pairs(data, key, "[start, end]")
    before = 0
    for i, (start, end) in enumerate(pairs):
        check_offsets(start, end, length, f"'{key}' {i}")
        if start < before:
            raise ValueError(
                f"expected '{key}' in the order of the text, without overlap, but "
                f"{i} begins at {start}, before the end of the one before it, {before}."
            )
        before = end
    return pairs


def _get_pairs(data: dict[str, Any], key: str, what: str) -> list[tuple[int, int]]:
    if data.get(key) is None:
        return []
    pairs = get_field(data, key, list)
    for i, pair in enumerate(pairs):
        if not (
            isinstance(pair, list)
            and len(pair) == 2
            and all(type(number) is int for number in pair)
        ):
            raise ValueError(
                f"expected {what}, two whole numbers, as '{key}' {i}, but found "
                f"{shorten(pair)}."
            )
    return [(first, second) for first, second in pairs]


def _record_unknown(
    data: dict[str, Any], known: tuple[str, ...], doc_id: str, report: SplitReport
) -> None:
    for key in data:
        if key not in known:
            reason = f"not part of the format, which has {', '.join(known)}"
            if key in OTHER_IDS and known == KNOWN_OF_ENTITY:
                reason += "; the concept of an entity is its id"
            report.record(LOST, f"field {shorten(key)}", reason, doc_id)


FORMAT = Format(
    DocumentReader(
        (".jsonl",),
        read_json_lines,
        parse,
        "an object with 'text', 'entities' and 'relations'",
    )
)
