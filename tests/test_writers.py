"""What is written is read back by readers that know nothing of the writers."""

import csv
import json
import sys
from pathlib import Path

import networkx
import pytest
import rdflib
import spacy
import srsly
from apply_texts import make_ner, write_jsonl
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin, Span

from spacy_dualre import get_relations
from spacy_dualre.apply import Selection, Settings, apply
from spacy_dualre.apply.records import to_doc, to_record
from spacy_dualre.cli.convert import convert
from spacy_dualre.doc_bins import read_docs
from spacy_dualre.output.writers import WRITERS, find_writer, writer_names
from spacy_dualre.output.writers.brat import annotate
from spacy_dualre.output.writers.rdf import Names, literal, triples
from spacy_dualre.output.writers.results import Results
from spacy_dualre.output.writers.writer import Writer

MODEL = "en_model 1.0"
# "anna" is the same entity as "Anna"; Rome has an id, whatever it is called.
DOCUMENTS = [
    {
        "id": "a/1",
        "text": 'It rains. "Anna", says\r\nBerta,\tknows Rome.',
        "entities": [
            {"start": 11, "end": 15, "label": "PER"},
            {"start": 24, "end": 29, "label": "PER"},
            {"start": 37, "end": 41, "label": "LOC", "id": "Q220"},
        ],
        "relations": [
            {"subject": 0, "object": 2, "label": "lives-in", "score": 0.75},
            {"subject": 0, "object": 1, "label": "knows", "score": 0.5},
        ],
        "sentences": [[0, 9], [10, 42]],
    },
    {"id": "bad", "error": "can't be processed"},
    {
        "id": "b",
        "text": "anna lives in Roma. Berta knows ANNA.",
        "entities": [
            {"start": 0, "end": 4, "label": "PER"},
            {"start": 14, "end": 18, "label": "LOC", "id": "Q220"},
            {"start": 20, "end": 25, "label": "PER"},
            {"start": 32, "end": 36, "label": "PER"},
        ],
        "relations": [
            {"subject": 0, "object": 1, "label": "lives-in", "score": 0.9},
            {"subject": 2, "object": 3, "label": "knows", "score": 0.25},
        ],
        "sentences": [[0, 19], [20, 37]],
    },
]


NLP = spacy.blank("en")


def make_results(folder, documents=DOCUMENTS, **selection) -> Results:
    path = folder / "000000.jsonl"
    lines = []
    for document in documents:
        if "text" in document and "tokens" not in document:
            text = document["text"]
            edges = {0, len(text)}
            for entity in document["entities"]:
                edges |= {entity["start"], entity["end"]}
            for token in NLP.make_doc(text):
                edges |= {token.idx, token.idx + len(token)}
            tokens = [
                [start, end]
                for start, end in zip(sorted(edges), sorted(edges)[1:])
                if text[start:end] != " " and start < end
            ]
            document = {**document, "tokens": tokens}
        lines.append(document)
    srsly.write_jsonl(path, lines)
    parts = [(path, len(documents))]
    return Results(parts, MODEL, ["knows"], Selection(**selection))


def write(results, output) -> Path:
    find_writer(output, None, results.selection).write(results, output)
    return output


def test_every_format_is_registered_and_loads():
    assert writer_names() == sorted(
        ["brat", "csv", "graphml", "jsonl", "jsonld"]
        + ["neo4j", "nt", "parquet", "spacy", "tsv", "ttl"]
    )
    assert all(isinstance(WRITERS.get(name), Writer) for name in writer_names())


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("spacy_dualre.output.writers.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'networkx.*pip install "spacy-dualre\[graph'):
        find_writer(tmp_path / "a.graphml", None, Selection())


def test_facts_are_merged(tmp_path):
    facts = list(make_results(tmp_path, merge=True).facts())
    assert [fact.predicate for fact in facts] == ["lives-in", "knows"]
    lives, knows = facts
    assert [e.document for e in lives.evidence] == ["a/1", "b"]
    assert [e.score for e in lives.evidence] == [0.75, 0.9]
    assert lives.score == 0.9 and lives.best.object_text == "Roma"
    # Symmetric: the evidence of "Berta knows ANNA" is turned round.
    assert knows.subject.text == "Anna" and knows.object.text == "Berta"
    assert [e.subject_text for e in knows.evidence] == ["Anna", "ANNA"]
    assert knows.evidence[1].subject_start == 32
    assert knows.evidence[1].sentence == "Berta knows ANNA."
    assert knows.evidence[1].sentence_start == 20


def test_facts_are_selected(tmp_path):
    facts = make_results(tmp_path, min_score=0.5, labels=["knows"]).facts()
    assert [(f.predicate, f.score) for f in facts] == [("knows", 0.5)]


@pytest.mark.parametrize("ending,delimiter", [("csv", ","), ("tsv", "\t")])
def test_tables(tmp_path, ending, delimiter):
    output = write(make_results(tmp_path), tmp_path / f"out.{ending}")
    with output.open(encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=delimiter))
    assert len(rows) == 4
    assert rows[0] == {
        "subject": "Anna",
        "subject_type": "PER",
        "subject_id": "",
        "predicate": "lives-in",
        "object": "Rome",
        "object_type": "LOC",
        "object_id": "Q220",
        "score": "0.75",
        "document": "a/1",
        "sentence": '"Anna", says\r\nBerta,\tknows Rome.',
        "sentence_start": "10",
        "subject_start": "11",
        "subject_end": "15",
        "object_start": "37",
        "object_end": "41",
        "model": MODEL,
        "mentions": "1",
        "evidence": "",
    }
    output = write(make_results(tmp_path, merge=True), tmp_path / f"out.{ending}")
    with output.open(encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=delimiter))
    assert [row["mentions"] for row in rows] == ["2", "2"]
    assert [e["document"] for e in json.loads(rows[0]["evidence"])] == ["a/1", "b"]


