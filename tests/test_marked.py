"""Marked reading: each pair's text for itself, with its markers.

The wordpieces are read back: cut at the markers, decoded, and compared with the Doc's
own text, for random Docs, entities and lengths and for every family of tokenizer.
"""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_docs import (
    SPECIAL,
    VOCAB,
    cut_at_markers,
    decoded,
    docs,
    kept_ends,
    locate,
    make_doc,
    marked_type,
    marker_name,
    normalised,
    read_pairs,
)
from spacy.tokens import Doc

from spacy_dualre.encoding.marked import MarkedReading
from spacy_dualre.encoding.markers import marker_texts

ROLES = {"<S", "</S", "<O", "</O"}


def read(tokenizer, *docs, **settings):
    """RETURNS: As `read_pairs`, of all pairs of some Docs."""
    return read_pairs(MarkedReading(), locate(tokenizer, *docs, **settings), *docs)


def markers_of(subject, object_):
    """RETURNS: The four markers in the order of the text, with their positions."""
    names = marker_texts(marked_type(subject))[:2]
    names += marker_texts(marked_type(object_))[2:]
    (s0, s1), (o0, o1) = [(x.start_char, x.end_char) for x in (subject, object_)]
    # At one position: closing before opening, outer opens first, inner closes first.
    edges = [
        (s0, 1, -s1, 0, names[0]),
        (s1, 0, -s0, 1 if s1 < o1 or s0 > o0 else 2, names[1]),
        (o0, 1, -o1, 1, names[2]),
        (o1, 0, -o0, 1, names[3]),
    ]
    if (s0, s1) == (o0, o1):
        edges[1] = (s1, 0, -s0, 2, names[1])
    return [(edge[0], edge[-1]) for edge in sorted(edges)]


def sentence_window(doc, subject, object_):
    sents = list(doc.sents)
    of = [i for i, sent in enumerate(sents) for _ in sent]
    first = min(of[subject.start], of[object_.start])
    last = max(of[subject.end - 1], of[object_.end - 1])
    return sents[first].start_char, sents[last].end_char


def is_inside(names):
    """Which of the gaps between the markers are in a span."""
    depth = numpy.cumsum([-1 if name.startswith("</") else 1 for name in names])
    return (depth[:-1] > 0).tolist()


@given(batch=st.lists(docs(), min_size=1, max_size=2))
def test_instances_read_back_as_the_marked_text(tokenizer, batch):
    for (subject, object_), ids, at in read(tokenizer, *batch):
        doc = subject.doc
        markers = markers_of(subject, object_)
        start, end = sentence_window(doc, subject, object_)
        edges = [start, *(char for char, _ in markers), end]
        texts = [doc.text[a:b] for a, b in zip(edges, edges[1:])]
        names, chunks = cut_at_markers(tokenizer, ids)
        assert names == [name for _, name in markers]
        assert [decoded(tokenizer, chunk) for chunk in chunks] == [
            normalised(tokenizer, text) for text in texts
        ]
        assert ids[0] == tokenizer.cls_token_id
        assert ids[-1] == tokenizer.sep_token_id
        assert [marker_name(tokenizer, ids[i])[:2] for i in at] == ["<S", "<O"]


@given(doc=docs(), max_length=st.integers(24, 60), context_length=st.integers(0, 80))
def test_instances_are_shortened_around_the_pair(
    tokenizer, doc, max_length, context_length
):
    settings = {"context_length": context_length}
    pairs = locate(tokenizer, doc, max_length=max_length, **settings)
    shortened = read_pairs(MarkedReading(), pairs, doc)
    whole = read(tokenizer, doc, **settings)
    clipped = {"context": 0, "middle": 0, "span": 0}
    for (_, ids, at), (_, full, _) in zip(shortened, whole, strict=True):
        assert len(ids) == min(len(full), max_length)
        names, (before, *gaps, after) = cut_at_markers(tokenizer, ids)
        full_names, (all_before, *all_gaps, all_after) = cut_at_markers(tokenizer, full)
        assert names == full_names
        assert {name.rstrip(">").split(":")[0] for name in names} == ROLES
        assert [marker_name(tokenizer, ids[i])[:2] for i in at] == ["<S", "<O"]
        # The context is what is nearest to the pair, as much on either side.
        assert before == all_before[len(all_before) - len(before) :]
        assert after == all_after[: len(after)]
        cut_before = len(before) < len(all_before)
        cut_after = len(after) < len(all_after)
        assert not (cut_before and len(before) < len(after) - 1)
        assert not (cut_after and len(after) < len(before) - 1)
        clipped["context"] += cut_before or cut_after
        # Inside the pair nothing is left out unless the pair alone is too long; then
        # of each gap both ends are kept, and the spans are whole if they can be.
        for gap, full_gap, inside in zip(gaps, all_gaps, is_inside(names)):
            assert kept_ends(full_gap, gap)
            if sum(map(len, all_gaps)) + 6 <= max_length:
                assert gap == full_gap
            elif inside:
                assert bool(gap) == bool(full_gap)
        in_spans = sum(len(gap) for gap, i in zip(all_gaps, is_inside(names)) if i)
        if in_spans + 6 <= max_length:
            for gap, full_gap, inside in zip(gaps, all_gaps, is_inside(names)):
                assert gap == full_gap or not inside
        if sum(map(len, all_gaps)) + 6 > max_length:
            assert not before
            assert not after
            clipped["middle" if in_spans + 6 <= max_length else "span"] += 1
    assert {kind: pairs.clipped[kind] for kind in clipped} == clipped


