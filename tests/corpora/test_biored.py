"""Sentences are made up, in the format of BioRED."""

import json

import pytest

from spacy_dualre import get_relations

TITLE = "FOO1 and sickness in man."
ABSTRACT = "FOO1/2 (c.4A>C) caused sickness. FOO1 bound FOO2, not pain or its kin."
TEXT = f"{TITLE} {ABSTRACT}"
GENE, DISEASE = "GeneOrGeneProduct", "DiseaseOrPhenotypicFeature"


def annotation(id_, mention, type_, identifier, nth=0):
    start = -1
    for _ in range(nth + 1):
        start = TEXT.index(mention, start + 1)
    location = {"offset": start, "length": len(mention)}
    infons = {"type": type_, "identifier": identifier}
    return {"id": id_, "infons": infons, "text": mention, "locations": [location]}


def relation(entity1, entity2, label, novel="No"):
    infons = {"entity1": entity1, "entity2": entity2, "type": label, "novel": novel}
    return {"id": "R", "infons": infons}


ANNOTATIONS = [
    annotation("0", "FOO1", GENE, "9606"),
    annotation("1", "sickness", DISEASE, "D1|D2"),
    annotation("2", "man", "OrganismTaxon", "9606"),
    annotation("3", "FOO1/2", GENE, "9606,77"),
    annotation("4", "c.4A>C", "SequenceVariant", "c|SUB|A|4|C"),
    annotation("5", "sickness", DISEASE, "D1|D2", nth=1),
    annotation("6", "FOO2", GENE, "77"),
    annotation("7", "pain", DISEASE, "-"),
    annotation("8", "kin", GENE, "-"),
]
RELATIONS = [
    relation("D1|D2", "77", "Association", "Novel"),
    relation("c|SUB|A|4|C", "D1|D2", "Positive_Correlation"),
    relation("77", "9606", "Bind"),
    relation("77", "77", "Association"),
]


def corpus(document=None, **changes):
    document = document or {
        "id": "21",
        "passages": [
            {"offset": 0, "text": TITLE, "annotations": ANNOTATIONS[:3]},
            {
                "offset": len(TITLE) + 1,
                "text": ABSTRACT,
                "annotations": ANNOTATIONS[3:],
            },
        ],
        "relations": RELATIONS,
        **changes,
    }
    train = json.dumps({"documents": [document]}, indent=1)
    empty = json.dumps({"documents": []})
    return {
        "Train.BioC.JSON": train,
        "Dev.BioC.JSON": empty,
        "Test.BioC.JSON": empty,
    }


@pytest.fixture
def converted(convert_files):
    docs, report = convert_files("biored", corpus(), strict=True)
    return docs["train"][0], report["train"]


def test_mentions(converted):
    doc, _ = converted
    assert doc.text == TEXT
    assert doc.user_data["doc_id"] == "21"
    spans = [(s.id_, s.text, s.label_, s.kb_id_) for s in doc.spans["entities"]]
    assert spans == [
        ("0", "FOO1", GENE, "9606"),
        ("1", "sickness", DISEASE, "D1|D2"),
        ("2", "man", "OrganismTaxon", "9606"),
        ("3", "FOO1/2", GENE, "9606,77"),
        ("4", "c.4A>C", "SequenceVariant", "c|SUB|A|4|C"),
        ("5", "sickness", DISEASE, "D1|D2"),
        ("6", "FOO2", GENE, "77"),
        ("7", "pain", DISEASE, ""),
        ("8", "kin", GENE, ""),
    ]


def test_concept_relations(converted):
    doc, _ = converted
    # In the order of the data; the type of "9606" is not that of the species.
    assert [list(relation) for relation in doc.user_data["concept_relations"]] == [
        ["D1|D2", "77", "Association", DISEASE, GENE, "Novel"],
        [
            *("c|SUB|A|4|C", "D1|D2", "Positive_Correlation"),
            *("SequenceVariant", DISEASE, "No"),
        ],
        ["77", "9606", "Bind", GENE, GENE, "No"],
        ["77", "77", "Association", GENE, GENE, "No"],
    ]


def test_mention_pairs_in_text_order(converted):
    doc, _ = converted
    ids = {(s.start, s.end): s.id_ for s in doc.spans["entities"]}
    pairs = set()
    for relation in get_relations(doc):
        subject, object_ = relation.subject, relation.object
        first, second = (ids[span.start, span.end] for span in (subject, object_))
        pairs.add((first, second, relation.label))
    assert pairs == {
        *[("1", "3", "Association"), ("3", "5", "Association")],
        *[("1", "6", "Association"), ("5", "6", "Association")],
        *[("1", "4", "Positive_Correlation"), ("4", "5", "Positive_Correlation")],
        # FOO1/2 is a mention of both, but not related to itself.
        *[("0", "3", "Bind"), ("0", "6", "Bind"), ("3", "6", "Bind")],
        ("3", "6", "Association"),
    }


