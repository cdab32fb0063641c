"""Sentences are made up, in the format of SciERC."""

import json

import pytest

from spacy_dualre import get_relations

DOCUMENT = {
    "doc_key": "X01-1",
    "sentences": [
        ["We", "use", "foo", "parsing", "-LRB-", "FP", "-RRB-", "for", "bars", "."],
        ["``", "Foo", "''", "beats", "FP", "and", "baz", "-LSB-", "1", "-RSB-", "."],
    ],
    "ner": [
        [[2, 3, "Method"], [2, 2, "Task"], [2, 6, "Method"], [8, 8, "Task"]],
        [[14, 14, "Method"], [16, 16, "Method"]],
    ],
    "relations": [
        [
            *([2, 3, 8, 8, "USED-FOR"], [2, 3, 8, 8, "USED-FOR"]),
            [2, 6, 8, 8, "USED-FOR"],
        ],
        [[16, 16, 14, 14, "CONJUNCTION"]],
    ],
    "clusters": [[[2, 3], [14, 14]], [[16, 16], [8, 8]], [[14, 14], [2, 6]]],
}


def corpus(**changes):
    train = json.dumps({**DOCUMENT, **changes}) + "\n"
    return {"train.json": train, "dev.json": "", "test.json": ""}


@pytest.fixture
def converted(convert_files):
    docs, report = convert_files("scierc", corpus(), strict=True)
    return docs["train"][0], report["train"]


def test_text_is_unescaped_and_keeps_tokens_and_sentences(converted):
    doc, _ = converted
    assert [sentence.text for sentence in doc.sents] == [
        "We use foo parsing (FP) for bars.",
        '"Foo" beats FP and baz [1].',
    ]
    assert len(doc) == 21
    assert doc.user_data["doc_id"] == "X01-1"


def test_mentions_nest_and_have_clusters(converted):
    doc, _ = converted
    assert [(s.text, s.label_, s.kb_id_) for s in doc.spans["entities"]] == [
        ("foo parsing", "Method", "c0"),
        ("foo", "Task", ""),
        ("foo parsing (FP)", "Method", "c2"),
        ("bars", "Task", "c1"),
        ("FP", "Method", "c0,c2"),
        ("baz", "Method", "c1"),
    ]


def test_relations_keep_their_order(converted):
    doc, _ = converted
    assert [str(relation) for relation in get_relations(doc)] == [
        "(foo parsing, USED-FOR, bars)",
        "(foo parsing (FP), USED-FOR, bars)",
        "(baz, CONJUNCTION, FP)",
    ]


def test_report(converted):
    data = converted[1].to_data()
    assert data["input"] == {"mentions": 6, "relations": 4}
    assert data["relations"] == {"USED-FOR": 2, "CONJUNCTION": 1}
    counts = {
        (f["outcome"], f["what"], f["reason"]): f["count"] for f in data["findings"]
    }
    assert counts == {
        ("merged", "relation", "is there more than once"): 1,
        ("changed", "mention", "bracket or quote unescaped"): 1,
        ("noted", "mention", "not in doc.ents: overlaps a longer"): 2,
        ("noted", "mention", "is in several clusters"): 1,
    }


@pytest.mark.parametrize(
    "changes,reason",
    [
        ({"relations": [[[2, 3, 9, 9, "USED-FOR"]], []]}, "an argument is no mention"),
        ({"clusters": [[[2, 3], [0, 0]]]}, "it is no mention"),
    ],
)
def test_losses(convert_files, changes, reason):
    with pytest.raises(ValueError, match=f"{reason} .*document X01-1"):
        convert_files("scierc", corpus(**changes), strict=True)
    _, report = convert_files("scierc", corpus(**changes))
    assert [finding.reason for _, finding, _ in report.losses()] == [reason]


@pytest.mark.parametrize(
    "changes,expected",
    [
        ({"ner": [[]]}, "a list in 'ner' and in 'relations' for each of the 2"),
        ({"ner": [[[2, 3]], []]}, r"\[start, end, label\], but found \[2, 3\]"),
        ({"ner": [[[2, 30, "Task"]], []]}, "a mention of X01-1 within the 21 tokens"),
        ({"ner": [[[True, 3, "Task"]], []]}, r"\[start, end, label\], but found"),
        ({"ner": [[["2", "3", "Task"]], []]}, r"\[start, end, label\], but found"),
        ({"ner": [[[2, 3, 5]], []]}, "strings as type"),
        ({"relations": [[[2, 3, "X"]], []]}, r"\[start1, .* but found"),
        ({"clusters": [[[2]]]}, r"\[start, end\]"),
        ({"clusters": None}, "a document with 'doc_key'"),
        ({"sentences": [["a"], []]}, "tokens in every sentence"),
        ({"sentences": [["a"], [""]]}, "strings as tokens"),
        ({"sentences": [["a"], [1]]}, "strings as tokens"),
    ],
)
def test_bad_documents(convert_files, changes, expected):
    with pytest.raises(ValueError, match=f"train.json, line 1: expected {expected}"):
        convert_files("scierc", corpus(**changes))


def test_truncated(convert_files):
    files = corpus()
    files["train.json"] += files["train.json"][:100]
    with pytest.raises(ValueError, match="train.json, line 2: expected JSON"):
        convert_files("scierc", files)
