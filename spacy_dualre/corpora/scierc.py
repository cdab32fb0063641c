"""SciERC (processed JSON lines): scientific terms, their relations and coreference.

The data has tokens, not text. They are kept as tokens, except that escaped brackets and
quotes ("-LRB-", "``") are written as themselves. A mention in a coreference cluster has
the cluster as its `kb_id` ("c0", "c1", ...).
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..json_files import read_json_lines
from ..text_files import input_error, shorten
from .docs import Document, Mention, make_doc
from .format import Format
from .report import CHANGED, LOST, NOTED, Report, SplitReport
from .tokens import UNESCAPED, TokenText, join_tokens

SPLIT_FILES = {"train": "train.json", "dev": "dev.json", "test": "test.json"}


def read(nlp: Language, input_dir: Path, report: Report) -> Iterator[tuple[str, Doc]]:
    """Read SciERC. See `Format.read`."""
    for split, name in SPLIT_FILES.items():
        path = input_dir / name
        for line, data in read_json_lines(path, report.fail):
            try:
                document = _read_document(data, report[split])
                yield split, make_doc(nlp, document, report[split])
            except (KeyError, TypeError, AttributeError) as e:
                raise input_error(
                    path,
                    line,
                    "expected a document with 'doc_key', 'sentences', 'ner', "
                    "'relations' (lists per sentence) and 'clusters', but could not "
                    f"read it ({shorten(f'{type(e).__name__}: {e}')}). Is this the "
                    "processed SciERC data?",
                ) from e
            except ValueError as e:
                raise input_error(path, line, str(e)) from None


def _read_document(data: dict[str, Any], report: SplitReport) -> Document:
    doc_key = data["doc_key"]
    sentences: list[list[str]] = data["sentences"]
    if not len(sentences) == len(data["ner"]) == len(data["relations"]):
        raise ValueError(
            "expected a list in 'ner' and in 'relations' for each of the "
            f"{len(sentences)} sentences of {doc_key}, but found "
            f"{len(data['ner'])} and {len(data['relations'])}."
        )
    if not all(sentences):
        raise ValueError(f"expected tokens in every sentence of {doc_key}.")
    tokens = [token for sentence in sentences for token in sentence]
    joined = join_tokens(tokens)
    positions, mentions = _read_mentions(data, tokens, joined, report)
    index = {position: i for i, position in enumerate(positions)}
    relations = []
    for sentence_relations in data["relations"]:
        for row in sentence_relations:
            _check_row(row, 4, "[start1, end1, start2, end2, label]", doc_key)
            start1, end1, start2, end2, label = row
            pair = (start1, end1 + 1), (start2, end2 + 1)
            if pair[0] in index and pair[1] in index:
                relations.append((index[pair[0]], index[pair[1]], label))
            else:
                report.rows["relation"] += 1
                report.record(LOST, "relation", "an argument is no mention", doc_key)
    starts = [0]
    for sentence in sentences[:-1]:
        starts.append(starts[-1] + len(sentence))
    return Document(
        doc_key,
        joined.text,
        mentions,
        relations,
        tokens=joined.offsets,
        sentences=[joined.offsets[start][0] for start in starts],
    )


def _read_mentions(
    data: dict[str, Any], tokens: list[str], joined: TokenText, report: SplitReport
) -> tuple[list[tuple[int, int]], list[Mention]]:
    doc_key = data["doc_key"]
    clusters: dict[tuple[int, int], list[str]] = defaultdict(list)
    for i, cluster in enumerate(data["clusters"]):
        for row in cluster:
            _check_row(row, 2, "[start, end]", doc_key)
            start, end = row
            clusters[start, end + 1].append(f"c{i}")
    positions = []
    mentions = []
    for sentence_mentions in data["ner"]:
        for row in sentence_mentions:
            _check_row(row, 2, "[start, end, label]", doc_key)
            start, end, label = row
            position = (start, end + 1)
            characters = joined.span(*position, f"a mention of {doc_key}")
            kb_id = ",".join(dict.fromkeys(clusters.get(position, [])))
            if "," in kb_id:
                report.record(NOTED, "mention", "is in several clusters", doc_key)
            if any(token in UNESCAPED for token in tokens[start : end + 1]):
                report.record(CHANGED, "mention", "bracket or quote unescaped", doc_key)
            positions.append(position)
            mentions.append(Mention(*characters, label, kb_id))
    for position in clusters:
        if position not in positions:
            report.record(LOST, "coreference", "it is no mention", doc_key)
    return positions, mentions


def _check_row(row: list[Any], n_numbers: int, expected: str, doc_key: str) -> None:
    if (
        not isinstance(row, list)
        or len(row) != expected.count(",") + 1
        or any(type(number) is not int for number in row[:n_numbers])
    ):
        raise ValueError(f"expected {expected}, but found {shorten(row)} in {doc_key}.")


FORMAT = Format(
    read=read,
    files={
        "train.json": (
            "04970819bd215fce8c60b3a64fccca15388b49eab2010bdc5f6d322b463568c3"
        ),
        "dev.json": (
            "61f21b224129e580a654b036ee6fffeeb1a0311f1009a38ea931c13612db040e"
        ),
        "test.json": (
            "7424da64e6214a90e39b09e47a74b3ded57dde86b4a7f848b3625d2c8ecdfbe1"
        ),
    },
    counts={
        "train": {
            "documents": 350,
            "sentences": 1861,
            "mentions": 5598,
            "relations": 3219,
        },
        "dev": {"documents": 50, "sentences": 275, "mentions": 811, "relations": 455},
        "test": {
            "documents": 100,
            "sentences": 551,
            "mentions": 1685,
            "relations": 974,
        },
    },
)