@pytest.mark.parametrize("ending,format_", [("nt", "nt"), ("ttl", "turtle")])
@pytest.mark.parametrize("merge", [False, True])
def test_rdf(tmp_path, ending, format_, merge):
    base = "https://example.org/"
    results = make_results(tmp_path, merge=merge, base_iri=base)
    output = write(results, tmp_path / f"out.{ending}")
    graph = rdflib.Graph().parse(output, format=format_)
    query = """
    PREFIX v: <https://example.org/vocab/>
    PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
    SELECT ?s ?o ?score ?document ?start ?sentence WHERE {
        ?st rdf:subject ?s; rdf:object ?o; rdf:predicate <%s>;
            v:score ?score; v:document ?document; v:subject_start ?start;
            v:sentence ?sentence; v:model "en_model 1.0".
        ?s <%s> ?o .
    } ORDER BY ?document
    """
    predicate = f"{base}predicate/lives-in"
    found = graph.query(query % (predicate, predicate))
    rows = [tuple(value.toPython() for value in row) for row in found]
    anna, rome = f"{base}entity/PER%2Fanna", f"{base}entity/Q220"
    sentence = '"Anna", says\r\nBerta,\tknows Rome.'
    assert [row[:2] for row in rows] == [(anna, rome)] * 2
    assert [float(row[2]) for row in rows] == [0.75, 0.9]
    assert rows[0][3:] == ("a/1", 11, sentence)


def test_an_id_that_is_an_iri_names_its_entity(tmp_path):
    document = {**DOCUMENTS[0], "entities": [dict(e) for e in DOCUMENTS[0]["entities"]]}
    document["entities"][2]["id"] = "http://www.wikidata.org/entity/Q220"
    results = make_results(tmp_path, [document])
    subjects = {s for s, _, _ in triples(results)}
    assert "<http://www.wikidata.org/entity/Q220>" in subjects


def test_neo4j(tmp_path):
    results = make_results(tmp_path, merge=True)
    folder = tmp_path / "out.neo4j"
    write(results, folder)
    with (folder / "nodes.csv").open(encoding="utf8", newline="") as file:
        nodes = {row["id:ID"]: row for row in csv.DictReader(file)}
    with (folder / "relationships.csv").open(encoding="utf8", newline="") as file:
        relationships = list(csv.DictReader(file))
    assert [node["name"] for node in nodes.values()] == ["Anna", "Rome", "Berta"]
    assert nodes["id:Q220"][":LABEL"] == "Entity;LOC"
    assert [r[":TYPE"] for r in relationships] == ["lives-in", "knows"]
    assert all(r[":START_ID"] in nodes and r[":END_ID"] in nodes for r in relationships)
    assert relationships[0]["score:double"] == "0.9"
    assert relationships[0]["subject_start:int"] == "0"


def test_graphml(tmp_path):
    documents = [{**DOCUMENTS[0], "id": "bell \x07"}, DOCUMENTS[2]]
    output = write(make_results(tmp_path, documents), tmp_path / "out.graphml")
    graph = networkx.read_graphml(output)
    assert sorted(label for _, label in graph.nodes(data="label")) == [
        *("Anna", "Berta", "Rome")
    ]
    edges = list(graph.edges(data=True))
    assert len(edges) == 4
    (first,) = (d for _, _, d in edges if d["score"] == 0.75)
    assert first["label"] == "lives-in" and first["subject_start"] == 11
    assert first["document"] == "bell \ufffd" and first["model"] == MODEL


