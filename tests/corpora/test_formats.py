"""Formats of annotation tools and datasets. Texts are made up."""

import copy
import json
import re

import pytest

from spacy_dualre import get_relations
from spacy_dualre.corpora import format_names

TEXT = "Ann Poe runs Baa Inc. It is old."
ANN = "T1\tPER 0 7\tAnn Poe\nT2\tORG 13 20\tBaa Inc\nT3\tRUN 8 12\truns\n"
TOKENS = ["Ann", "Poe", "runs", "Baa", "Inc", "."]
MENTIONS = [("Ann Poe", "PER"), ("Baa Inc", "ORG")]


def dumps(*items):
    return "".join(json.dumps(item) + "\n" for item in items)


@pytest.fixture
def convert_one(convert_files):
    """Convert one file; returns the only Doc of train and the report of train."""

    def convert_one(corpus, name, text, **others):
        docs, report = convert_files(corpus, {name: text, **others})
        (doc,) = docs["train"]
        return doc, report["train"]

    return convert_one


def mentions(doc):
    return [(span.text, span.label_) for span in doc.spans["entities"]]


def relations(doc):
    return [str(relation) for relation in get_relations(doc)]


def outcomes(report):
    return {
        (finding.outcome, finding.what): len(doc_ids)
        for finding, doc_ids in report.findings.items()
    }


def test_all_formats_are_registered():
    assert {
        *("bioc", "biored", "brat", "brat-events", "chemprot", "doccano", "docred"),
        *("fewrel", "fire", "jsonl", "labelstudio", "prodigy", "pubtator", "scierc"),
        *("semeval2010", "spert", "tacred"),
    } <= set(format_names())


# brat


def brat(ann, text=TEXT):
    return {"data/1.txt": text, "data/1.ann": ann}


def test_brat(convert_files):
    ann = ANN + "R1\truns Arg1:T1 Arg2:T2\t\nN1\tReference T1 Wiki:Q7\tAnn\n"
    docs, report = convert_files("brat", brat(ann), strict=True)
    (doc,) = docs["train"]
    assert doc.user_data["doc_id"] == "1"
    assert mentions(doc) == [*MENTIONS, ("runs", "RUN")]
    assert relations(doc) == ["(Ann Poe, runs, Baa Inc)"]
    first = doc.spans["entities"][0]
    assert (first.id_, first.kb_id_) == ("T1", "Wiki:Q7")
    assert any("all is written to train.spacy" in w for w in report.warnings)


def test_brat_splits_are_folders(convert_files):
    files = {f"{split}/a.txt": TEXT for split in ("train", "dev", "test")}
    files |= {f"{split}/a.ann": ANN for split in ("train", "dev", "test")}
    docs, report = convert_files("brat", files)
    assert {split: len(docs[split]) for split in docs} == dict.fromkeys(docs, 1)
    assert len(docs) == 3
    assert not report.warnings


def test_brat_events_are_relations_on_request(convert_files):
    ann = ANN + "E1\tRUN:T3 Agent:T1 Theme2:T2\nE2\tRUN:T1 Cause:E1\n"
    docs, report = convert_files("brat", brat(ann))
    assert relations(docs["train"][0]) == []
    assert report["train"].total("lost", "event argument") == 3
    docs, _ = convert_files("brat-events", brat(ann), strict=True)
    assert relations(docs["train"][0]) == [
        "(Ann Poe, Cause, runs)",
        "(runs, Agent, Ann Poe)",
        "(runs, Theme, Baa Inc)",
    ]


def test_brat_mention_in_pieces_is_taken_as_a_whole(convert_one):
    ann = "T1\tX 0 3;13 16\tAnn Baa\n"
    doc, report = convert_one("brat", "1.ann", ann, **{"1.txt": TEXT})
    assert mentions(doc) == [("Ann Poe runs Baa", "X")]
    assert outcomes(report)["changed", "mention"] == 1


