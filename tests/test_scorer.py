"""Precision, recall and F1 of relations."""

import pytest
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_dualre import set_relations
from spacy_dualre.output.scorer import build_relation_scorer, score_relations

VOCAB = Vocab()
WORDS = ["Ada", "Bo", "Cy", "Oslo", "Rome"]
TYPES = {"Ada": "PER", "Bo": "PER", "Cy": "PER", "Oslo": "LOC", "Rome": "LOC"}


def make_doc(*triples, key="relations", **other_types):
    """A Doc with relations such as "Ada born Oslo"."""
    doc = Doc(VOCAB, words=WORDS)
    types = {**TYPES, **other_types}
    span_of = {w: Span(doc, i, i + 1, types[w]) for i, w in enumerate(WORDS)}
    relations = []
    for triple in triples:
        subject, label, object_ = triple.split()
        relations.append((span_of[subject], span_of[object_], label, 0.75))
    set_relations(doc, relations, key)
    return doc


def score(*pairs, **cfg):
    return score_relations([Example(*pair) for pair in pairs], **cfg)


def prf(scores, kind):
    return tuple(scores[f"rel_{kind}_{part}"] for part in "prf")


def test_exact_relations_score_one():
    doc = make_doc("Ada born Oslo", "Ada knows Bo")
    scores = score((doc, doc))
    assert prf(scores, "micro") == prf(scores, "boundary") == (1, 1, 1)
    assert scores["rel_macro_f"] == 1


def test_micro_scores_count_all_relations_of_all_docs():
    first = make_doc("Ada born Oslo", "Bo born Rome"), make_doc("Ada born Oslo")
    second = make_doc(), make_doc("Ada knows Bo", "Bo knows Cy")
    p, r, f = prf(score(first, second), "micro")
    assert p == pytest.approx(1 / 2)
    assert r == pytest.approx(1 / 3)
    assert f == pytest.approx(2 * p * r / (p + r))


@pytest.mark.parametrize(
    "predicted", ["Oslo born Ada", "Ada knows Oslo", "Ada born Rome", "Bo born Oslo"]
)
def test_another_direction_label_or_span_is_wrong(predicted):
    scores = score((make_doc(predicted), make_doc("Ada born Oslo")))
    assert prf(scores, "micro") == prf(scores, "boundary") == (0, 0, 0)


def test_a_wrong_entity_type_is_wrong_but_for_the_boundary_score():
    scores = score((make_doc("Ada born Oslo", Oslo="ORG"), make_doc("Ada born Oslo")))
    assert prf(scores, "micro") == (0, 0, 0)
    assert prf(scores, "boundary") == (1, 1, 1)


def test_every_gold_relation_counts_even_where_nothing_has_entities():
    bare = Doc(VOCAB, words=WORDS)
    scores = score((bare, make_doc("Ada born Oslo", "Ada knows Bo")))
    assert scores["rel_micro_r"] == 0
    assert scores["rel_per_type"]["knows"]["r"] == 0


def test_scores_per_type():
    predicted = make_doc("Ada born Oslo", "Ada knows Bo", "Bo likes Cy")
    gold = make_doc("Ada born Oslo", "Bo born Rome", "Bo knows Cy")
    per_type = score((predicted, gold))["rel_per_type"]
    assert list(per_type) == ["born", "knows", "likes"]
    assert per_type["born"] == pytest.approx({"p": 1, "r": 1 / 2, "f": 2 / 3})
    assert per_type["knows"] == {"p": 0, "r": 0, "f": 0}
    assert per_type["likes"]["p"] == 0


def test_macro_f_is_the_mean_over_the_labels_of_the_gold_relations():
    predicted = make_doc("Ada born Oslo", "Bo likes Cy")
    gold = make_doc("Ada born Oslo", "Bo born Rome", "Bo knows Cy")
    assert score((predicted, gold))["rel_macro_f"] == pytest.approx((2 / 3 + 0) / 2)


def test_a_symmetric_relation_is_right_either_way_round():
    pair = make_doc("Bo knows Ada"), make_doc("Ada knows Bo")
    assert score(pair)["rel_micro_f"] == 0
    assert score(pair, symmetric=["knows"])["rel_micro_f"] == 1


