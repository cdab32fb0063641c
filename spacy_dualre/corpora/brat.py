"""brat standoff: a text (`1.txt`) and its annotations (`1.ann`).

Relations are the lines `R`. Events (`E`) are relations, too, in the format
"brat-events": from the trigger to each argument, with the role as label (without its
number). The references of a mention (`N`) are its concepts. Attributes (`A`, `M`) and
equivalences (`*`) have no place on a Doc.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ..json_files import Fail
from ..text_files import input_error, read_lines, read_text, shorten
from .docs import Document, Mention
from .documents import DocumentReader
from .format import Format
from .report import CHANGED, LOST, NOTED, SplitReport

PATTERNS = {
    "T": re.compile(r"(T\d+)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)\t(.*)"),
    "R": re.compile(r"(R\d+)\t(\S+) (\S+?):([TE]\d+) (\S+?):([TE]\d+)\s*"),
    "E": re.compile(r"(E\d+)\t(\S+):(T\d+)((?: \S+:[TE]\d+)*)\s*"),
    "N": re.compile(r"(N\d+)\t(\S+) ([TER]\d+) (\S+)(?:\t.*)?"),
}
EXPECTED = {
    "T": "'T1<tab>Type 0 5<tab>text'",
    "R": "'R1<tab>Type Arg1:T1 Arg2:T2'",
    "E": "'E1<tab>Type:T1 Role:T2 ...'",
    "N": "'N1<tab>Reference T1 database:id<tab>text'",
}
NOT_READ = {
    "A": (LOST, "attribute", "has no place on a Doc"),
    "M": (LOST, "attribute", "has no place on a Doc"),
    "*": (LOST, "equivalence", "has no place on a Doc"),
    "#": (NOTED, "note", "of an annotator, not read"),
}


def read_annotations(path: Path, fail: Fail) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read the annotations of one text.

    path (Path): The `.ann` file, with the `.txt` file beside it.
    fail (Callable[[ValueError], None]): Is called with the error of a line.
    YIELDS (Tuple[int, Dict[str, Any]]): 1, and "id", "text", "lines": for each kind of
        line the groups of its pattern, or the whole line.
    """
    text_path = path.with_suffix(".txt")
    if not text_path.is_file():
        fail(input_error(path, 1, f"can't find its text, {text_path.name}."))
        return
    lines: dict[str, list[Any]] = {kind: [] for kind in (*PATTERNS, *NOT_READ)}
    seen: set[str] = set()
    for number, line in read_lines(path):
        if not line.strip():
            continue
        kind = line[0]
        if kind in NOT_READ:
            lines[kind].append(line)
            continue
        match = PATTERNS[kind].fullmatch(line) if kind in PATTERNS else None
        if match is None:
            expected = EXPECTED.get(
                kind, "a line that begins with T, R, E, N, A, M, *, #"
            )
            problem = f"expected {expected}, but found {shorten(line)}."
            fail(input_error(path, number, problem))
        elif match[1] in seen:
            fail(input_error(path, number, f"{match[1]} is there twice. Remove one."))
        else:
            seen.add(match[1])
            lines[kind].append(match.groups())
    yield 1, {"id": path.stem, "text": read_text(text_path), "lines": lines}


def parse(
    data: dict[str, Any], name: str, report: SplitReport, *, events: bool
) -> Document:
    """Read the annotations of one text. See `DocumentReader`.

    events (bool): Whether events are relations.
    """
    doc_id, lines = data["id"], data["lines"]
    concepts: dict[str, list[str]] = {}
    for _, _, target, concept in lines["N"]:
        concepts.setdefault(target, []).append(concept)
    mentions: list[Mention] = []
    index = {}
    for id_, label, pieces, text in lines["T"]:
        offsets = [int(offset) for offset in re.findall(r"\d+", pieces)]
        in_pieces = len(offsets) > 2
        if in_pieces:
            report.record(CHANGED, "mention", "in pieces: taken as a whole", doc_id)
        index[id_] = len(mentions)
        mentions.append(
            Mention(
                min(offsets),
                max(offsets),
                label,
                kb_id=",".join(concepts.get(id_, ())),
                id=id_,
                text=None if in_pieces else text,
            )
        )
    rows = [(arg1, arg2, label) for _, label, _, arg1, _, arg2 in lines["R"]]
    for id_, _, trigger, arguments in lines["E"]:
        if trigger in index:
            index[id_] = index[trigger]
        for argument in arguments.split():
            role, _, target = argument.rpartition(":")
            if events:
                rows.append((trigger, target, role.rstrip("0123456789") or role))
            else:
                reason = "is read by the format brat-events only"
                report.record(LOST, "event argument", reason, doc_id)
    relations = []
    for arg1, arg2, label in rows:
        if arg1 in index and arg2 in index:
            relations.append((index[arg1], index[arg2], label))
        else:
            report.rows["relation"] += 1
            report.record(LOST, "relation", "an argument is no mention", doc_id)
    for kind, (outcome, what, reason) in NOT_READ.items():
        for _ in lines[kind]:
            report.record(outcome, what, reason, doc_id)
    return Document(doc_id, data["text"], mentions, relations)


def _reader(events: bool) -> DocumentReader:
    expected = "brat standoff annotation"
    parse_file = partial(parse, events=events)
    return DocumentReader((".ann",), read_annotations, parse_file, expected)


FORMAT = Format(_reader(events=False))
EVENTS_FORMAT = Format(_reader(events=True))