def test_brat_lines_that_are_not_read_are_counted(convert_one):
    ann = ANN + "A1\tOld T1\n*\tEquiv T1 T2\n#1\tAnnotatorNotes T1\thm\n"
    _, report = convert_one("brat", "1.ann", ann, **{"1.txt": TEXT})
    found = outcomes(report)
    assert found["lost", "attribute"] == 1
    assert found["lost", "equivalence"] == 1
    assert found["noted", "note"] == 1


def test_brat_windows_line_ends(convert_files):
    text = "Ann Poe\r\nruns Baa Inc."
    ann = "T1\tPER 0 7\tAnn Poe\r\nT2\tORG 14 21\tBaa Inc\r\n"
    docs, _ = convert_files("brat", brat(ann, text), strict=True)
    assert mentions(docs["train"][0]) == MENTIONS
    assert docs["train"][0].text == text


@pytest.mark.parametrize(
    "ann,message",
    [
        ("T1\tPER 0 x\tAnn\n", "1.ann, line 1: expected 'T1<tab>Type 0 5<tab>text'"),
        (ANN + "X1\t\n", "1.ann, line 4: expected a line that begins with T, R"),
        (ANN + "T1\tPER 0 7\tAnn Poe\n", "1.ann, line 4: T1 is there twice"),
        ("T1\tPER 0 7\tBob Poe\n", "1.ann, line 1: entity 0: expected 'Bob Poe' at 0"),
        ("T1\tPER 0 99\tAnn\n", "1.ann, line 1: entity 0: expected 'Ann' at 0 to 99"),
    ],
)
def test_brat_errors(convert_files, ann, message):
    with pytest.raises(ValueError, match=message):
        convert_files("brat", brat(ann))


def test_brat_relation_of_no_mention_is_lost(convert_one):
    ann = ANN + "R1\truns Arg1:T1 Arg2:T9\n"
    _, report = convert_one("brat", "1.ann", ann, **{"1.txt": TEXT})
    assert outcomes(report)["lost", "relation"] == 1


def test_brat_text_is_missing(convert_files):
    with pytest.raises(ValueError, match="1.ann, line 1: can't find its text, 1.txt"):
        convert_files("brat", {"1.ann": ANN})


# Formats with tokens


FEWREL = {
    "tokens": TOKENS,
    "relation": "P169",
    "head": [3, 5],
    "tail": [0, 2],
    "head_id": "Q2",
    "tail_id": "Q1",
}


def test_fewrel(convert_one):
    doc, _ = convert_one("fewrel", "a.jsonl", dumps(FEWREL))
    assert doc.text == "Ann Poe runs Baa Inc."
    assert relations(doc) == [
        "(Ann Poe, no_relation, Baa Inc)",
        "(Baa Inc, P169, Ann Poe)",
    ]
    assert doc.spans["entities"][0].kb_id_ == "Q2"
    assert doc.user_data["complete"] is False
    assert len(list(doc.sents)) == 1


def test_fewrel_says_nothing_of_the_reverse_of_a_symmetric_property(convert_one):
    doc, _ = convert_one("fewrel", "a.jsonl", dumps({**FEWREL, "relation": "P26"}))
    assert relations(doc) == ["(Baa Inc, P26, Ann Poe)"]


@pytest.mark.parametrize(
    "change,message",
    [
        ({"head": [3, 9]}, "expected 'head' within the 6 tokens"),
        ({"head": [True, 2]}, "expected whole numbers .* 'head'"),
        ({"tokens": ["a", 1]}, "expected strings as tokens"),
        ({"head": 3}, "an object with 'tokens', 'relation', 'head' and 'tail'"),
        ({"relation": ["P1"]}, "expected a string .* 'relation'"),
    ],
)
def test_fewrel_errors(convert_files, change, message):
    files = {"train.jsonl": dumps(FEWREL, {**FEWREL, **change})}
    with pytest.raises(ValueError, match=f"train.jsonl, line 2: .*{message}"):
        convert_files("fewrel", files)


