"""Markers: their texts, and which a tokenizer has."""

from odd_docs import TYPES

from spacy_dualre.encoding.markers import marked_types, marker_texts


def test_markers_open_and_close_subject_and_object():
    assert marker_texts("PER") == ["<S:PER>", "</S:PER>", "<O:PER>", "</O:PER>"]


def test_the_markers_of_any_other_type_name_none():
    assert marker_texts("") == ["<S>", "</S>", "<O>", "</O>"]


def test_marked_types_are_those_of_the_tokenizer(bert_tokenizer):
    assert marked_types(bert_tokenizer) == ["", *TYPES]
