"""Spans that hold entities: empty ones, and those that retokenizing has moved."""

import warnings

import pytest
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_dualre.apply.records import to_record
from spacy_dualre.output.rendering import describe
from spacy_dualre.pairs.candidates import get_entities
from spacy_dualre.spans import get_spans

WORDS = ["Ada", "Byron", "met", "Charles", "Babbage", "in", "London"]
READERS = {
    "candidates": lambda doc: get_entities(doc, "entities"),
    "records": lambda doc: to_record(doc, "1", "relations", "entities")["entities"],
    "rendering": lambda doc: describe(doc, "relations", "entities")["spans"],
}


@pytest.fixture
def doc():
    doc = Doc(Vocab(), words=WORDS)
    doc.spans["entities"] = [
        Span(doc, 0, 2, "PER", kb_id="Q1", span_id="e1"),
        Span(doc, 3, 5, "PER"),
        Span(doc, 6, 7, "LOC"),
    ]
    return doc


def found(doc):
    return [(s.text, s.label_, s.kb_id_, s.id_) for s in get_spans(doc, "entities")]


EXPECTED = [
    ("Ada Byron", "PER", "Q1", "e1"),
    ("Charles Babbage", "PER", "", ""),
    ("London", "LOC", "", ""),
]


def merge(doc, start, end):
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[start:end])


def test_they_are_found_again_after_tokens_were_merged(doc):
    merge(doc, 3, 5)
    assert found(doc) == EXPECTED


def test_they_are_found_again_after_a_token_was_split(doc):
    with doc.retokenize() as retokenizer:
        retokenizer.split(doc[0], ["A", "da"], heads=[(doc[0], 1), doc[1]])
    assert found(doc) == EXPECTED


def test_those_inside_a_merged_token_are_left_out_with_a_warning(doc):
    merge(doc, 4, 7)
    with pytest.warns(UserWarning, match=r"'entities'\].*2 not at token boundaries"):
        assert found(doc) == EXPECTED[:1]


@pytest.mark.parametrize("at", [0, 3, len(WORDS)])
def test_empty_ones_are_left_out_with_a_warning(doc, at):
    doc.spans["entities"].append(Span(doc, at, at, "PER"))
    with pytest.warns(UserWarning, match=r"'entities'\].*1 empty"):
        assert found(doc) == EXPECTED


def test_nothing_is_said_of_a_doc_as_it_was(doc):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert found(doc) == EXPECTED


@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
def test_all_that_read_entities_read_them_so(doc, read):
    merge(doc, 3, 5)
    doc.spans["entities"].append(Span(doc, len(doc), len(doc), "PER"))
    with pytest.warns(UserWarning, match="1 empty"):
        assert len(read(doc)) == 3