TACRED = {
    "id": "e1",
    "token": [*TOKENS[:3], "-LRB-", "Baa", "-RRB-"],
    "relation": "org:top",
    **{"subj_start": 4, "subj_end": 4, "subj_type": "ORG"},
    **{"obj_start": 0, "obj_end": 1, "obj_type": "PER"},
}


def test_tacred(convert_one):
    doc, _ = convert_one("tacred", "train.json", json.dumps([TACRED]))
    assert doc.text == "Ann Poe runs (Baa)"
    assert relations(doc) == ["(Baa, org:top, Ann Poe)"]
    assert doc.user_data["complete"] is False


def test_tacred_no_relation_is_kept(convert_one):
    row = {**TACRED, "relation": "no_relation"}
    doc, report = convert_one("tacred", "train.json", json.dumps([row]))
    assert relations(doc) == ["(Baa, no_relation, Ann Poe)"]
    assert (report.no_relation, report.relations.total()) == (1, 0)


SPERT = {
    "tokens": TOKENS,
    "entities": [
        {"type": "PER", "start": 0, "end": 2},
        {"type": "ORG", "start": 3, "end": 5},
    ],
    "relations": [{"type": "runs", "head": 0, "tail": 1}],
    "orig_id": 7,
}


@pytest.mark.parametrize("corpus", ["spert", "fire"])
def test_spert(convert_one, corpus):
    doc, _ = convert_one(corpus, "fire_train.json", json.dumps([SPERT], indent=1))
    assert doc.user_data["doc_id"] == "7"
    assert mentions(doc) == MENTIONS
    assert relations(doc) == ["(Ann Poe, runs, Baa Inc)"]


def test_spert_empty_token_is_left_out(convert_one):
    row = {**SPERT, "tokens": [*TOKENS[:5], ""]}
    doc, report = convert_one("spert", "train.json", json.dumps([row]))
    assert doc.text == "Ann Poe runs Baa Inc"
    assert outcomes(report) == {("lost", "token"): 1}


@pytest.mark.parametrize("index", [2, -1, True, "0"])
def test_spert_errors(convert_files, index):
    row = {**SPERT, "relations": [{"type": "runs", "head": 0, "tail": index}]}
    text = json.dumps([SPERT, row], indent=0)
    line = text[: text.rindex('"tokens"')].count("\n")
    message = f"train.json, line {line}: expected subject and object as positions"
    with pytest.raises(ValueError, match=message):
        convert_files("spert", {"train.json": text})


DOCRED = {
    "title": "Ann",
    "sents": [TOKENS, ["She", "left", "Baa", "."]],
    "vertexSet": [
        [
            {"name": "Ann Poe", "type": "PER", "sent_id": 0, "pos": [0, 2]},
            {"name": "She", "type": "MISC", "sent_id": 1, "pos": [0, 1]},
        ],
        [{"name": "Baa Inc", "type": "ORG", "sent_id": 0, "pos": [3, 5]}],
        [{"name": "Baa", "type": "LOC", "sent_id": 1, "pos": [2, 3]}],
    ],
    "labels": [
        {"h": 1, "t": 0, "r": "P169", "evidence": [0]},
        {"h": 0, "t": 1, "r": "P108", "evidence": [0]},
    ],
    "unknown": [[0, 2]],
}


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_docred(convert_one, suffix):
    text = dumps(DOCRED) if suffix == "jsonl" else json.dumps([DOCRED])
    doc, report = convert_one("docred", f"train.{suffix}", text)
    assert [s.text for s in doc.sents] == ["Ann Poe runs Baa Inc.", "She left Baa."]
    assert relations(doc) == [
        "(Ann Poe, P108, Baa Inc)",
        "(Baa Inc, P169, Ann Poe)",
        "(Baa Inc, P169, She)",
        "(She, P108, Baa Inc)",
    ]
    assert [list(row)[:3] for row in doc.user_data["concept_relations"]] == [
        ["e1", "e0", "P169"],
        ["e0", "e1", "P108"],
    ]
    left = doc.text.index("Baa.")
    pairs = {tuple(pair) for pair in doc.user_data["unknown_pairs"]}
    she = doc.text.index("She")
    assert pairs == {(0, 7, left, left + 3), (she, she + 3, left, left + 3)}
    assert outcomes(report)["changed", "mention"] == 1
    assert "complete" not in doc.user_data


