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
        "There is no dev file, so no dev.spacy.",
        "There is no test file, so no test.spacy.",
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
        ([], r"a JSON object, but found \[\]"),
        ({}, "a string that is not empty as 'text', but there is none"),
        ({"text": 3}, "a string that is not empty as 'text', but found 3"),
        ({"text": "a"}, "a list as 'entities', but there is none"),
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
        ({"end": 33}, "expected an entity with 0 <= start < end <= 32 \\(.* end is 33"),
        ({"end": 0}, "expected an entity with 0 <= start < end <= 32 \\(.* end is 0"),
        ({"label": ""}, "expected a string that is not empty as 'label'"),
        ({"id": 5}, "expected a string that is not empty as 'id', or a list .*found 5"),
    ],
)
def test_bad_entities(convert_files, change, expected):
    document = {**DOCUMENT, "entities": [ENTITIES[1], {**ENTITIES[0], **change}]}
    message = f"train.jsonl, line 1: entity 1: {expected}"
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
    message = f"train.jsonl, line 1: relation 0: .*{expected}"
    with pytest.raises(ValueError, match=message):
        convert_files("jsonl", {"train.jsonl": lines(document)})


def test_no_documents(convert_files):
    with pytest.raises(ValueError, match="no documents"):
        convert_files("jsonl", {"train.jsonl": "\n"})


def test_no_files(convert_files):
    with pytest.raises(ValueError, match="Can't find files that end with .jsonl"):
        convert_files("jsonl", {"dev.txt": lines(DOCUMENT)})


def test_a_single_split(convert_files):
    docs, report = convert_files("jsonl", {"my_dev.jsonl": lines(DOCUMENT)})
    assert list(docs) == ["dev"]
    assert "There is no train file, so no train.spacy." in report.warnings


def test_empty_text_is_skipped_and_counted(convert_files):
    empty = {"text": "", "entities": []}
    docs, report = convert_files("jsonl", {"train.jsonl": lines(empty, DOCUMENT)})
    assert len(docs["train"]) == 1
    assert report["train"].total("lost", "document") == 1


def test_concepts_as_a_list(convert_files):
    entities = [{**ENTITIES[0], "id": ["Q1", "Q2"]}]
    document = {"text": TEXT, "entities": entities}
    docs, _ = convert_files("jsonl", {"train.jsonl": lines(document)}, strict=True)
    assert docs["train"][0].spans["entities"][0].kb_id_ == "Q1,Q2"


def test_another_name_of_the_id_is_a_loss_that_names_the_right_one(convert_files):
    entities = [{**ENTITIES[1], "kb_id": "Q3"}]
    document = {"text": TEXT, "entities": entities}
    _, report = convert_files("jsonl", {"train.jsonl": lines(document)})
    ((_, finding, _),) = report.losses()
    assert finding.what == "field 'kb_id'"
    assert "has start, end, label, id, text" in finding.reason
    assert "the concept of an entity is its id" in finding.reason


def test_results_of_apply_can_be_read(convert_files):
    relations = [{**RELATIONS[0], "score": 0.93}]
    document = {**DOCUMENT, "relations": relations, "model": "en_mine 1.0"}
    docs, _ = convert_files("jsonl", {"train.jsonl": lines(document)}, strict=True)
    assert len(get_relations(docs["train"][0])) == 1


def test_sentences_and_tokens_of_the_file(convert_files):
    document = {
        "text": "Ann saw Dr. Poe. So?",
        "entities": [],
        "sentences": [[0, 16], [17, 20]],
        "tokens": [[0, 3], [4, 7], [8, 11], [12, 16], [17, 20]],
    }
    docs, _ = convert_files("jsonl", {"train.jsonl": lines(document)}, strict=True)
    (doc,) = docs["train"]
    assert [s.text for s in doc.sents] == ["Ann saw Dr. Poe.", "So?"]
    assert [t.text for t in doc] == ["Ann", "saw", "Dr.", "Poe.", "So?"]


def test_documents_that_are_not_completely_annotated(convert_files):
    relations = [*RELATIONS, {"subject": 1, "object": 0, "label": "no_relation"}]
    partial = {**DOCUMENT, "relations": relations, "complete": False}
    unknown = {**DOCUMENT, "unknown": [[1, 2]]}
    files = {"train.jsonl": lines(partial, unknown, DOCUMENT)}
    docs, report = convert_files("jsonl", files, strict=True)
    first, second, third = docs["train"]
    assert first.user_data["complete"] is False
    labels = [relation.label for relation in get_relations(first)]
    assert labels == ["LIVES-IN", "no_relation"]
    assert [list(p) for p in second.user_data["unknown_pairs"]] == [[17, 20, 4, 7]]
    assert set(third.user_data) == {"doc_id"}
    data = report["train"].to_data()
    assert (data["relations"], data["no_relation"]) == ({"LIVES-IN": 3}, 1)


@pytest.mark.parametrize(
    "change,expected",
    [
        ({"complete": 0}, "expected true or false as 'complete', but found 0"),
        ({"unknown": [[0]]}, r"expected \[subject, object\].* 'unknown' 0"),
        ({"unknown": [[0, True]]}, r"expected \[subject, object\].* 'unknown' 0"),
        ({"unknown": [[0, 9]]}, "positions in the list of 3 entities.* found 9"),
        ({"sentences": [[0, 99]]}, "'sentences' 0 with 0 <= .* is 0 and end is 99"),
        ({"sentences": [[9, 12], [0, 9]]}, "expected 'sentences' in the order"),
        ({"tokens": [[0, 3]]}, "expected tokens in the order of the text"),
        ({"tokens": "a"}, "expected a list as 'tokens'"),
    ],
)
def test_bad_fields(convert_files, change, expected):
    files = {"train.jsonl": lines(DOCUMENT, {**DOCUMENT, **change})}
    with pytest.raises(ValueError, match=f"train.jsonl, line 2: .*{expected}"):
        convert_files("jsonl", files)


@pytest.mark.parametrize("separator", ["\u2028", "\u0085", "\f", "\v", "\x1c"])
def test_other_line_ends_are_characters_of_the_text(convert_files, separator):
    text = f"Ann.{separator}Baa."
    line = json.dumps({"text": text, "entities": []}, ensure_ascii=False) + "\n"
    if ord(separator) < 32:  # JSON wants them escaped
        line = json.dumps({"text": text, "entities": []}) + "\n"
    docs, _ = convert_files("jsonl", {"train.jsonl": line * 2})
    assert [doc.text for doc in docs["train"]] == [text, text]
