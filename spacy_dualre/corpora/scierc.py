"""SciERC (processed JSON lines): scientific terms, their relations and coreference.

The data has tokens, not text. They are kept as tokens, except that escaped brackets and
quotes ("-LRB-", "``") are written as themselves, as a language model knows them. A
mention in a coreference cluster has the cluster as its `kb_id` ("c0", "c1", ...).
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from .docs import ENTITIES_KEY, Mention, add_mentions, add_relations
from .format import Format, input_error, read_json_lines
from .report import CHANGED, LOST, NOTED, Report, SplitReport

SPLIT_FILES = {"train": "train.json", "dev": "dev.json", "test": "test.json"}
UNESCAPED = {
    **{"-LRB-": "(", "-LSB-": "[", "-LCB-": "{", "``": '"'},
    **{"-RRB-": ")", "-RSB-": "]", "-RCB-": "}", "''": '"'},
}
# The original white space is lost; this is the usual one around punctuation.
NO_SPACE_BEFORE = {".", ",", ";", ":", "?", "!", "-RRB-", "-RSB-", "-RCB-", "''", "'s"}
NO_SPACE_AFTER = {"-LRB-", "-LSB-", "-LCB-", "``", "`"}


def read(nlp: Language, input_dir: Path, report: Report) -> Iterator[tuple[str, Doc]]:
    """Read SciERC. See `Format.read`."""
    for split, name in SPLIT_FILES.items():
        path = input_dir / name
        for line, data in read_json_lines(path):
            try:
                yield split, _make_doc(nlp, data, report[split])
            except (KeyError, TypeError, AttributeError) as e:
                raise input_error(
                    path,
                    line,
                    "expected a document with 'doc_key', 'sentences', 'ner', "
                    "'relations' (lists per sentence) and 'clusters', but could not "
                    f"read it ({type(e).__name__}: {e}). Is this the processed SciERC "
                    "data?",
                ) from e
            except ValueError as e:
                raise input_error(path, line, str(e)) from None


def _make_doc(nlp: Language, data: dict[str, Any], report: SplitReport) -> Doc:
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
    if not all(isinstance(token, str) and token for token in tokens):
        raise ValueError(f"expected strings as tokens of {doc_key}.")
    starts: list[bool | int | None] = [
        i == 0 for sentence in sentences for i in range(len(sentence))
    ]
    doc = Doc(
        nlp.vocab,
        words=[UNESCAPED.get(token, token) for token in tokens],
        spaces=[
            token not in NO_SPACE_AFTER and after not in NO_SPACE_BEFORE
            for token, after in zip(tokens, [*tokens[1:], "."])
        ],
        sent_starts=starts,
    )
    mentions, positions = _read_mentions(data, len(tokens), report)
    for start, end in positions:
        if any(token in UNESCAPED for token in tokens[start:end]):
            report.record(CHANGED, "mention", "bracket or quote unescaped", doc_key)
    add_mentions(doc, mentions, positions, doc_key, report)
    by_position = dict(zip(positions, doc.spans[ENTITIES_KEY]))
    relations: list[tuple[Span, Span, str]] = []
    for sentence_relations in data["relations"]:
        for row in sentence_relations:
            _check_row(row, 5, "[start1, end1, start2, end2, label]", doc_key)
            start1, end1, start2, end2, label = row
            report.rows["relation"] += 1
            subject = by_position.get((start1, end1 + 1))
            object_ = by_position.get((start2, end2 + 1))
            if subject is None or object_ is None:
                report.record(LOST, "relation", "an argument is no mention", doc_key)
            else:
                relations.append((subject, object_, label))
    add_relations(doc, relations, report)
    return doc


def _read_mentions(
    data: dict[str, Any], n_tokens: int, report: SplitReport
) -> tuple[list[Mention], list[tuple[int, int]]]:
    doc_key = data["doc_key"]
    clusters: dict[tuple[int, int], list[str]] = defaultdict(list)
    for i, cluster in enumerate(data["clusters"]):
        for row in cluster:
            _check_row(row, 2, "[start, end]", doc_key)
            start, end = row
            clusters[start, end + 1].append(f"c{i}")
    mentions = []
    positions = []
    for sentence_mentions in data["ner"]:
        for row in sentence_mentions:
            _check_row(row, 3, "[start, end, label]", doc_key)
            start, end, label = row
            report.rows["mention"] += 1
            if not 0 <= start <= end < n_tokens:
                raise ValueError(
                    f"expected a mention within the {n_tokens} tokens of {doc_key}, "
                    f"but found one from {start} to {end}."
                )
            position = (start, end + 1)
            kb_id = ",".join(dict.fromkeys(clusters.get(position, [])))
            if "," in kb_id:
                report.record(NOTED, "mention", "is in several clusters", doc_key)
            mentions.append(Mention(*position, label, kb_id))
            positions.append(position)
    for position in clusters:
        if position not in positions:
            report.record(LOST, "coreference", "it is no mention", doc_key)
    return mentions, positions


def _check_row(row: list[Any], length: int, expected: str, doc_key: str) -> None:
    if len(row) != length:
        raise ValueError(f"expected {expected}, but found {row} in {doc_key}.")


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
