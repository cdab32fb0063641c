"""Descriptions: the wordpieces of a predicate's description around a pair's spans."""

import re

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_docs import (
    PREDICATES,
    UNLIMITED,
    all_pairs,
    cut_at_markers,
    decoded,
    docs,
    kept_ends,
    marked_type,
    marker_name,
    normalised,
    rows_of,
)

from spacy_dualre.encoding.descriptions import Descriptions
from spacy_dualre.encoding.markers import marker_texts
from spacy_dualre.encoding.wordpieces import PairTokenizer
from spacy_dualre.predicates import SLOTS


def describe(tokenizer, max_length=UNLIMITED, **settings):
    """RETURNS: The descriptions of the predicates, and what locates pairs for them."""
    pair_tokenizer = PairTokenizer(tokenizer, max_length=max_length)
    return Descriptions(pair_tokenizer, PREDICATES, **settings), pair_tokenizer


def read_descriptions(described, doc):
    """Every description of every pair: its predicate, the entity and the types in each
    slot, its wordpieces, and where subject and object open."""
    descriptions, pair_tokenizer = described
    (found,) = all_pairs(doc)
    pairs = pair_tokenizer.locate([found])
    row, r = numpy.nonzero(found.allowed)
    surfaces = descriptions.surfaces(pairs)[pairs.surfaces[row]]
    inputs = descriptions.build(pairs, surfaces[:, 0], surfaces[:, 1], r)
    entities = [
        {slot: found.entities[i] for slot, i in zip(SLOTS, found.pairs[one])}
        for one in row
    ]
    at = zip(inputs.subject_at.tolist(), inputs.object_at.tolist())
    predicates = [PREDICATES[one] for one in r]
    return list(zip(predicates, entities, rows_of(inputs), at, strict=True))


def description_texts(predicate):
    """RETURNS: The slots in their order, and the texts before, between and after."""
    pattern = "|".join(map(re.escape, SLOTS))
    (description,) = predicate.descriptions
    slots = re.findall(pattern, description)
    return slots, re.split(pattern, description)


@given(doc=docs(), fill_spans=st.booleans())
def test_descriptions_read_back_with_the_spans_in_the_slots(tokenizer, doc, fill_spans):
    described = describe(tokenizer, fill_spans=fill_spans)
    for predicate, entities, ids, at in read_descriptions(described, doc):
        slots, (before, between, after) = description_texts(predicate)
        first, second = (entities[slot].text * fill_spans for slot in slots)
        names, chunks = cut_at_markers(tokenizer, ids)
        assert [decoded(tokenizer, chunk) for chunk in chunks] == [
            normalised(tokenizer, text)
            for text in (before, first, between, second, after)
        ]
        by_role = {
            "{subject}": marker_texts(marked_type(entities["{subject}"]))[:2],
            "{object}": marker_texts(marked_type(entities["{object}"]))[2:],
        }
        assert names == [*by_role[slots[0]], *by_role[slots[1]]]
        assert ids[0] == tokenizer.cls_token_id
        assert ids[-1] == tokenizer.sep_token_id
        assert [marker_name(tokenizer, ids[i]) for i in at] == [
            by_role[slot][0] for slot in SLOTS
        ]


@given(doc=docs(), max_length=st.integers(24, 60))
def test_long_spans_keep_their_ends_in_descriptions(tokenizer, doc, max_length):
    described = describe(tokenizer, max_length)
    room = max_length - described[0].longest
    for (_, _, ids, _), (_, _, full, _) in zip(
        read_descriptions(described, doc),
        read_descriptions(describe(tokenizer), doc),
        strict=True,
    ):
        assert len(ids) <= max_length
        names, chunks = cut_at_markers(tokenizer, ids)
        full_names, full_chunks = cut_at_markers(tokenizer, full)
        assert names == full_names
        assert chunks[::2] == full_chunks[::2]
        for span, full_span in zip(chunks[1::2], full_chunks[1::2]):
            assert kept_ends(full_span, span)
            assert len(span) == min(len(full_span), room // 2)


def test_a_description_that_leaves_no_room_for_spans_is_refused(bert_tokenizer):
    with pytest.raises(ValueError, match="leaves no room for its spans"):
        describe(bert_tokenizer, max_length=8)
