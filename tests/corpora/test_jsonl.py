import json

import pytest

from spacy_dualre import get_relations

TEXT = "Zoë Ram lives in Baa. It is old."
ENTITIES = [
    {"start": 0, "end": 7, "label": "PERSON", "id": "Q1,Q2"},
    {"start": 17, "end": 20, "label": "PLACE"},
    {"start": 4, "end": 7, "label": "NAME"},
]
RELATIONS = [{"subject": 0, "object": 1, "label": "LIVES-IN"}]
DOCUMENT = {"text": TEXT, "entities": ENTITIES, "relations": RELATIONS}


def lines(*documents):
    return "".join(json.dumps(document) + "\n" for document in documents)


def test_documents(convert_files):
    second = {"id": "second", "text": "Nothing.", "entities": []}
    docs, report = convert_files(
        "jsonl", {"train.jsonl": lines(DOCUMENT, second)}, strict=True
    )
    doc, other = docs["train"]
    assert doc.text == TEXT
    assert [d.user_data["doc_id"] for d in (doc, other)] == ["1", "second"]
    assert [s.text for s in doc.sents] == ["Zoë Ram lives in Baa.", "It is old."]
    assert [(s.text, s.label_, s.kb_id_) for s in doc.spans["entities"]] == [
        ("Zoë Ram", "PERSON", "Q1,Q2"),
        ("Baa", "PLACE", ""),
        ("Ram", "NAME", ""),
    ]
    (relation,) = get_relations(doc)
    assert str(relation) == "(Zoë Ram, LIVES-IN, Baa)"
    assert relation.subject.kb_id_ == "Q1,Q2"
    assert report.warnings == [
        "There is no dev.jsonl, so no dev.spacy.",
        "There is no test.jsonl, so no test.spacy.",
    ]


def test_splits_byte_order_mark_and_windows_line_ends(convert_files):
    text = "\ufeff" + lines(DOCUMENT, DOCUMENT).replace("\n", "\r\n") + "\n"
    files = {f"{split}.jsonl": text for split in ("train", "dev", "test")}
    docs, report = convert_files("jsonl", files, strict=True)
    assert {split: len(docs[split]) for split in docs} == dict.fromkeys(docs, 2)
    assert len(docs) == 3
    assert not report.warnings


def test_repeated_relation_is_merged(convert_files):
    document = {**DOCUMENT, "relations": RELATIONS * 3}
    docs, report = convert_files("jsonl", {"train.jsonl": lines(document)}, strict=True)
    assert len(get_relations(docs["train"][0])) == 1
    assert report["train"].total("merged", "relation") == 2


def test_unknown_fields_are_losses(convert_files):
    files = {"train.jsonl": lines({**DOCUMENT, "relation": []})}
    with pytest.raises(ValueError, match="field 'relation': not part of the format"):
        convert_files("jsonl", files, strict=True)
    _, report = convert_files("jsonl", files)
    assert [finding.what for _, finding, _ in report.losses()] == ["field 'relation'"]


@pytest.mark.parametrize(
    "document,expected",
    [
        ([], "a JSON object, but found a list"),
        ({}, "a string that is not empty as 'text', but there is none"),
        ({"text": 3}, "a string that is not empty as 'text', but found 3"),
        ({"text": "", "entities": []}, "a string that is not empty as 'text'"),
        ({"text": "a"}, "a list of objects as 'entities', but there is none"),
        ({"text": "a", "entities": [3]}, "a list of objects as 'entities'"),
        ({**DOCUMENT, "relations": {}}, "a list of objects as 'relations'"),
    ],
)
def test_bad_documents(convert_files, document, expected):
    files = {"train.jsonl": lines(DOCUMENT, document)}
    with pytest.raises(ValueError, match=f"train.jsonl, line 2: expected {expected}"):
        convert_files("jsonl", files)


@pytest.mark.parametrize(
    "change,expected",
    [
        ({"start": None}, "expected a whole number as 'start', but found None"),
        ({"start": True}, "expected a whole number as 'start', but found True"),
        ({"end": 33}, "expected 0 <= start < end <= 32 .* end is 33"),
        ({"end": 0}, "expected 0 <= start < end <= 32 .* end is 0"),
        ({"label": ""}, "expected a string that is not empty as 'label'"),
        ({"id": 5}, "expected a string that is not empty as 'id', but found 5"),
    ],
)
def test_bad_entities(convert_files, change, expected):
    document = {**DOCUMENT, "entities": [ENTITIES[1], {**ENTITIES[0], **change}]}
    message = f"train.jsonl, line 1, entity 1: {expected}"
    with pytest.raises(ValueError, match=message):
        convert_files("jsonl", {"train.jsonl": lines(document)})


@pytest.mark.parametrize(
    "change,expected",
    [
        ({"subject": 3}, "positions in the list of 3 entities, from 0, but found 3"),
        ({"object": -1}, "positions in the list of 3 entities, from 0, but found -1"),
        ({"object": "1"}, "expected a whole number as 'object', but found '1'"),
        ({"label": None}, "expected a string that is not empty as 'label'"),
    ],
)
def test_bad_relations(convert_files, change, expected):
    document = {**DOCUMENT, "relations": [{**RELATIONS[0], **change}]}
    message = f"train.jsonl, line 1, relation 0: .*{expected}"
    with pytest.raises(ValueError, match=message):
        convert_files("jsonl", {"train.jsonl": lines(document)})


def test_no_training_documents(convert_files):
    with pytest.raises(ValueError, match="no training documents"):
        convert_files("jsonl", {"train.jsonl": "\n"})


def test_no_training_file(convert_files):
    with pytest.raises(ValueError, match="Can't find train.jsonl"):
        convert_files("jsonl", {"dev.jsonl": lines(DOCUMENT)})