def test_spacy(tmp_path):
    output = write(make_results(tmp_path), tmp_path / "out.spacy")
    docs = list(DocBin().from_disk(output).get_docs(spacy.blank("en").vocab))
    assert [doc.text for doc in docs] == [d["text"] for d in DOCUMENTS if "text" in d]
    assert docs[0].user_data["doc_id"] == "a/1"
    assert docs[0].user_data["model"] == MODEL
    assert [e.text for e in docs[0].ents] == ["Anna", "Berta", "Rome"]
    assert docs[0].ents[2].kb_id_ == "Q220"
    relations = [(str(r), r.score) for r in get_relations(docs[0])]
    assert relations == [
        ("(Anna, knows, Berta)", 0.5),
        ("(Anna, lives-in, Rome)", 0.75),
    ]
    assert [sent.text for sent in docs[1].sents] == [
        *("anna lives in Roma.", "Berta knows ANNA.")
    ]


def test_jsonl_is_read_by_convert(tmp_path):
    (tmp_path / "in").mkdir()
    write(make_results(tmp_path), tmp_path / "in" / "train.jsonl")
    convert("jsonl", tmp_path / "in", tmp_path / "corpus")
    path = tmp_path / "corpus" / "train.spacy"
    docs = list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))
    assert [str(relation) for relation in get_relations(docs[1])] == [
        *("(anna, lives-in, Roma)", "(Berta, knows, ANNA)")
    ]
    facts = write(make_results(tmp_path, merge=True), tmp_path / "facts.jsonl")
    first = json.loads(facts.read_text("utf8").splitlines()[0])
    assert first["score"] == 0.9 and len(first["evidence"]) == 2


def test_brat_is_read_by_convert(tmp_path):
    folder = tmp_path / "out.brat"
    documents = [*DOCUMENTS, {**DOCUMENTS[2]}, {**DOCUMENTS[2], "id": ".."}]
    write(make_results(tmp_path, documents), folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        *("%2E%2E.ann", "%2E%2E.txt", "a%2F1.ann", "a%2F1.txt"),
        *("b-2.ann", "b-2.txt", "b.ann", "b.txt"),
    ]
    convert("brat", folder, tmp_path / "corpus")
    path = tmp_path / "corpus" / "train.spacy"
    docs = list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))
    by_id = {doc.user_data["doc_id"]: doc for doc in docs}
    found = [str(relation) for relation in get_relations(by_id["b"])]
    assert found == ["(anna, lives-in, Roma)", "(Berta, knows, ANNA)"]
    assert by_id["a%2F1"].text == DOCUMENTS[0]["text"]
    assert by_id["b"].ents[1].kb_id_ == "kb:Q220"


def test_web_annotation(tmp_path):
    output = write(make_results(tmp_path, merge=True), tmp_path / "out.jsonld")
    page = json.loads(output.read_text("utf8"))
    assert page["type"] == "AnnotationPage" and len(page["items"]) == 2
    texts = {d["id"]: d["text"] for d in DOCUMENTS if "text" in d}
    for item in page["items"]:
        assert item["type"] == "Annotation" and item["generator"]["name"] == MODEL
        targets = {target["id"]: target for target in item["target"]}
        for target in targets.values():
            position, quote = target["selector"]
            names = Names("urn:dualre:")
            (text,) = (
                text
                for id_, text in texts.items()
                if names.name("document", id_) == target["source"]
            )
            exact = text[position["start"] : position["end"]]
            assert quote["exact"] == exact
        assert len(item["body"]["evidence"]) == 2
        assert {e["subject"] for e in item["body"]["evidence"]} <= set(targets)


def test_formats_are_written_from_the_same_parts(trained_path, tmp_path):
    ner = make_ner(tmp_path / "ner")
    source = write_jsonl(tmp_path / "in.jsonl", ["Anna was born in Rome ."] * 5)
    options = {"settings": Settings(ner=str(ner)), "parts": tmp_path / "parts"}
    for name in writer_names():
        output = tmp_path / f"out.{name}"
        for _ in range(2):  # it takes the place of what it has written before
            outcome = apply(trained_path, source, output, **options)
        assert output.exists() and outcome.new == 0 or name == "brat"
    graph = rdflib.Graph().parse(tmp_path / "out.nt", format="nt")
    triple = ("urn:dualre:entity/Q1", "urn:dualre:predicate/born_in")
    rome = rdflib.URIRef("http://example.org/rome")
    assert (*map(rdflib.URIRef, triple), rome) in graph