def test_docred_without_labels_is_not_complete(convert_one):
    data = {key: DOCRED[key] for key in ("title", "sents", "vertexSet")}
    doc, _ = convert_one("docred", "train.json", json.dumps([data]))
    assert doc.user_data["complete"] is False


def test_docred_repeated_label_is_merged(convert_one):
    data = {**DOCRED, "labels": DOCRED["labels"] * 2}
    doc, report = convert_one("docred", "train.json", json.dumps([data]))
    assert report.total("merged", "relation") == 2
    assert len(doc.user_data["concept_relations"]) == 2


@pytest.mark.parametrize("change", [{"labels": [{"h": 3, "t": 0, "r": "x"}]}])
def test_docred_errors(convert_files, change):
    text = json.dumps([{**DOCRED, **change}])
    with pytest.raises(ValueError, match="train.json, line 1: expected 'h' and 't'"):
        convert_files("docred", {"train.json": text})


# Annotation tools


def span(start, end, label):
    return {"start": start, "end": end, "label": label}


PRODIGY = {
    "text": TEXT,
    "spans": [span(0, 7, "PER"), span(13, 20, "ORG")],
    "relations": [
        {
            **{"head": 1, "child": 4, "label": "runs"},
            "head_span": span(0, 7, "PER"),
            "child_span": span(13, 20, "ORG"),
        }
    ],
    "answer": "accept",
}


def test_prodigy(convert_one):
    rejected = {**PRODIGY, "answer": "reject"}
    doc, report = convert_one("prodigy", "db.jsonl", dumps(rejected, PRODIGY))
    assert mentions(doc) == MENTIONS
    assert relations(doc) == ["(Ann Poe, runs, Baa Inc)"]
    assert outcomes(report)["lost", "document"] == 1
    assert "complete" not in doc.user_data


def test_prodigy_without_relations_says_nothing_about_pairs(convert_one):
    task = {"text": TEXT, "spans": PRODIGY["spans"]}
    doc, _ = convert_one("prodigy", "db.jsonl", dumps(task))
    assert doc.user_data["complete"] is False


def test_prodigy_relation_of_a_token_without_label_is_lost(convert_one):
    row = {**PRODIGY["relations"][0], "child_span": span(8, 12, None)}
    task = {**PRODIGY, "relations": [row]}
    doc, report = convert_one("prodigy", "db.jsonl", dumps(task))
    assert relations(doc) == []
    assert outcomes(report)["lost", "relation"] == 1


def region(id_, start, end, label):
    text = TEXT[start:end]
    value = {"start": start, "end": end, "text": text, "labels": [label]}
    return {"id": id_, "type": "labels", "value": value}


def labelstudio(direction="right", labels=("runs",)):
    relation = {"type": "relation", "from_id": "a", "to_id": "b"}
    relation |= {"direction": direction, "labels": list(labels)}
    regions = [region("a", 0, 7, "PER"), region("b", 13, 20, "ORG")]
    annotation = {"result": [*regions, relation]}
    cancelled = {"was_cancelled": True, "result": []}
    annotations = [cancelled, annotation, annotation]
    task = {"id": 4, "data": {"text": TEXT, "n": 1}, "annotations": annotations}
    return json.dumps([task])