def test_report(converted):
    data = converted[1].to_data()
    assert data["input"] == {"mentions": 9, "relations": 4}
    assert data["concept_relations"] == {
        "Association": 2,
        "Bind": 1,
        "Positive_Correlation": 1,
    }
    assert data["relations"] == {
        "Association": 5,
        "Bind": 3,
        "Positive_Correlation": 2,
    }
    counts = {(f["what"], f["reason"]): f["count"] for f in data["findings"]}
    assert counts["concept relation", "of a concept with itself"] == 1
    assert counts["concept relation", "has no mention pair in one sentence"] == 2
    assert counts["mention", "has no identifier"] == 2
    assert counts["pair", "has more than one label"] == 1


@pytest.mark.parametrize(
    "changes,reason",
    [
        ({"relations": [relation("77", "123", "Bind")]}, "a concept has no mention"),
        # One of its parts is no concept.
        ({"relations": [relation("77", "D1", "Bind")]}, "a concept has no mention"),
        # Only a species has it.
        (
            {
                "passages": [
                    {"offset": 0, "text": TITLE, "annotations": ANNOTATIONS[1:3]},
                    {"offset": len(TITLE) + 1, "text": ABSTRACT, "annotations": []},
                ],
                "relations": [relation("D1|D2", "9606", "Bind")],
            },
            "a concept has no mention",
        ),
        (
            {
                "passages": [
                    {
                        "offset": 0,
                        "text": TITLE,
                        "annotations": [
                            annotation("0", "FOO1", GENE, "5"),
                            annotation("1", "sickness", DISEASE, "5"),
                        ],
                    },
                    {"offset": len(TITLE) + 1, "text": ABSTRACT, "annotations": []},
                ],
                "relations": [relation("5", "5", "Bind")],
            },
            "an identifier has several types",
        ),
    ],
)
def test_losses(convert_files, changes, reason):
    with pytest.raises(ValueError, match=f"train: relation: {reason} .*document 21"):
        convert_files("biored", corpus(**changes), strict=True)
    docs, report = convert_files("biored", corpus(**changes))
    assert [finding.reason for _, finding, _ in report.losses()] == [reason]
    assert get_relations(docs["train"][0]) == ()


def test_truncated(convert_files):
    files = corpus()
    files["Train.BioC.JSON"] = files["Train.BioC.JSON"][:400]
    last = files["Train.BioC.JSON"].count("\n") + 1
    message = rf"Train.BioC.JSON, line {last}: expected JSON, .* complete\?"
    with pytest.raises(ValueError, match=message):
        convert_files("biored", files)


@pytest.mark.parametrize("text", ["[]", "{}", '{"documents": {}}'])
def test_other_json(convert_files, text):
    message = "Train.BioC.JSON, line 1: expected a JSON object with a list 'documents'"
    with pytest.raises(ValueError, match=message):
        convert_files("biored", {**corpus(), "Train.BioC.JSON": text})


@pytest.mark.parametrize(
    "changes,expected",
    [
        ({"passages": []}, "expected two passages"),
        ({"relations": None}, "expected a BioC document"),
        ({"relations": [{"infons": {}}]}, "expected a BioC document"),
        (
            {
                "passages": [
                    {"offset": 0, "text": "A" + TITLE, "annotations": ANNOTATIONS[:1]},
                    {"offset": 0, "text": ABSTRACT, "annotations": []},
                ]
            },
            "expected 'FOO1' at 0 to 4 of document 21",
        ),
    ],
)
def test_bad_document_is_named_with_its_line(convert_files, changes, expected):
    with pytest.raises(ValueError, match=f"Train.BioC.JSON, line 3: {expected}"):
        convert_files("biored", corpus(**changes))


def test_mention_in_pieces(convert_files):
    broken = annotation("0", "FOO1", GENE, "9606")
    broken["locations"] *= 2
    passages = [
        {"offset": 0, "text": TITLE, "annotations": [broken]},
        {"offset": len(TITLE) + 1, "text": ABSTRACT, "annotations": []},
    ]
    with pytest.raises(ValueError, match="expected mentions in one piece, but 'FOO1'"):
        convert_files("biored", corpus(passages=passages))
