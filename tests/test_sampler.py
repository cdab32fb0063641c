"""Which pairs and descriptions a training step learns from."""

import pickle

import numpy
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from spacy.tokens import Span
from spacy.training import Example

from spacy_dualre.pairs.candidates import build_candidate_pairs, find_candidates
from spacy_dualre.predicates import parse_predicates
from spacy_dualre.training.gold import find_gold
from spacy_dualre.training.sampler import (
    build_sampler,
    choose_descriptions,
    choose_pairs,
)

PREDICATES = parse_predicates({label: {} for label in "abcdef"})
N_PAIRS, N_PREDICATES = 8, 7


@pytest.fixture
def batch():
    """The candidates and the gold predicates of two Docs, of which the second was
    annotated with the labels "a" and "b" only."""
    batch, golds = [], []
    for labels in (None, ["a", "b"]):
        doc = spacy.blank("en")("Ada met Bo and Cy")
        doc.ents = [Span(doc, i, i + 1, label="PER") for i in (0, 2, 4)]
        gold = doc.copy()
        gold._.relations = [(gold.ents[0], gold.ents[1], "b")]
        gold.user_data["labels"] = labels
        found = find_candidates(doc, PREDICATES, build_candidate_pairs(None))
        batch.append(found)
        golds.append(find_gold(Example(doc, gold), found, "relations"))
    return batch, golds


@st.composite
def choices(draw):
    """What pairs may have and what they have, which is allowed."""
    shape = (N_PAIRS, N_PREDICATES)
    positive = draw(arrays(bool, shape))
    positive[:, 0] = ~positive[:, 1:].any(axis=1)
    allowed = draw(arrays(bool, shape)) | positive
    allowed[:, 0] = True
    return allowed, positive, draw(st.integers(0, N_PREDICATES))


@given(case=choices())
def test_all_that_is_allowed_is_chosen(case):
    allowed, positive, n = case
    assert (choose_descriptions(allowed, positive, "all", n) == allowed).all()


@given(case=choices())
def test_gold_no_relation_and_some_others_are_chosen_at_random(case):
    allowed, positive, n = case
    chosen = choose_descriptions(allowed, positive, "random", n)
    assert not (chosen & ~allowed).any()
    assert (chosen >= positive).all()
    assert chosen[:, 0].all()
    wanted = positive.copy()
    wanted[:, 0] = True
    left = (allowed & ~wanted).sum(axis=1)
    assert ((chosen & ~wanted).sum(axis=1) == numpy.minimum(left, n)).all()


@given(case=choices())
def test_of_mixed_descriptions_related_pairs_get_all_and_others_no_relation(case):
    allowed, positive, n = case
    chosen = choose_descriptions(allowed, positive, "mixed", n)
    related = ~positive[:, 0]
    assert (chosen[related] == allowed[related]).all()
    assert chosen[~related].sum(axis=1).tolist() == [1] * (~related).sum()
    assert chosen[:, 0].all()


LABELS = arrays("int64", st.integers(0, 30), elements=st.integers(0, 3))


@given(gold=LABELS, data=st.data())
def test_only_decided_pairs_are_chosen_and_all_that_have_a_relation(gold, data):
    known = data.draw(arrays(bool, len(gold)))
    ratio = data.draw(st.none() | st.floats(0, 3, allow_subnormal=False))
    kept = choose_pairs(gold, known, ratio)
    related = known & (gold > 0)
    assert not (kept & ~known).any()
    assert kept[related].all()
    n = int((known & (gold == 0)).sum())
    if ratio is not None:
        n = min(n, int(numpy.ceil(ratio * max(int(related.sum()), 1))))
    assert (kept & ~related).sum() == n


def test_the_sampler_chooses_for_every_doc(batch):
    sampled = build_sampler(negative_ratio=0.0)(*batch)
    assert [len(found.pairs) for found in sampled] == [1, 1]
    assert [found.pairs[0].tolist() for found in sampled] == [[0, 1], [0, 1]]


def test_predicates_that_a_doc_was_not_annotated_with_are_left_out(batch):
    first, second = build_sampler()(*batch)
    assert first.asked.all()
    assert (second.asked == [[True, True, True, False, False, False, False]]).all()


def test_some_of_the_foreign_predicates_are_scored_if_that_is_asked_for(batch):
    first, second = build_sampler(n_foreign=2)(*batch)
    assert first.asked.all()
    assert second.asked[:, :3].all()
    assert second.asked[:, 3:].sum(axis=1).tolist() == [2] * len(second.pairs)


def test_foreign_predicates_are_those_that_the_batch_asks_for(batch):
    found, golds = batch
    labels = ["no_relation", "c", "d"]
    own = numpy.asarray([p.label in labels for p in PREDICATES])
    golds = [golds[0]._replace(own=own), golds[1]]
    first, second = build_sampler(n_foreign=6)(found, golds)
    # "e" and "f" are no one's.
    expected = [True, True, True, True, True, False, False]
    assert (first.asked == [expected]).all()
    assert (second.asked == [expected]).all()


@pytest.mark.parametrize(("descriptions", "n"), [("mixed", 3), ("random", 0)])
def test_the_head_ranks_the_others_of_mixed_descriptions(batch, descriptions, n):
    sampled = build_sampler(descriptions, n_descriptions=3)(*batch)
    assert [found.n_hard for found in sampled] == [n, n]


def test_no_docs_give_none():
    assert build_sampler()([], []) == []


def test_a_sampler_pickles(batch):
    sampler = pickle.loads(pickle.dumps(build_sampler(negative_ratio=0.0)))
    assert [len(found.pairs) for found in sampler(*batch)] == [1, 1]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("descriptions", "hard"),
        ("n_descriptions", -1),
        ("n_descriptions", 1.5),
        ("n_foreign", -1),
        ("negative_ratio", -1.0),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(setting, value):
    sampler = {"@misc": "spacy-dualre.sampler.v1", setting: value}
    with pytest.raises(ValueError, match=setting):
        spacy.blank("en").add_pipe(
            "dual_relation_extractor", config={"sampler": sampler}
        )