@given(doc=docs(), max_length=st.integers(24, 60))
def test_the_cost_of_a_pair_that_fits_is_the_length_of_its_text(
    bert_tokenizer, doc, max_length
):
    pairs = locate(bert_tokenizer, doc, max_length=max_length)
    rows = numpy.arange(len(pairs))
    cost = MarkedReading().cost(pairs, rows)
    lengths = MarkedReading().build(pairs, rows).lengths
    assert (cost >= lengths).all()
    if not pairs.clipped["middle"] + pairs.clipped["span"]:
        assert cost.tolist() == lengths.tolist()


@pytest.mark.parametrize("text", SPECIAL)
def test_text_that_looks_like_a_special_token_is_text(tokenizer, text):
    doc = make_doc(["a", text, "the"], [(0, 1, "PER"), (1, 2, "LOC")])
    special = {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}
    for _, ids, _ in read(tokenizer, doc):
        assert sum(wordpiece in special for wordpiece in ids) == 6


def test_an_entity_of_white_space_reads_as_something(tokenizer):
    doc = make_doc(["a", "\n", "the"], [(0, 1, "PER"), (1, 2, "LOC")])
    for _, ids, _ in read(tokenizer, doc):
        _, (_, *gaps, _) = cut_at_markers(tokenizer, ids)
        assert gaps[0]
        assert gaps[2]


def test_a_type_without_markers_gets_the_generic_ones(bert_tokenizer):
    doc = make_doc(["a", "the"], [(0, 1, "UNSEEN"), (1, 2, "LOC")])
    (_, ids, _), _ = read(bert_tokenizer, doc)
    names, _ = cut_at_markers(bert_tokenizer, ids)
    assert names == ["<S>", "</S>", "<O:LOC>", "</O:LOC>"]


def test_nested_spans_have_nested_markers(bert_tokenizer):
    doc = make_doc(["a", "the", "of"], [(0, 3, "PER"), (1, 2, "LOC")])
    texts = [
        bert_tokenizer.decode(ids[1:-1]) for _, ids, _ in read(bert_tokenizer, doc)
    ]
    assert texts == [
        "<S:PER> a <O:LOC> the </O:LOC> of </S:PER>",
        "<O:PER> a <S:LOC> the </S:LOC> of </O:PER>",
    ]


def test_touching_spans_have_separate_markers(bert_tokenizer):
    doc = make_doc(["a", "the"], [(0, 1, "PER"), (1, 2, "LOC")])
    (_, ids, _), _ = read(bert_tokenizer, doc)
    decoded_ids = bert_tokenizer.decode(ids[1:-1])
    assert decoded_ids == "<S:PER> a </S:PER> <O:LOC> the </O:LOC>"


def test_only_the_sentences_of_the_pair_are_read(bert_tokenizer):
    words = ["a", "of", "in", "the", "at", "by", "to"]
    doc = make_doc(words, [(2, 3, "PER"), (3, 4, "LOC")], sent_starts=(0, 2, 4, 6))
    (_, ids, _), _ = read(bert_tokenizer, doc)
    assert [
        decoded(bert_tokenizer, c) for c in cut_at_markers(bert_tokenizer, ids)[1]
    ] == [*("", "in", "", "the", "")]


def test_a_pair_across_sentences_reads_all_of_them(bert_tokenizer):
    words = ["a", "of", "in", "the", "at", "by", "to"]
    doc = make_doc(words, [(0, 1, "PER"), (5, 6, "LOC")], sent_starts=(0, 2, 4, 6))
    (_, ids, _), _ = read(bert_tokenizer, doc)
    assert [
        decoded(bert_tokenizer, c) for c in cut_at_markers(bert_tokenizer, ids)[1]
    ] == [*("", "a", "ofintheat", "by", "")]


@given(context_length=st.integers(0, 40))
def test_context_length_widens_the_text_around_the_sentence(
    bert_tokenizer, context_length
):
    words = ["a"] * 9 + ["in", "the"] + ["of"] * 9
    doc = make_doc(words, [(9, 10, "PER"), (10, 11, "LOC")], sent_starts=(0, 9, 11))
    (_, ids, _), _ = read(bert_tokenizer, doc, context_length=context_length)
    _, (before, *_, after) = cut_at_markers(bert_tokenizer, ids)
    assert len(ids) == min(max(context_length, 8), len(words) + 6)
    assert abs(len(before) - len(after)) <= 1


def test_docs_without_pairs_give_no_instances(tokenizer):
    batch = [
        Doc(VOCAB),
        make_doc(["a", "the"], []),
        make_doc(["a", "the"], [(0, 1, "PER")]),
    ]
    assert read(tokenizer, *batch) == []
