"""Spans and sentences of one side of an example, found again on the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_dualre.alignment import (
    align_sentence_starts,
    align_to_gold,
    align_to_predicted,
)

VOCAB = Vocab()


def make_example(predicted, gold, sent_starts=None):
    """An example of two lists of words; a word that ends with "_" has no space after
    it."""
    docs = []
    for words, starts in ((predicted, None), (gold, sent_starts)):
        spaces = [not word.endswith("_") for word in words]
        words = [word.removesuffix("_") for word in words]
        docs.append(Doc(VOCAB, words=words, spaces=spaces, sent_starts=starts))
    return Example(*docs)


def aligned(align, span):
    """RETURNS: Where a span is found, as (start, end), or None."""
    found = align(span)
    return None if found is None else (found.start, found.end)


def test_a_span_of_the_same_tokens_is_where_it_was():
    example = make_example(["Anna", "met", "Bo"], ["Anna", "met", "Bo"])
    assert aligned(align_to_predicted(example), example.reference[1:3]) == (1, 3)


def test_a_span_keeps_its_type_and_ids():
    example = make_example(["An_", "na", "met"], ["Anna", "met"])
    span = Span(example.reference, 0, 1, label="PER", kb_id="Q1", span_id="s")
    found = align_to_predicted(example)(span)
    assert found.doc is example.predicted
    assert (found.text, found.label_, found.kb_id_, found.id_) == (
        *("Anna", "PER", "Q1", "s"),
    )


def test_a_span_is_found_in_smaller_tokens():
    example = make_example(["An_", "na", "met_", "Bo"], ["Anna", "metBo"])
    assert aligned(align_to_predicted(example), example.reference[0:1]) == (0, 2)


def test_a_span_is_found_in_larger_tokens():
    example = make_example(["Anna-Bo", "met"], ["Anna_", "-_", "Bo", "met"])
    assert aligned(align_to_predicted(example), example.reference[0:3]) == (0, 1)


def test_a_part_of_a_token_is_not_found():
    example = make_example(["Anna-Bo", "met"], ["Anna_", "-_", "Bo", "met"])
    assert align_to_predicted(example)(example.reference[0:1]) is None


def test_white_space_and_case_do_not_matter():
    example = make_example(
        ["It", "rained_", ".", "NORA", "Vale"],
        ["It", "rained", "\n", ".", "nora", " ", "vale"],
    )
    assert aligned(align_to_predicted(example), example.reference[4:7]) == (3, 5)
    assert aligned(align_to_gold(example), example.predicted[3:5]) == (4, 7)


def test_a_span_of_white_space_is_not_found():
    example = make_example(["Anna", "met"], ["Anna", "\n", "met"])
    assert align_to_predicted(example)(example.reference[1:2]) is None


LETTERS = "abcdef"


@st.composite
def cut_twice(draw):
    """The same letters, cut into words in two ways."""
    n = draw(st.integers(1, 6))
    sides = []
    for _ in range(2):
        cuts = sorted({0, n, *draw(st.sets(st.integers(0, n)))})
        sides.append([LETTERS[a:b] + "_" for a, b in zip(cuts, cuts[1:])])
    return make_example(*sides)


@given(example=cut_twice())
def test_a_span_is_found_exactly_where_both_ends_are_token_boundaries(example):
    gold, predicted = example.reference, example.predicted
    for align, source, target in (
        (align_to_predicted(example), gold, predicted),
        (align_to_gold(example), predicted, gold),
    ):
        for start in range(len(source)):
            for end in range(start + 1, len(source) + 1):
                span = source[start:end]
                there = target.char_span(span.start_char, span.end_char)
                expected = None if there is None else (there.start, there.end)
                assert aligned(align, span) == expected


@pytest.mark.parametrize(
    "words", [["Anna", "Anna", " "], ["Anna", "Anna", '"', '"'], ["Anna", " ", "Anna"]]
)
def test_sentences_of_the_same_tokens_start_where_they_did(words):
    for start in range(len(words)):
        starts = [i in (0, start) for i in range(len(words))]
        assert align_sentence_starts(make_example(words, words, starts)) == starts


def test_a_sentence_starts_at_the_first_token_that_is_aligned_with_it():
    example = make_example(
        ["It", "rained_", ".", "So", "what"],
        ["It", "rained.", "\n", "So_", "what"],
        [True, False, True, False, False],
    )
    assert align_sentence_starts(example) == [True, False, False, True, False]


def test_a_boundary_inside_a_token_is_at_that_token():
    example = make_example(["Go_", "on.So", "what"], ["Goon_", "._", "So", "what"])
    example.reference[2].is_sent_start = True
    assert align_sentence_starts(example)[0]
    assert sum(align_sentence_starts(example)) == 2
