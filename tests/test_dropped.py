"""Why two spans are no candidate pair."""

import numpy
import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_dualre.pairs.candidates import build_candidate_pairs, find_candidates
from spacy_dualre.pairs.dropped import why_dropped
from spacy_dualre.predicates import parse_predicates

PREDICATES = parse_predicates(
    {
        "born_in": {"subject_types": ["PER"], "object_types": ["LOC"]},
        "knows": {
            "subject_types": ["PER"],
            "object_types": ["PER"],
            "symmetric": True,
        },
    }
)


@pytest.fixture
def doc():
    """Two sentences with two people and two places, Ada and Rome in the first."""
    words = ["Ada", "saw", "Rome", ".", "Bo", "saw", "Rome", "and", "Oslo", "."]
    doc = Doc(Vocab(), words=words, sent_starts=[i in (0, 4) for i in range(10)])
    ends = [(0, "PER", "1"), (2, "LOC", "2"), (4, "PER", "1"), (6, "LOC", "2")]
    ends.append((8, "LOC", "3"))
    doc.ents = [Span(doc, i, i + 1, label=t, kb_id=id_) for i, t, id_ in ends]
    return doc


def why(doc, s, o, **limits):
    find_pairs = build_candidate_pairs(**{"max_sentences": None, **limits})
    found = find_candidates(doc, PREDICATES, find_pairs)
    spans = [x if isinstance(x, Span) else doc.ents[x] for x in (s, o)]
    return why_dropped(found, find_pairs, None, *spans)


def test_a_candidate_was_not_dropped(doc):
    assert why(doc, 0, 1) is None
    assert why(doc, 0, 2) is None


@pytest.mark.parametrize(
    "s, o, limits, rule, said",
    [
        (0, 0, {}, "same mention", "same mention"),
        (1, 0, {}, "signature", "LOC -> PER: born_in takes PER -> LOC"),
        (2, 0, {}, "order", "swap"),
        (0, 3, {"max_sentences": 1}, "sentences", "max_sentences (1)"),
        (0, 3, {"max_tokens": 2}, "tokens", "max_tokens (2)"),
        (0, 4, {"max_pairs": 3}, "max_pairs", "max_pairs (3)"),
        (0, 3, {"max_pairs_per_concept": 2}, "max_pairs_per_concept", "is 2"),
        # The first rule that it does not pass.
        (0, 4, {"max_sentences": 1, "max_tokens": 1}, "sentences", "max_sentences"),
    ],
)
def test_the_rule_is_named(doc, s, o, limits, rule, said):
    dropped = why(doc, s, o, **limits)
    assert dropped.rule == rule
    assert said in dropped.sentence


def test_a_span_that_is_no_entity_is_named(doc):
    dropped = why(doc, 0, doc[5:6])
    assert dropped.rule == "entity"
    assert "'saw' is no entity" in dropped.sentence
    assert "doc.ents" in dropped.sentence


def test_a_span_is_the_entity_in_its_place_whatever_its_type(doc):
    assert why(doc, doc[0:1], doc[2:3]) is None


def test_a_rule_of_ones_own_has_its_own_reason():
    nlp = spacy.blank("en")
    doc = nlp("Ada Rome")
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 1, 2, "LOC")]

    def find_none(doc, entities, admitted):
        return numpy.zeros((0, 2), int), {"moon phase": admitted}

    found = find_candidates(doc, PREDICATES, find_none)
    dropped = why_dropped(found, find_none, None, *doc.ents)
    assert dropped.rule == "moon phase"
    assert "moon phase" in dropped.sentence
