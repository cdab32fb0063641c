"""PubTator: title, abstract, mentions with identifiers, relations between concepts.

Blocks of lines, divided by a blank line: `PMID|t|title`, `PMID|a|abstract`; mentions,
`PMID<tab>start<tab>end<tab>text<tab>type<tab>identifier`; relations,
`PMID<tab>type<tab>identifier1<tab>identifier2`. Offsets count characters of title, one
space, abstract. See `concept_relations` for how relations are kept.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.tokens import Doc

from ..json_files import Fail
from ..text_files import input_error, read_lines, shorten
from .concept_relations import ConceptRelation, relate_concepts, split_identifiers
from .docs import Document, Mention
from .documents import DocumentReader
from .format import Format
from .report import CHANGED, NOTED, SplitReport

NO_IDENTIFIER = ("", "-", "-1")
PASSAGE = re.compile(r"([^|\t]+)\|([ta])\|(.*)")


def read_blocks(path: Path, fail: Fail) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read the blocks of a file.

    path (Path): The file.
    fail (Callable[[ValueError], None]): Is called with the error of a line.
    YIELDS (Tuple[int, Dict[str, Any]]): The line of the title, and "id", "t" and "a"
        (title and abstract), "mentions" and "relations" (lists of fields).
    """
    block: dict[str, Any] = {}
    first = 1
    for number, line in [*read_lines(path), (0, "")]:
        if not line.strip():
            if block:
                yield first, block
            block = {}
            continue
        fields = line.split("\t")
        id_ = fields[0]
        if match := PASSAGE.fullmatch(line):
            id_, key, text = match.groups()
        elif len(fields) in (5, 6, 7) and fields[1].isdecimal():
            key = "mentions"
        elif len(fields) in (4, 5) and not fields[1].isdecimal():
            key = "relations"
        else:
            problem = (
                "expected 'PMID|t|title', 'PMID|a|abstract', a mention (6 fields, "
                f"tab-separated) or a relation (4), but found {shorten(line)}."
            )
            fail(input_error(path, number, problem))
            continue
        if key == "t" and block and id_ != block["id"]:  # the blank line is missing
            yield first, block
            block = {}
        if not block:
            block = {"id": id_, "mentions": [], "relations": []}
            first = number
        if id_ != block["id"]:
            problem = f"expected a line of document {shorten(block['id'])}"
            fail(input_error(path, number, f"{problem}, but found {shorten(line)}."))
        elif not match:
            block[key].append(fields)
        elif key in block:
            problem = f"expected '{key}' of a document once, but found {shorten(line)}."
            fail(input_error(path, number, problem))
        else:
            block[key] = text


def parse(data: dict[str, Any], name: str, report: SplitReport) -> Document:
    """Read a block. See `DocumentReader`."""
    doc_id, title, abstract = data["id"], data["t"], data.get("a", "")
    mentions = []
    for _, start, end, text, type_, *more in data["mentions"]:
        if not end.isdecimal():
            raise ValueError(f"expected a number as end, but found {shorten(end)}.")
        identifier, changed = split_identifiers(more[0] if more else "")
        if changed:
            reason = "blanks around an identifier removed"
            report.record(CHANGED, "mention", reason, doc_id)
        if identifier in NO_IDENTIFIER:
            identifier = ""
            report.record(NOTED, "mention", "has no identifier", doc_id)
        mentions.append(
            Mention(int(start), int(end), type_, kb_id=identifier, text=text)
        )
    text = f"{title} {abstract}" if abstract else title
    return Document(doc_id, text, mentions, paragraphs=[len(title) + 1])


def add_concept_relations(doc: Doc, data: dict[str, Any], report: SplitReport) -> None:
    """Put the relations between concepts on a Doc. See `DocumentReader`."""
    relations = [
        ConceptRelation(first.strip(), second.strip(), type_, "".join(novelty))
        for _, type_, first, second, *novelty in data["relations"]
    ]
    relate_concepts(doc, relations, report)


FORMAT = Format(
    DocumentReader(
        (".pubtator", ".pubtator.txt"),
        read_blocks,
        parse,
        "a block that begins with 'PMID|t|title'",
        finish=add_concept_relations,
    )
)