# Escaping. No half surrogates: they are refused before.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
# Before Python 3.11 a CSV file can't hold NUL.
OF_CSV = TEXT if sys.version_info >= (3, 11) else TEXT.filter(lambda t: "\0" not in t)


@given(TEXT)
def test_any_text_is_a_literal(text):
    line = f"<urn:a> <urn:b> {literal(text)} ."
    graph = rdflib.Graph().parse(data=line, format="nt")
    ((_, _, found),) = graph
    assert str(found) == text


@settings(max_examples=30)
@given(st.lists(st.tuples(OF_CSV, OF_CSV, OF_CSV), min_size=1, max_size=3))
def test_any_text_goes_through_a_table_and_through_rdf(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("any")
    documents = []
    for doc_id, text, id_ in rows:
        text = f"{text}ab"
        n = len(text)
        entities = [
            {"start": n - 2, "end": n - 1, "label": "A", "id": id_},
            {"start": n - 1, "end": n, "label": "B"},
        ]
        relation = {"subject": 0, "object": 1, "label": f"r{id_}", "score": 0.5}
        documents.append(
            {
                **{"id": doc_id, "text": text, "entities": entities, "tokens": []},
                "relations": [relation],
            }
        )
    results = make_results(folder, documents)
    for ending, delimiter in (("csv", ","), ("tsv", "\t")):
        output = write(results, folder / f"out.{ending}")
        with output.open(encoding="utf8", newline="") as file:
            found = list(csv.DictReader(file, delimiter=delimiter))
        assert [(r["document"], r["sentence"], r["subject_id"]) for r in found] == [
            (doc_id, f"{text}ab", id_) for doc_id, text, id_ in rows
        ]
    graph = rdflib.Graph().parse(write(results, folder / "out.nt"), format="nt")
    documents_of = rdflib.URIRef("urn:dualre:vocab/document")
    assert {str(o) for o in graph.objects(None, documents_of)} == {
        doc_id for doc_id, _, _ in rows
    }


@given(TEXT, TEXT, TEXT)
def test_any_mention_goes_through_brat(before, mention, label):
    record = {
        "text": f"{before}x{mention}y",
        "entities": [{"start": len(before), "end": len(before) + 2 + len(mention)}],
        "relations": [],
        "model": MODEL,
    }
    record["entities"][0]["label"] = label
    (line,) = annotate(record)
    assert "\n" not in line and "\r" not in line
    id_, type_and_offsets, words = line.split("\t", 2)
    type_, offsets = type_and_offsets.split(" ", 1)
    assert id_ == "T1" and type_
    pieces = [
        record["text"][int(start) : int(end)]
        for start, end in (piece.split() for piece in offsets.split(";"))
    ]
    assert " ".join(pieces) == words
    assert "".join(pieces) == f"x{mention}y".replace("\n", "").replace("\r", "")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_text_is_the_same_as_a_doc(text):
    given_doc = NLP(text)
    record = to_record(given_doc, "a", "relations", None)
    doc = to_doc(json.loads(json.dumps(record)), NLP.vocab)
    assert doc.text == text
    assert [token.text for token in doc] == [token.text for token in given_doc]


@pytest.mark.parametrize("spans_key", [None, "entities"])
def test_the_ids_of_mentions_in_a_file_are_no_ids_of_entities(tmp_path, spans_key):
    (tmp_path / "a.txt").write_text("Anna met Berta .", encoding="utf8")
    lines = ["T1\tPER 0 4\tAnna", "T2\tPER 9 14\tBerta", "N1\tReference T2 Wiki:Q7\tB"]
    (tmp_path / "a.ann").write_text("\n".join(lines), encoding="utf8")
    convert("brat", tmp_path, tmp_path / "corpus")
    (doc,) = read_docs(tmp_path / "corpus" / "train.spacy", NLP.vocab)
    assert [span.id_ for span in doc.spans["entities"]] == ["T1", "T2"]
    entities = to_record(doc, "a", "relations", spans_key)["entities"]
    assert [entity.get("id") for entity in entities] == [None, "Wiki:Q7"]


def test_the_ids_of_a_ruler_and_of_a_linker_are_kept():
    doc = NLP("Anna met Berta")
    doc.ents = [
        Span(doc, 0, 1, "PER", span_id="anna"),
        Span(doc, 2, 3, "PER", kb_id="Q7", span_id="berta"),
    ]
    entities = to_record(doc, "a", "relations", None)["entities"]
    assert [entity["id"] for entity in entities] == ["anna", "Q7"]
