"""Which pairs are candidates, and how many are not, for which reason."""

import pickle
import warnings

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_dualre.pairs.candidates import (
    build_candidate_pairs,
    find_candidates,
    get_entities,
    sentence_ids,
)
from spacy_dualre.predicates import parse_predicates

VOCAB = Vocab()
ANY = parse_predicates({"a": None, "b": None})
TYPES = ["PER", "ORG", "LOC"]


def make_doc(n_tokens, entities, sent_starts=(0,), key=None):
    """A Doc of numbered words with entities (start, end, type)."""
    starts = [i in sent_starts for i in range(n_tokens)] if sent_starts else None
    words = [f"w{i}" for i in range(n_tokens)]
    doc = Doc(VOCAB, words=words, sent_starts=starts)
    spans = [Span(doc, *entity) for entity in entities]
    if key:
        doc.spans[key] = spans
    else:
        doc.ents = spans
    return doc


def find(doc, predicates=ANY, key=None, **limits):
    return find_candidates(doc, predicates, build_candidate_pairs(**limits), key)


def kept(found):
    return [tuple(pair) for pair in found.pairs.tolist()]


def test_every_ordered_pair_of_a_sentence_is_a_candidate():
    doc = make_doc(6, [(0, 1, "PER"), (2, 3, "ORG"), (4, 6, "LOC")])
    found = find(doc)
    assert kept(found) == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    assert found.dropped == {}
    assert found.allowed.all()


def test_rows_tells_where_each_pair_is():
    found = find(make_doc(3, [(0, 1, "PER"), (2, 3, "ORG")]))
    assert found.rows() == {(0, 1): 0, (1, 0): 1}


def test_pairs_across_sentences_are_counted_as_dropped():
    doc = make_doc(
        6, [(0, 1, "A"), (1, 2, "B"), (2, 3, "C"), (5, 6, "D")], sent_starts=(0, 2, 4)
    )
    found = find(doc)
    assert kept(found) == [(0, 1), (1, 0)]
    assert found.dropped == {"sentences": 10}


def test_max_sentences_counts_from_the_first_to_the_last():
    doc = make_doc(6, [(0, 1, "A"), (2, 3, "B"), (4, 5, "C")], sent_starts=(0, 2, 4))
    assert kept(find(doc, max_sentences=2)) == [(0, 1), (1, 0), (1, 2), (2, 1)]
    assert len(find(doc, max_sentences=3).pairs) == 6


def test_an_entity_across_a_sentence_boundary_touches_both_sentences():
    doc = make_doc(6, [(0, 1, "A"), (2, 4, "B")], sent_starts=(0, 3))
    assert kept(find(doc)) == []
    assert kept(find(doc, max_sentences=2)) == [(0, 1), (1, 0)]


def test_without_a_sentence_limit_all_sentences_are_paired():
    doc = make_doc(4, [(0, 1, "A"), (3, 4, "B")], sent_starts=(0, 1, 2, 3))
    assert len(find(doc, max_sentences=None).pairs) == 2


def test_max_tokens_bounds_the_tokens_between_the_spans():
    doc = make_doc(8, [(0, 2, "A"), (4, 5, "B"), (7, 8, "C")])
    assert kept(find(doc, max_tokens=2)) == [(0, 1), (1, 0), (1, 2), (2, 1)]
    found = find(doc, max_tokens=1)
    assert kept(found) == []
    assert found.dropped == {"tokens": 6}


def test_max_tokens_zero_keeps_adjacent_and_nested_spans():
    doc = make_doc(5, [(0, 3, "A"), (1, 2, "B"), (3, 4, "C"), (4, 5, "D")], key="spans")
    found = find(doc, key="spans", max_tokens=0)
    unordered = {frozenset(pair) for pair in kept(found)}
    assert unordered == {frozenset(p) for p in [(0, 1), (0, 2), (2, 3)]}


def test_max_pairs_keeps_the_nearest_and_then_the_first():
    doc = make_doc(9, [(0, 1, "A"), (3, 4, "B"), (5, 6, "C"), (8, 9, "D")])
    found = find(doc, max_pairs=3)
    # One token lies between 1 and 2; two lie between 0 and 1 and between 2 and 3.
    assert kept(found) == [(0, 1), (1, 2), (2, 1)]
    assert found.dropped == {"max_pairs": 9}


def test_max_pairs_is_deterministic():
    entities = [(i, i + 1, "A") for i in range(0, 40, 2)]
    first = find(make_doc(40, entities), max_pairs=17)
    second = find(make_doc(40, entities), max_pairs=17)
    assert kept(first) == kept(second)
    assert len(kept(first)) == 17


