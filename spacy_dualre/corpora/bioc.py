"""BioC, JSON or XML: documents in passages, with mentions and relations.

A relation between mentions has two `node`s (`refid`, the id of an annotation in the
same passage or sentence, or else in the document); the first is the subject. One
between concepts has the infons `entity1` and `entity2`, as in BioRED; see
`concept_relations` for how it is kept. The type of a mention or relation is its infon
`type`, the concept of a mention its infon `identifier`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from spacy.tokens import Doc

from ..json_files import Fail, get_id, get_objects, read_json_list
from ..text_files import input_error, read_text, shorten
from .concept_relations import ConceptRelation, relate_concepts, split_identifiers
from .docs import Document, Mention
from .documents import DocumentReader
from .format import Format
from .report import CHANGED, LOST, SplitReport

# The text between passages that a file leaves out is filled with blanks.
MAX_OFFSET = 10_000_000


def read_documents(path: Path, fail: Fail) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read the documents of a file, JSON or XML after its name. Those of XML are
    brought into the form of JSON.
    """
    if not path.name.lower().endswith(".xml"):
        yield from read_json_list(path, fail, "documents")
        return
    text = read_text(path)
    if "<!ENTITY" in text:
        line = text.count("\n", 0, text.index("<!ENTITY")) + 1
        problem = (
            "entities of a file's own are not read. Write out what they stand for."
        )
        fail(input_error(path, line, problem))
        return
    try:
        root = ElementTree.fromstring(text.encode("utf8"))
    except ElementTree.ParseError as e:
        line = e.position[0]
        fail(input_error(path, line, f"expected XML, but {e}. Is the file complete?"))
        return
    starts = [match.start() for match in re.finditer(r"<document[\s>]", text)]
    for start, element in zip(starts, root.iter("document")):
        line = text.count("\n", 0, start) + 1
        try:
            data = _from_xml(element)
        except ValueError as e:
            fail(input_error(path, line, str(e)))
        except RecursionError:
            fail(input_error(path, line, "expected BioC, but it is nested too deeply."))
        else:
            yield line, data


def parse(data: dict[str, Any], name: str, report: SplitReport) -> Document:
    """Read a document. See `DocumentReader`."""
    doc_id = get_id(data, "id", name)
    text = ""
    paragraphs = []
    mentions: list[Mention] = []
    for passage in data["passages"]:
        for part in (passage, *get_objects(passage, "sentences")):
            if part.get("text"):
                offset = part["offset"]
                if not len(text) <= offset < MAX_OFFSET:
                    raise ValueError(
                        f"expected offsets in the order of the text, in characters, "
                        f"below {MAX_OFFSET}, but a passage begins at "
                        f"{shorten(offset)}, and the text before it has {len(text)}."
                    )
                if part is passage:
                    paragraphs.append(offset)
                text = text.ljust(offset) + part["text"]
    # Of each id the mentions, and the part of the document that each is in.
    index: dict[str, list[tuple[int, int]]] = {}
    parts = _parts(data)
    for number, part in enumerate(parts):
        for annotation in get_objects(part, "annotations"):
            id_ = str(annotation["id"])
            index.setdefault(id_, []).append((number, len(mentions)))
            mentions.append(_read_mention(annotation, id_, doc_id, report))
    relations = []
    for number, row in _relations(parts):
        if _is_of_concepts(row):
            continue  # add_concept_relations reads it
        ends = []
        for node in row.get("nodes") or ():
            found = index.get(str(node["refid"]), [])
            near = [mention for at, mention in found if at == number]
            ends.append(near or [mention for _, mention in found])
        label = row["infons"].get("type")
        if len(ends) != 2:
            reason = "it has not two nodes"
        elif not label:
            reason = "it has no infon 'type'"
        elif not all(ends):
            reason = "an argument is no mention"
        elif any(len(end) > 1 for end in ends):
            reason = "the id of an argument is that of several mentions"
        else:
            relations.append((ends[0][0], ends[1][0], label))
            continue
        report.rows["relation"] += 1
        report.record(LOST, "relation", reason, doc_id)
    return Document(doc_id, text, mentions, relations, paragraphs=paragraphs)


def add_concept_relations(doc: Doc, data: dict[str, Any], report: SplitReport) -> None:
    """Put the relations between concepts on a Doc. See `DocumentReader`."""
    relations = []
    for _, row in _relations(_parts(data)):
        if _is_of_concepts(row):
            infons = row["infons"]
            first, second = infons["entity1"].strip(), infons["entity2"].strip()
            relations.append(
                ConceptRelation(first, second, infons["type"], infons.get("novel", ""))
            )
    if relations:
        if doc.spans["relations"]:
            raise ValueError(
                "expected relations between mentions or between concepts, but found "
                "both in one document."
            )
        relate_concepts(doc, relations, report)


def _read_mention(
    annotation: dict[str, Any], id_: str, doc_id: str, report: SplitReport
) -> Mention:
    infons = annotation["infons"]
    locations = get_objects(annotation, "locations")
    starts = [location["offset"] for location in locations]
    ends = [location["offset"] + location["length"] for location in locations]
    if len(locations) > 1:
        report.record(CHANGED, "mention", "in pieces: taken as a whole", doc_id)
    identifier, changed = split_identifiers(infons.get("identifier", ""))
    if changed:
        report.record(CHANGED, "mention", "blanks around an identifier removed", doc_id)
    return Mention(
        min(starts),
        max(ends),
        infons["type"],
        kb_id="" if identifier == "-" else identifier,
        id=id_,
        text=annotation.get("text") if len(locations) == 1 else None,
    )


def _parts(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Whatever may have annotations: passages, their sentences, and the document."""
    parts = []
    for passage in data["passages"]:
        parts += [passage, *get_objects(passage, "sentences")]
    return [*parts, data]


def _relations(parts: list[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, part in enumerate(parts):
        for row in get_objects(part, "relations"):
            yield number, row


def _is_of_concepts(row: dict[str, Any]) -> bool:
    return not row.get("nodes") and "entity1" in row["infons"]


def _from_xml(element: ElementTree.Element) -> dict[str, Any]:
    """A document, passage, sentence, annotation or relation as JSON has it."""
    data: dict[str, Any] = {"infons": {}, **element.attrib}
    for child in element:
        text = child.text or ""
        if child.tag == "infon":
            data["infons"][child.get("key", "")] = text
        elif child.tag == "offset":
            data["offset"] = _number(text, "offset")
        elif child.tag == "location":
            location = {
                key: _number(child.get(key, ""), key) for key in ("offset", "length")
            }
            data.setdefault("locations", []).append(location)
        elif child.tag == "node":
            data.setdefault("nodes", []).append(dict(child.attrib))
        elif child.tag in ("id", "text"):
            data[child.tag] = text
        else:
            data.setdefault(f"{child.tag}s", []).append(_from_xml(child))
    return data


def _number(text: str, what: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(
            f"expected a whole number as {what}, but found {shorten(text)}."
        ) from None


FORMAT = Format(
    DocumentReader(
        (".json", ".xml"),
        read_documents,
        parse,
        "a BioC document with 'passages' and 'relations'",
        finish=add_concept_relations,
    )
)
