"""From the probabilities of pairs to relations."""

import pickle

import numpy
import pytest
import spacy
from spacy.tokens import Span

from spacy_dualre.output.decoder import build_decoder
from spacy_dualre.output.probabilities import Scored
from spacy_dualre.pairs.candidates import build_candidate_pairs, find_candidates
from spacy_dualre.predicates import parse_predicates

PREDICATES = parse_predicates({"inhibits": {}, "binds": {}})


@pytest.fixture
def found():
    """The candidates of a Doc with two entities: one pair each way round."""
    doc = spacy.blank("en")("aspirin inhibits cox")
    doc.ents = [Span(doc, i, i + 1, label="X") for i in (0, 2)]
    return find_candidates(doc, PREDICATES, build_candidate_pairs(None))


def decode(found, rows, threshold=None, multi_label=False, **settings):
    """RETURNS: The relations as (start of the subject, label, score)."""
    probabilities = numpy.asarray(rows, dtype="float32")
    relations = build_decoder(**settings)(
        Scored(found, probabilities), threshold, multi_label
    )
    return [(r.subject.start, r.label, r.score) for r in relations]


def test_the_most_probable_predicate_counts(found):
    rows = [[0.3, 0.2, 0.5], [0.6, 0.4, 0.0]]
    assert decode(found, rows) == [(0, "binds", 0.5)]


def test_both_directions_of_a_pair_may_be_related(found):
    rows = [[0.3, 0.7, 0.0], [0.2, 0.8, 0.0]]
    assert [relation[0] for relation in decode(found, rows)] == [0, 2]


def test_of_two_directions_only_the_more_probable_stays(found):
    rows = [[0.3, 0.7, 0.0], [0.2, 0.0, 0.8]]
    (relation,) = decode(found, rows, single_direction=True)
    assert relation[:2] == (2, "binds")


def test_of_two_directions_alike_the_one_in_text_order_stays(found):
    rows = [[0.25, 0.75, 0.0], [0.25, 0.75, 0.0]]
    (relation,) = decode(found, rows, single_direction=True)
    assert relation[0] == 0


def test_a_threshold_beats_no_relation(found):
    rows = [[0.6, 0.125, 0.25], [0.9, 0.1, 0.0]]
    assert decode(found, rows, threshold=0.25) == [(0, "binds", 0.25)]
    assert decode(found, rows, threshold=0.26) == []


def test_a_predicate_that_was_not_scored_reaches_no_threshold(found):
    rows = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
    assert decode(found, rows, threshold=0.0) == [(2, "inhibits", 0.5)]


def test_a_predicate_may_have_a_threshold_of_its_own(found):
    rows = [[0.5, 0.125, 0.375], [0.25, 0.375, 0.375]]
    threshold = {"inhibits": 0.5, "binds": 0.375}
    assert decode(found, rows, threshold) == [(0, "binds", 0.375), (2, "binds", 0.375)]


def test_without_a_threshold_of_its_own_a_predicate_must_beat_no_relation(found):
    rows = [[0.375, 0.375, 0.25], [0.25, 0.5, 0.25]]
    assert decode(found, rows, {"binds": 0.9}) == [(2, "inhibits", 0.5)]


def test_several_predicates_of_a_pair_are_all_found_if_that_is_asked_for(found):
    rows = [[0.25, 0.375, 0.375], [1.0, 0.0, 0.0]]
    assert len(decode(found, rows)) == 1
    expected = [(0, "inhibits", 0.375), (0, "binds", 0.375)]
    assert decode(found, rows, multi_label=True) == expected


def test_the_more_probable_direction_keeps_all_its_predicates(found):
    rows = [[0.25, 0.375, 0.375], [0.0, 0.5, 0.5]]
    kept = decode(found, rows, multi_label=True, single_direction=True)
    assert kept == [(2, "inhibits", 0.5), (2, "binds", 0.5)]


def test_a_decoder_pickles(found):
    decoder = pickle.loads(pickle.dumps(build_decoder(single_direction=True)))
    scored = Scored(found, numpy.asarray([[0, 1, 0], [0, 1, 0]], dtype="float32"))
    assert len(decoder(scored, None, False)) == 1


@pytest.mark.parametrize("setting", [{"concepts": "sum"}, {"single_direction": "no"}])
def test_a_setting_that_makes_no_sense_is_named(setting):
    decoder = {"@misc": "spacy-dualre.decoder.v1", **setting}
    with pytest.raises(ValueError, match=next(iter(setting))):
        spacy.blank("en").add_pipe(
            "dual_relation_extractor", config={"decoder": decoder}
        )