def test_a_symmetric_relation_given_both_ways_counts_once():
    both = make_doc("Ada knows Bo", "Bo knows Ada")
    once = make_doc("Ada knows Bo")
    assert prf(score((both, once), symmetric=["knows"]), "micro") == (1, 1, 1)


def test_entity_types_stay_with_their_spans_in_a_symmetric_relation():
    pair = make_doc("Oslo near Ada"), make_doc("Ada near Oslo")
    assert score(pair, symmetric=["near"])["rel_micro_f"] == 1
    swapped = make_doc("Oslo near Ada", Ada="LOC", Oslo="PER")
    assert score((swapped, pair[1]), symmetric=["near"])["rel_micro_f"] == 0


def test_without_gold_relations_there_are_no_scores():
    scores = score((make_doc("Ada born Oslo"), make_doc()))
    assert set(scores.values()) == {None}
    assert scores.keys() == score((make_doc(), make_doc("Ada born Oslo"))).keys()


def test_without_examples_there_are_no_scores():
    assert set(score().values()) == {None}


def test_right_predictions_count_where_the_gold_text_has_other_white_space_and_case():
    predicted = Doc(VOCAB, words=["It", "rained", ".", "Ada", "Bo"])
    gold_words = ["It", "RAINED", "\n", ".", "ADA", " ", "bo"]
    gold = Doc(VOCAB, words=gold_words, spaces=[False, *[True] * 6])
    for doc, first, last in ((predicted, 3, 4), (gold, 4, 6)):
        ends = [Span(doc, i, i + 1, "PER") for i in (first, last)]
        set_relations(doc, [(*ends, "knows")])
    scores = score((predicted, gold))
    assert prf(scores, "micro") == prf(scores, "boundary") == (1, 1, 1)


def test_a_prediction_that_is_no_gold_tokens_is_wrong():
    gold = make_doc("Ada born Oslo")
    with gold.retokenize() as retokenizer:
        retokenizer.merge(gold[1:3])
    gold._.relations = [(*[Span(gold, i, i + 1, "PER") for i in (0, 1)], "knows")]
    predicted = make_doc("Ada knows Bo", "Ada knows Cy")
    assert prf(score((predicted, gold)), "micro") == (0, 0, 0)


def judged(*predicted, **user_data):
    """RETURNS (float): The precision of predictions, of which "Ada born Oslo" is right,
    against a partial annotation."""
    gold = make_doc("Ada born Oslo", "Bo no_relation Rome")
    gold.user_data.update(user_data)
    return score((make_doc("Ada born Oslo", *predicted), gold))["rel_micro_p"]


@pytest.mark.parametrize(
    ("predicted", "precision"),
    [("Bo born Rome", 1 / 2), ("Cy born Rome", 1), ("Oslo born Ada", 1)],
)
def test_in_an_incomplete_doc_only_annotated_pairs_are_judged(predicted, precision):
    assert judged(predicted) == 1 / 2
    assert judged(predicted, complete=False) == precision


@pytest.mark.parametrize("predicted", ["Ada knows Bo", "Bo knows Ada"])
def test_unknown_pairs_are_not_judged(predicted):
    ada, bo = (0, 3), (4, 6)
    assert judged(predicted, unknown_pairs=[[*ada, *bo]]) == 1


def test_relations_are_compared_by_where_they_are_not_by_their_tokens():
    predicted = make_doc("Ada born Oslo")
    with predicted.retokenize() as retokenizer:
        retokenizer.merge(predicted[1:3])
    assert score((predicted, make_doc("Ada born Oslo")))["rel_micro_f"] == 1


def test_relations_are_read_from_the_key_that_is_asked_for():
    pair = make_doc("Ada born Oslo", key="x"), make_doc("Ada born Oslo", key="x")
    assert score(pair)["rel_micro_f"] is None
    assert score(pair, relations_key="x")["rel_micro_f"] == 1


def test_the_registered_scorer_takes_what_a_component_passes():
    doc = make_doc("Ada born Oslo")
    scorer = build_relation_scorer()
    scores = scorer([Example(doc, doc)], threshold=0.5, labels=("born",))
    assert scores == score((doc, doc))
