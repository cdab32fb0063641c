"""Drawings of relations."""

import spacy
from spacy.tokens import Span

from spacy_dualre.output.drawing import draw_relations, parse_relations


def make_doc(sentences=None):
    nlp = spacy.blank("en")
    doc = nlp("Ada Moss founded Quillon . It is in Oslo .")
    for token in doc:
        token.is_sent_start = token.i in (sentences or (0, 5))
    doc.ents = [Span(doc, 0, 2, "PER"), Span(doc, 3, 4, "ORG"), Span(doc, 8, 9, "GPE")]
    return doc


def test_entities_are_single_words_with_their_type():
    first, _ = parse_relations(make_doc())
    assert first["words"][0] == {"text": "Ada Moss", "tag": "PER"}
    assert [word["text"] for word in first["words"]][1:] == ["founded", "Quillon", "."]


def test_arcs_point_at_the_object():
    doc = make_doc()
    doc._.relations = [
        (doc.ents[0], doc.ents[1], "founded", 0.5),
        (doc.ents[1], doc.ents[0], "founded_by", 0.25),
    ]
    first, second = parse_relations(doc)
    arcs = {
        arc["label"]: (arc["start"], arc["end"], arc["dir"]) for arc in first["arcs"]
    }
    assert arcs == {
        "founded 0.50": (0, 2, "right"),
        "founded_by 0.25": (0, 2, "left"),
    }
    assert second["arcs"] == []


def test_a_relation_across_sentences_joins_them():
    doc = make_doc()
    doc._.relations = [(doc.ents[1], doc.ents[2], "based_in")]
    (whole,) = parse_relations(doc)
    assert len(whole["words"]) == len(doc) - 1


def test_the_page_holds_every_label_and_entity():
    doc = make_doc()
    doc._.relations = [(doc.ents[0], doc.ents[1], "founded")]
    page = draw_relations([doc, spacy.blank("en")("")])
    assert page.startswith("<!DOCTYPE html>")
    for text in ("Ada Moss", "Quillon", "founded 1.00"):
        assert text in page
