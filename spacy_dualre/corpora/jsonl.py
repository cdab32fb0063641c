"""JSON lines: your own data.

The input directory has `train.jsonl` and, where there are such splits, `dev.jsonl` and
`test.jsonl`, with one document per line (shown in several here):

    {"text": "Marie Curie was born in Warsaw.",
     "entities": [{"start": 0, "end": 11, "label": "PERSON", "id": "Q7186"},
                  {"start": 24, "end": 30, "label": "PLACE"}],
     "relations": [{"subject": 0, "object": 1, "label": "BORN-IN"}]}

`start` and `end` count characters, the end excluded. Entities may nest and overlap.
Subject and object are positions in the list of entities, from 0. Optional are the `id`
of an entity (the concept it refers to; several joined with ","), `relations`, and the
`id` of the document (otherwise the number of its line). Sentence boundaries are set by
rule.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from .docs import ENTITIES_KEY, Mention, add_relations, make_doc
from .format import SPLITS, Format, read_json_lines
from .report import LOST, Report, SplitReport
from .sentences import set_sentences


def read(nlp: Language, input_dir: Path, report: Report) -> Iterator[tuple[str, Doc]]:
    """Read JSON lines. See `Format.read`."""
    if not (input_dir / "train.jsonl").is_file():
        raise ValueError(
            f"Can't find train.jsonl in {input_dir}. Write one document per line, and "
            "dev.jsonl and test.jsonl beside it if there are such splits."
        )
    for split in SPLITS:
        path = input_dir / f"{split}.jsonl"
        if not path.is_file():
            report.warnings.append(f"There is no {split}.jsonl, so no {split}.spacy.")
            continue
        for line, data in read_json_lines(path):
            where = f"{path}, line {line}"
            yield split, _make_doc(nlp, data, where, str(line), report[split])


def _make_doc(
    nlp: Language, data: dict[str, Any], where: str, doc_id: str, report: SplitReport
) -> Doc:
    text = _get(data, "text", str, where)
    if data.get("id") is not None:
        doc_id = str(data["id"])
    _record_unknown(data, ("id", "text", "entities", "relations"), doc_id, report)
    mentions = []
    for i, entity in enumerate(_get_list(data, "entities", where)):
        at = f"{where}, entity {i}"
        _record_unknown(entity, ("start", "end", "label", "id"), doc_id, report)
        start, end = _get(entity, "start", int, at), _get(entity, "end", int, at)
        if not 0 <= start < end <= len(text):
            raise ValueError(
                f"{at}: expected 0 <= start < end <= {len(text)} (the characters of "
                f"the text), but start is {start} and end is {end}."
            )
        kb_id = _get(entity, "id", str, at) if entity.get("id") is not None else ""
        mentions.append(Mention(start, end, _get(entity, "label", str, at), kb_id))
    report.rows["mention"] += len(mentions)
    doc = make_doc(nlp, text, mentions, doc_id, report)
    spans = list(doc.spans[ENTITIES_KEY])
    set_sentences(doc, spans)
    relations = []
    for i, relation in enumerate(_get_list(data, "relations", where, optional=True)):
        at = f"{where}, relation {i}"
        _record_unknown(relation, ("subject", "object", "label"), doc_id, report)
        pair = [_get(relation, key, int, at) for key in ("subject", "object")]
        for index in pair:
            if not 0 <= index < len(spans):
                raise ValueError(
                    f"{at}: expected subject and object as positions in the list of "
                    f"{len(spans)} entities, from 0, but found {index}."
                )
        relations.append(
            (spans[pair[0]], spans[pair[1]], _get(relation, "label", str, at))
        )
    report.rows["relation"] += len(relations)
    add_relations(doc, relations, report)
    return doc


def _get(data: dict[str, Any], key: str, type_: type, where: str) -> Any:
    value = data.get(key)
    # bool is an int to Python, and no empty string is a text or a label.
    if not isinstance(value, type_) or isinstance(value, bool) or value == "":
        kind = "a string that is not empty" if type_ is str else "a whole number"
        found = f"found {value!r}" if key in data else "there is none"
        raise ValueError(f"{where}: expected {kind} as '{key}', but {found}.")
    return value


def _get_list(
    data: dict[str, Any], key: str, where: str, optional: bool = False
) -> list[dict[str, Any]]:
    value = data.get(key, [] if optional else None)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        found = f"found {value!r}" if key in data else "there is none"
        raise ValueError(
            f"{where}: expected a list of objects as '{key}', but {found}."
        )
    return value


def _record_unknown(
    data: dict[str, Any], known: tuple[str, ...], doc_id: str, report: SplitReport
) -> None:
    for key in data:
        if key not in known:
            report.record(LOST, f"field '{key}'", "not part of the format", doc_id)


FORMAT = Format(read=read)