@pytest.mark.parametrize(
    "direction,expected",
    [
        ("right", ["(Ann Poe, runs, Baa Inc)"]),
        ("left", ["(Baa Inc, runs, Ann Poe)"]),
        ("bi", ["(Ann Poe, runs, Baa Inc)", "(Baa Inc, runs, Ann Poe)"]),
    ],
)
def test_labelstudio(convert_one, direction, expected):
    doc, report = convert_one("labelstudio", "export.json", labelstudio(direction))
    assert mentions(doc) == MENTIONS
    assert relations(doc) == expected
    assert outcomes(report)["lost", "annotation"] == 1


def test_labelstudio_relation_without_label_is_lost(convert_one):
    _, report = convert_one("labelstudio", "export.json", labelstudio(labels=()))
    assert outcomes(report)["lost", "relation"] == 1


def test_labelstudio_region_labelled_twice_has_its_first_type(convert_one):
    (task,) = json.loads(labelstudio())
    result = task["annotations"][1]["result"]
    result.insert(1, region("a", 0, 7, "POET"))
    doc, report = convert_one("labelstudio", "export.json", json.dumps([task]))
    assert mentions(doc) == MENTIONS
    assert relations(doc) == ["(Ann Poe, runs, Baa Inc)"]
    assert outcomes(report)["lost", "type"] == 1


DOCCANO = {
    "id": 3,
    "text": TEXT,
    "entities": [
        {"id": 10, "start_offset": 0, "end_offset": 7, "label": "PER"},
        {"id": 11, "start_offset": 13, "end_offset": 20, "label": "ORG"},
    ],
    "relations": [{"id": 1, "from_id": 10, "to_id": 11, "type": "runs"}],
    "Comments": [],
}


def test_doccano(convert_one):
    doc, _ = convert_one("doccano", "all.jsonl", dumps(DOCCANO))
    assert mentions(doc) == MENTIONS
    assert relations(doc) == ["(Ann Poe, runs, Baa Inc)"]
    assert doc.user_data["doc_id"] == "3"


def test_doccano_sequence_labels(convert_one):
    data = {"text": TEXT, "label": [[0, 7, "PER"], [13, 20, "ORG"]]}
    doc, _ = convert_one("doccano", "all.jsonl", dumps(data))
    assert mentions(doc) == MENTIONS
    assert doc.user_data["complete"] is False


def test_doccano_ids_are_unique(convert_files):
    entities = [*DOCCANO["entities"], DOCCANO["entities"][0]]
    text = dumps({**DOCCANO, "entities": entities})
    with pytest.raises(ValueError, match="line 1: .* for each entity, but 10 is there"):
        convert_files("doccano", {"all.jsonl": text})


# PubTator and BioC

PUBTATOR = """5|t|Foo1 and pain
5|a|Foo1 causes pain.
5\t0\t4\tFoo1\tGene\t11
5\t9\t13\tpain\tDisease\tD1, D2
5\t14\t18\tFoo1\tGene\t11
5\t26\t30\tpain\tDisease\t-
5\tAssociation\t11\tD2\tNovel

"""


def test_pubtator(convert_one):
    text = PUBTATOR.replace("\n", "\r\n")
    doc, report = convert_one("pubtator", "Train.PubTator", text)
    assert [s.text for s in doc.sents] == ["Foo1 and pain", "Foo1 causes pain."]
    ids = [span.kb_id_ for span in doc.spans["entities"]]
    assert ids == ["11", "D1,D2", "11", ""]
    assert [list(row) for row in doc.user_data["concept_relations"]] == [
        ["11", "D2", "Association", "Gene", "Disease", "Novel"]
    ]
    assert relations(doc) == ["(Foo1, Association, pain)", "(pain, Association, Foo1)"]
    assert outcomes(report)["changed", "mention"] == 1