@pytest.mark.parametrize(
    "limits", [{"max_sentences": 0}, {"max_tokens": -1}, {"max_pairs": 0}]
)
def test_a_limit_that_leaves_no_pair_is_refused(limits):
    with pytest.raises(ValueError, match=f"{next(iter(limits))} must be at least"):
        build_candidate_pairs(**limits)


def test_pairs_that_no_signature_admits_are_counted_as_dropped():
    predicates = parse_predicates(
        {"r": {"subject_types": ["PER"], "object_types": ["ORG"]}}
    )
    doc = make_doc(3, [(0, 1, "ORG"), (1, 2, "PER"), (2, 3, "PER")])
    found = find(doc, predicates)
    assert kept(found) == [(1, 0), (2, 0)]
    assert found.dropped == {"signature": 4}


def test_each_pair_is_scored_against_the_predicates_that_admit_it():
    predicates = parse_predicates(
        {"r": {"subject_types": ["PER"]}, "s": {"object_types": ["PER"]}}
    )
    found = find(make_doc(2, [(0, 1, "ORG"), (1, 2, "PER")]), predicates)
    rows = dict(zip(kept(found), found.allowed.tolist()))
    assert rows == {(0, 1): [True, False, True], (1, 0): [True, True, False]}


def test_a_type_is_read_as_the_type_map_says():
    predicates = parse_predicates(
        {"r": {"subject_types": ["Peop"], "object_types": ["Org"]}}
    )
    doc = make_doc(3, [(0, 1, "PERSON"), (1, 2, "Org"), (2, 3, "ORG")])
    type_map = {"PERSON": "Peop", "ORG": "Org"}
    every = build_candidate_pairs()
    assert kept(find_candidates(doc, predicates, every)) == []
    found = find_candidates(doc, predicates, every, type_map=type_map)
    assert kept(found) == [(0, 1), (0, 2)]
    assert [found.type_of(entity) for entity in found.entities] == [
        "Peop",
        "Org",
        "Org",
    ]
    assert [entity.label_ for entity in found.entities] == ["PERSON", "Org", "ORG"]


def test_symmetric_predicates_pair_two_entities_once_in_text_order():
    predicates = parse_predicates({"r": {"symmetric": True}})
    doc = make_doc(4, [(0, 1, "A"), (1, 2, "B"), (3, 4, "C")])
    found = find(doc, predicates)
    assert kept(found) == [(0, 1), (0, 2), (1, 2)]
    assert found.dropped == {"order": 3}


def test_beside_a_directed_predicate_a_symmetric_one_is_scored_in_text_order_only():
    predicates = parse_predicates({"r": {"symmetric": True}, "s": None})
    found = find(make_doc(2, [(0, 1, "A"), (1, 2, "B")]), predicates)
    rows = dict(zip(kept(found), found.allowed.tolist()))
    assert rows == {(0, 1): [True, True, True], (1, 0): [True, False, True]}


def test_nested_overlapping_and_identical_spans_are_all_paired():
    entities = [(0, 3, "A"), (1, 2, "B"), (2, 4, "C"), (2, 4, "D")]
    found = find(make_doc(5, entities, key="spans"), key="spans")
    assert [(e.start, e.end, e.label_) for e in found.entities] == entities
    assert len(kept(found)) == 12


def test_the_same_span_of_the_same_type_is_one_entity():
    doc = make_doc(3, [(0, 1, "A"), (0, 1, "A"), (2, 3, "A")], key="spans")
    assert [(e.start, e.end) for e in get_entities(doc, "spans")] == [(0, 1), (2, 3)]


def test_entities_are_in_text_order_whatever_the_order_of_the_group():
    doc = make_doc(4, [(3, 4, "A"), (0, 2, "B"), (0, 1, "C")], key="spans")
    found = find(doc, key="spans")
    assert [entity.label_ for entity in found.entities] == ["C", "B", "A"]


def test_without_the_span_group_there_are_no_entities():
    assert get_entities(make_doc(3, [(0, 1, "A")]), "missing") == []


@pytest.mark.parametrize(
    "doc",
    [make_doc(0, []), make_doc(5, []), make_doc(5, [(1, 2, "A")])],
    ids=["empty", "no entities", "one entity"],
)
def test_a_doc_with_fewer_than_two_entities_has_no_candidates(doc):
    found = find(doc, max_tokens=3, max_pairs=2)
    assert found.pairs.shape == (0, 2)
    assert found.allowed.shape == (0, len(ANY))
    assert found.dropped == {}


