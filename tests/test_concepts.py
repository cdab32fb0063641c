"""Relations between concepts, from those of their mentions."""

import numpy
import pytest
import spacy
from spacy.tokens import Span
from spacy.training import Example

from spacy_dualre import set_relations
from spacy_dualre.output.decoder import build_decoder
from spacy_dualre.output.probabilities import Scored
from spacy_dualre.output.scorer import score_relations
from spacy_dualre.pairs.candidates import (
    build_candidate_pairs,
    concepts_of,
    find_candidates,
)
from spacy_dualre.pairs.concepts import join_mentions
from spacy_dualre.predicates import parse_predicates

PREDICATES = parse_predicates({"binds": {"symmetric": True}})
DIRECTED = parse_predicates({"inhibits": {}})
EVERYWHERE = build_candidate_pairs(max_sentences=None)


@pytest.fixture
def doc():
    """Two mentions of each of two concepts, and one that has both ids."""
    doc = spacy.blank("en")("aspirin binds cox and later cox met aspirin near duo")
    mentions = [(0, "C1"), (2, "G1"), (5, "G1"), (7, "C1"), (9, "C1,G1")]
    doc.ents = [Span(doc, i, i + 1, label="X", kb_id=id_) for i, id_ in mentions]
    return doc


def find(doc, predicates, find_pairs=EVERYWHERE):
    return find_candidates(doc, predicates, find_pairs)


def decode(found, probabilities, **settings):
    return build_decoder(**settings)(Scored(found, probabilities), None, False)


def scored(found, related):
    """Probabilities of which those of the pairs in `related` are for the predicate."""
    yes = numpy.asarray([related.get((s, o), 0.1) for s, o in found.pairs.tolist()])
    return numpy.stack([1 - yes, yes], axis=1).astype("float32")


def test_ids_are_split_at_commas_only(doc):
    assert concepts_of(doc.ents[4]) == [("X", "C1"), ("X", "G1")]
    odd = Span(doc, 0, 1, label="X", kb_id="c|INS|5382|C")
    assert concepts_of(odd) == [("X", "c|INS|5382|C")]


def test_a_mention_without_id_has_no_concept(doc):
    assert concepts_of(Span(doc, 0, 1, label="X")) == []
    assert concepts_of(Span(doc, 0, 1, label="X", kb_id="-")) == []


def test_two_concepts_have_one_relation_from_their_most_probable_mentions(doc):
    found = find(doc, PREDICATES)
    probabilities = scored(found, {(0, 1): 0.6, (2, 3): 0.9})
    relations = decode(found, probabilities, concepts="max")
    assert len(relations) == 1
    (relation,) = relations
    assert (relation.subject.start, relation.object.start) == (5, 7)
    assert {relation.subject.kb_id_, relation.object.kb_id_} == {"C1", "G1"}
    assert relation.score == pytest.approx(0.9)


def test_the_mean_outvotes_a_single_mention_pair(doc):
    found = find(doc, PREDICATES)
    probabilities = scored(found, {(0, 1): 0.9})
    assert decode(found, probabilities, concepts="max")
    assert not decode(found, probabilities, concepts="mean")


def test_directions_are_joined_apart_for_a_directed_predicate(doc):
    found = find(doc, DIRECTED)
    relations = decode(found, scored(found, {(0, 1): 0.9}), concepts="max")
    ids = [(relation.subject.kb_id_, relation.object.kb_id_) for relation in relations]
    assert ids == [("C1", "G1")]


def test_a_concept_is_not_related_to_itself(doc):
    found = find(doc, PREDICATES)
    joined, _ = join_mentions(found, scored(found, {}), "max")
    pairs = [{joined.entities[i].kb_id_ for i in pair} for pair in joined.pairs]
    assert pairs == [{"C1", "G1"}]


def test_pairs_of_two_concepts_are_limited_to_the_nearest(doc):
    nearest = build_candidate_pairs(max_sentences=None, max_pairs_per_concept=1)
    found = find(doc, PREDICATES, nearest)
    kept = [tuple(pair) for pair in found.pairs.tolist()]
    assert (0, 1) in kept
    assert (0, 2) not in kept
    every = len(find(doc, PREDICATES).pairs)
    assert found.dropped["max_pairs_per_concept"] == every - len(kept)


def test_entities_without_ids_are_not_limited(doc):
    doc.ents = [Span(doc, e.start, e.end, label="X") for e in doc.ents]
    nearest = build_candidate_pairs(max_sentences=None, max_pairs_per_concept=1)
    assert len(find(doc, PREDICATES, nearest).pairs) == 10


def test_concepts_are_scored_once_for_a_doc(doc):
    gold = doc.copy()
    gold.user_data["concept_relations"] = [["G1", "C1", "binds", "X", "X", "No"]]
    set_relations(doc, [(doc.ents[0], doc.ents[1], "binds")])
    set_relations(gold, [(gold.ents[2], gold.ents[3], "binds")])
    scores = score_relations([Example(doc, gold)], symmetric=["binds"], concepts=True)
    assert scores["rel_micro_f"] == 0.0
    assert scores["rel_concept_f"] == 1.0