def test_pubtator_errors(convert_files):
    text = PUBTATOR.replace("5\t0\t4\tFoo1\tGene\t11", "5 0 4 Foo1")
    with pytest.raises(ValueError, match="a.pubtator, line 3: expected 'PMID|t|title'"):
        convert_files("pubtator", {"a.pubtator": text})
    text = PUBTATOR.replace("\tFoo1\t", "\tFoo2\t", 1)
    with pytest.raises(ValueError, match="a.pubtator, line 1: entity 0: .*'Foo2'"):
        convert_files("pubtator", {"a.pubtator": text})


@pytest.mark.parametrize(
    "line,message",
    [
        ("6\t0\t4\tFoo1\tGene\t11", "expected a line of document '5', but found '6"),
        ("6|a|Of another one.", "expected a line of document '5', but found '6"),
        ("5|a|Foo1 again.", "expected 'a' of a document once, but found '5"),
    ],
)
def test_pubtator_block_has_one_document(convert_files, line, message):
    with pytest.raises(ValueError, match=re.escape(f"a.pubtator, line 8: {message}")):
        convert_files("pubtator", {"a.pubtator": PUBTATOR.rstrip() + f"\n{line}\n"})


def test_pubtator_title_of_another_document_needs_no_blank_line(convert_files):
    text = PUBTATOR.rstrip() + "\n" + PUBTATOR.replace("5", "6")
    docs, _ = convert_files("pubtator", {"a.pubtator": text})
    assert [doc.user_data["doc_id"] for doc in docs["train"]] == ["5", "6"]
    assert len({doc.text for doc in docs["train"]}) == 1


BIOC = {
    "documents": [
        {
            "id": "5",
            "passages": [
                {"offset": 0, "text": "Foo1 and pain", "annotations": []},
                {
                    "offset": 14,
                    "text": "Foo1 causes pain.",
                    "annotations": [
                        {
                            "id": "a",
                            "infons": {"type": "Gene", "identifier": "11"},
                            "text": "Foo1",
                            "locations": [{"offset": 14, "length": 4}],
                        },
                        {
                            "id": "b",
                            "infons": {"type": "Disease"},
                            "text": "pain",
                            "locations": [{"offset": 26, "length": 4}],
                        },
                    ],
                },
            ],
            "relations": [
                {
                    "id": "R1",
                    "infons": {"type": "causes"},
                    "nodes": [
                        {"refid": "a", "role": "cause"},
                        {"refid": "b", "role": "effect"},
                    ],
                }
            ],
        }
    ]
}
XML = """<?xml version="1.0"?>
<!DOCTYPE collection SYSTEM "BioC.dtd">
<collection><source/><date/><key/>
<document><id>5</id>
<passage><infon key="type">title</infon><offset>0</offset><text>Foo1 and pain</text>
</passage>
<passage><offset>14</offset><text>Foo1 causes pain.</text>
<annotation id="a"><infon key="type">Gene</infon><infon key="identifier">11</infon>
<location offset="14" length="4"/><text>Foo1</text></annotation>
<annotation id="b"><infon key="type">Disease</infon>
<location offset="26" length="4"/><text>pain</text></annotation>
</passage>
<relation id="R1"><infon key="type">causes</infon><node refid="a" role="cause"/>
<node refid="b" role="effect"/></relation>
</document></collection>
"""


@pytest.mark.parametrize("name", ["train.json", "train.xml"])
def test_bioc(convert_one, name):
    text = XML if name.endswith("xml") else json.dumps(BIOC)
    doc, _ = convert_one("bioc", name, text)
    assert [s.text for s in doc.sents] == ["Foo1 and pain", "Foo1 causes pain."]
    assert mentions(doc) == [("Foo1", "Gene"), ("pain", "Disease")]
    first = doc.spans["entities"][0]
    assert (first.id_, first.kb_id_) == ("a", "11")
    assert relations(doc) == ["(Foo1, causes, pain)"]