def test_without_sentence_boundaries_a_doc_is_one_window_and_that_is_said_once():
    find_pairs = build_candidate_pairs(max_sentences=1)
    docs = [make_doc(30, [(0, 1, "A"), (29, 30, "B")], None) for _ in range(3)]
    with pytest.warns(UserWarning, match="no sentence boundaries") as caught:
        found = [find_candidates(doc, ANY, find_pairs) for doc in docs]
    assert [len(one.pairs) for one in found] == [2, 2, 2]
    assert len(caught) == 1


def test_without_a_sentence_limit_missing_boundaries_are_nothing_to_warn_of():
    doc = make_doc(5, [(0, 1, "A"), (3, 4, "B")], None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        find(doc, max_sentences=None)


def test_sentence_ids_count_the_sentences():
    assert sentence_ids(make_doc(5, [], (0, 2, 3))).tolist() == [0, 0, 1, 2, 2]
    assert sentence_ids(make_doc(3, [], None)).tolist() == [0, 0, 0]
    assert sentence_ids(make_doc(0, [])).tolist() == []


def test_a_finder_of_ones_own_chooses_the_pairs():
    def last_two(doc, entities, admitted):
        n = len(entities)
        first = admitted.copy()
        first[1:, 1:] = False
        return [(n - 1, n - 2), (n - 2, n - 1)], {"first": first}

    doc = make_doc(4, [(0, 1, "A"), (1, 2, "A"), (2, 3, "A"), (3, 4, "A")])
    found = find_candidates(doc, ANY, last_two)
    assert kept(found) == [(2, 3), (3, 2)]
    assert found.dropped == {"first": 6, "not chosen": 4}
    assert [found.reason(*pair) for pair in [(0, 3), (1, 2), (2, 3)]] == [
        "first",
        "not chosen",
        None,
    ]


def test_a_finder_of_ones_own_may_find_nothing():
    doc = make_doc(2, [(0, 1, "A"), (1, 2, "A")])
    found = find_candidates(doc, ANY, lambda doc, entities, admitted: ([], {}))
    assert found.pairs.shape == (0, 2)
    assert found.allowed.shape == (0, len(ANY))


def test_the_finder_pickles():
    find_pairs = pickle.loads(pickle.dumps(build_candidate_pairs(1, 4, 2)))
    doc = make_doc(9, [(0, 1, "A"), (3, 4, "B"), (5, 6, "C"), (8, 9, "D")])
    found = find_candidates(doc, ANY, find_pairs)
    assert kept(found) == kept(find(doc, max_sentences=1, max_tokens=4, max_pairs=2))


@st.composite
def docs_with_spans(draw):
    n = draw(st.integers(0, 14))
    starts = draw(st.none() | st.sets(st.integers(0, max(n - 1, 0)), max_size=4))
    entities = []
    for _ in range(draw(st.integers(0, 7)) if n else 0):
        start = draw(st.integers(0, n - 1))
        end = draw(st.integers(start + 1, min(start + 4, n)))
        entities.append((start, end, draw(st.sampled_from(TYPES))))
    return make_doc(n, entities, starts if starts is None else {0, *starts}, "spans")


@st.composite
def schemas(draw):
    types = st.lists(st.sampled_from(TYPES), unique=True, max_size=2)
    labels = ["p", "q", "r"][: draw(st.integers(1, 3))]
    return parse_predicates(
        {
            label: {
                "subject_types": draw(types),
                "object_types": draw(types),
                "symmetric": draw(st.booleans()),
            }
            for label in labels
        }
    )


def limit(lowest):
    return st.none() | st.integers(lowest, 6)


@given(
    doc=docs_with_spans(),
    predicates=schemas(),
    max_sentences=limit(1),
    max_tokens=limit(0),
    max_pairs=limit(1),
)
@pytest.mark.filterwarnings("ignore:A Doc has no sentence boundaries")
def test_every_pair_is_kept_or_counted_as_dropped(
    doc, predicates, max_sentences, max_tokens, max_pairs
):
    found = find(
        doc,
        predicates,
        "spans",
        max_sentences=max_sentences,
        max_tokens=max_tokens,
        max_pairs=max_pairs,
    )
    n = len(found.entities)
    assert len(found.pairs) + sum(found.dropped.values()) == n * (n - 1)
    assert len(set(kept(found))) == len(found.pairs)
    assert kept(found) == sorted(kept(found))
    if max_pairs is not None:
        assert len(found.pairs) <= max_pairs
    for (s, o), allowed in zip(kept(found), found.allowed):
        types = found.entities[s].label_, found.entities[o].label_
        expected = [
            predicate.admits(*types) and (s < o or not predicate.symmetric)
            for predicate in predicates[1:]
        ]
        assert allowed.tolist() == [True, *expected]
        assert numpy.any(expected)
