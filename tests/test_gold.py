"""Gold annotation: the predicates of candidate pairs, and what a Doc lacks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_dualre.pairs.candidates import build_candidate_pairs, find_candidates
from spacy_dualre.predicates import NO_RELATION, parse_predicates
from spacy_dualre.training.gold import (
    complete,
    find_gold,
    refuse_unknown_labels,
    set_sentence_starts,
)

VOCAB = Vocab()
WORDS = ["Ada", "met", "Bo", "in", "Oslo", "."]
ENTITIES = [(0, 1, "PER"), (2, 3, "PER"), (4, 5, "LOC")]
PREDICATES = parse_predicates(
    {
        "met": {"symmetric": True},
        "born_in": {"subject_types": ["PER"], "object_types": ["LOC"]},
        "likes": None,
    }
)
MET, BORN_IN, LIKES = 1, 2, 3


def make_example(*relations, entities=ENTITIES, key=None, **user_data):
    """An example whose gold Doc has relations (subject, label, object) between its
    entities, by number; and whose predicted Doc has the entities."""
    gold, predicted = (
        Doc(VOCAB, words=WORDS, sent_starts=[i == 0 for i in range(len(WORDS))])
        for _ in range(2)
    )
    spans = [Span(gold, *entity) for entity in ENTITIES]
    gold.ents = spans
    gold._.relations = [(spans[s], spans[o], label) for s, label, o in relations]
    gold.user_data.update(user_data)
    predicted.ents = [Span(predicted, *entity) for entity in entities]
    return Example(predicted, gold)


def find(example, **limits):
    """RETURNS: The gold predicates, and the row of each pair."""
    pairs = build_candidate_pairs(**limits)
    found = find_candidates(example.predicted, PREDICATES, pairs)
    return find_gold(example, found, "relations"), found.rows()


def test_pairs_have_the_predicates_of_the_gold_relations():
    gold, rows = find(make_example((0, "born_in", 2), (1, "likes", 0)))
    expected = {(0, 2): BORN_IN, (1, 0): LIKES}
    assert gold.labels.tolist() == [expected.get(pair, 0) for pair in rows]
    assert gold.total == 2
    assert not gold.lost


def test_a_symmetric_relation_is_that_of_the_pair_in_text_order():
    gold, rows = find(make_example((1, "met", 0)))
    assert gold.labels.nonzero()[0].tolist() == [rows[0, 1]]


def test_a_symmetric_relation_that_is_there_both_ways_round_counts_once():
    gold, _ = find(make_example((0, "met", 1), (1, "met", 0), (0, "met", 2)))
    assert gold.total == 2
    assert not gold.lost


def test_a_lost_relation_that_is_there_both_ways_round_is_lost_once():
    both = make_example((0, "met", 2), (2, "met", 0), entities=ENTITIES[:2])
    gold, _ = find(both)
    assert gold.total == 1
    assert gold.lost == {"entity": 1}


def test_the_first_predicate_of_a_pair_counts_and_the_others_are_kept():
    gold, rows = find(make_example((0, "likes", 2), (0, "born_in", 2)))
    row = rows[0, 2]
    assert gold.labels[row] == BORN_IN  # the first label of the alphabet
    assert gold.positive[row].nonzero()[0].tolist() == [BORN_IN, LIKES]
    assert gold.further == 1


def test_pairs_without_relation_have_none():
    gold, rows = find(make_example((0, "likes", 2)))
    assert gold.positive[:, 0].sum() == len(rows) - 1


@pytest.mark.parametrize(
    ("reason", "relation", "settings"),
    [
        ("label", (0, "hates", 1), {}),
        ("entity", (0, "likes", 2), {"entities": ENTITIES[:2]}),
        ("same mention", (0, "likes", 0), {}),
        ("signature", (2, "born_in", 0), {}),
    ],
)
def test_lost_relations_are_counted_by_reason(reason, relation, settings):
    gold, _ = find(make_example(relation, **settings))
    assert gold.lost == {reason: 1}
    assert gold.total == 1
    assert not gold.labels.any()


def test_a_relation_whose_pair_is_no_candidate_is_counted():
    gold, _ = find(make_example((0, "likes", 2)), max_tokens=2)
    assert gold.lost == {"tokens": 1}


def test_unknown_labels_are_counted():
    gold, _ = find(make_example((0, "hates", 1), (1, "hates", 0), (0, "owns", 2)))
    assert gold.unknown == {"hates": 2, "owns": 1}


def test_unknown_labels_are_refused_with_their_counts():
    with pytest.raises(ValueError, match=r"2 hates, 1 owns.*known: likes"):
        refuse_unknown_labels("it", {"owns": 1, "hates": 2}, ["likes"])
    refuse_unknown_labels("it", {}, ["likes"])


# --- partial annotation


def test_every_pair_is_decided_by_default():
    gold, _ = find(make_example((0, "likes", 2)))
    assert gold.known.all()
    assert gold.own.all()


def test_in_an_incomplete_doc_only_annotated_pairs_are_decided():
    relations = (0, "likes", 2), (1, NO_RELATION, 2)
    gold, rows = find(make_example(*relations, complete=False))
    assert {pair for pair, row in rows.items() if gold.known[row]} == {(0, 2), (1, 2)}
    assert gold.total == 1


def test_unknown_pairs_are_not_decided_either_way_round():
    ada, oslo = (0, 3), (14, 18)
    gold, rows = find(make_example(unknown_pairs=[[*ada, *oslo]]))
    assert {pair for pair, row in rows.items() if not gold.known[row]} == {
        *((0, 2), (2, 0)),
    }


def test_the_labels_of_the_annotation_are_its_own():
    gold, _ = find(make_example(labels=["likes"]))
    assert gold.own.tolist() == [True, False, False, True]


# --- gold entities


def test_a_doc_without_entities_gets_those_of_the_gold_doc():
    example = make_example()
    bare = Doc(VOCAB, words=WORDS)
    completed = complete(Example(bare, example.reference), None)
    assert [(e.text, e.label_) for e in completed.predicted.ents] == [
        *(("Ada", "PER"), ("Bo", "PER"), ("Oslo", "LOC")),
    ]
    assert completed.predicted.has_annotation("SENT_START")
    assert not bare.has_annotation("ENT_IOB")
    assert not bare.has_annotation("SENT_START")


def test_a_doc_with_entities_is_left_as_it_is():
    example = make_example(entities=ENTITIES[:1])
    assert complete(example, None) is example


def test_a_span_group_is_completed_too():
    example = make_example()
    example.reference.spans["things"] = list(example.reference.ents)
    completed = complete(example, "things")
    assert [span.text for span in completed.predicted.spans["things"]] == [
        *("Ada", "Bo", "Oslo"),
    ]


@given(starts=st.lists(st.sampled_from([True, False, None]), max_size=12))
def test_sentence_starts_set_at_once_are_those_set_one_by_one(starts):
    at_once, one_by_one = (
        Doc(VOCAB, words=[f"w{i}" for i in range(len(starts))]) for _ in range(2)
    )
    for token, start in zip(one_by_one, starts):
        token.is_sent_start = start
    set_sentence_starts(at_once, starts)
    found = [[token.is_sent_start for token in doc] for doc in (at_once, one_by_one)]
    assert found[0] == found[1]
    has = [doc.has_annotation("SENT_START") for doc in (at_once, one_by_one)]
    assert has[0] == has[1]


def test_setting_sentence_starts_leaves_everything_else():
    doc = make_example((0, "likes", 2)).reference
    before = [(t.text, t.ent_type_, t.ent_iob_) for t in doc], doc._.relations
    set_sentence_starts(doc, [True, False, True, False, False, False])
    assert ([(t.text, t.ent_type_, t.ent_iob_) for t in doc], doc._.relations) == before