def test_bioc_relation_of_three_is_lost(convert_one):
    node = '<node refid="b" role="effect"/>'
    _, report = convert_one("bioc", "train.xml", XML.replace(node, node * 2))
    assert outcomes(report)["lost", "relation"] == 1


def bioc_with_equal_ids():
    """Two passages with the ids "a" and "b" each, and a relation of the document's."""
    data = copy.deepcopy(BIOC)
    (document,) = data["documents"]
    title, abstract = document["passages"]
    foo, pain = copy.deepcopy(abstract["annotations"])
    pain["locations"] = [{"offset": 9, "length": 4}]
    foo["locations"] = [{"offset": 0, "length": 4}]
    title["annotations"] = [foo, pain]
    return data, document


def test_bioc_relation_of_a_passage_is_between_mentions_of_the_passage(convert_one):
    data, document = bioc_with_equal_ids()
    document["passages"][0]["relations"] = document.pop("relations")
    doc, _ = convert_one("bioc", "train.json", json.dumps(data))
    (relation,) = get_relations(doc)
    assert [span.start_char for span in (relation.subject, relation.object)] == [0, 9]


def test_bioc_relation_of_an_id_that_several_mentions_have_is_lost(convert_one):
    data, _ = bioc_with_equal_ids()
    doc, report = convert_one("bioc", "train.json", json.dumps(data))
    assert len(mentions(doc)) == 4
    assert relations(doc) == []
    (lost,) = (finding for finding in report.findings if finding.outcome == "lost")
    assert lost.reason == "the id of an argument is that of several mentions"


def test_bioc_annotations_of_the_document(convert_one):
    data = copy.deepcopy(BIOC)
    (document,) = data["documents"]
    document["annotations"] = document["passages"][1].pop("annotations")
    doc, _ = convert_one("bioc", "train.json", json.dumps(data))
    assert mentions(doc) == [("Foo1", "Gene"), ("pain", "Disease")]
    assert relations(doc) == ["(Foo1, causes, pain)"]


def test_bioc_errors(convert_files):
    with pytest.raises(ValueError, match="a.xml, line 8: expected XML"):
        convert_files(
            "bioc", {"a.xml": XML.replace("<annotation id=", "<annotation =", 1)}
        )
    with pytest.raises(ValueError, match="a.xml, line 4: entity 1: expected 'pine'"):
        convert_files("bioc", {"a.xml": XML.replace("<text>pain", "<text>pine")})


def test_bioc_expands_no_entities_of_a_file(convert_files):
    bomb = '[<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]'
    with pytest.raises(ValueError, match="a.xml, line 2: entities of a file's own"):
        convert_files("bioc", {"a.xml": XML.replace('SYSTEM "BioC.dtd"', bomb)})


def test_bioc_offset_takes_no_memory(convert_files):
    far = {"offset": 99999999999, "text": "far", "annotations": []}
    data = {"documents": [{"id": "1", "passages": [far], "relations": []}]}
    with pytest.raises(ValueError, match="a.json, line 1: .* begins at 99999999999"):
        convert_files("bioc", {"a.json": json.dumps(data)})


@pytest.mark.parametrize(
    "part,other,message",
    [
        ("<offset>14<", "<offset><", "a whole number as offset, but found ''"),
        ('length="4"', 'length="four"', "a whole number as length, but found 'four'"),
        ('length="4"', "", "a whole number as length"),
        ("<date/>", "<document>" + "<passage>" * 5000, "expected XML"),
        ("<offset>14<", "<x>" * 5000 + "</x>" * 5000 + "<offset>14<", "too deeply"),
    ],
)
def test_bioc_errors_in_xml_name_file_and_line(convert_files, part, other, message):
    with pytest.raises(ValueError, match=f"a.xml, line [0-9]+: .*{message}"):
        convert_files("bioc", {"a.xml": XML.replace(part, other, 1)})
