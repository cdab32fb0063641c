"""Another architecture, of thinc's alone, takes the dual encoder's place."""

from functools import partial

import numpy
import pytest
import spacy
from spacy.util import registry
from thinc.api import Adam, Model
from tiny_corpus import PREDICATES, make_examples, relations_of, with_entities

from spacy_dualre.model.scores import Scores
from spacy_dualre.pruning import measure_pruning

NAME = "dual_relation_extractor"
FURTHEST = 9


@registry.architectures("spacy-dualre-tests.Distance.v1")
def build_distance_model(scale: float = 1.0):
    """Scores pairs by how far the object is behind the subject."""
    predict = partial(forward, scale=scale)
    return Model("distance", predict, init=init, params={"W": None})


def init(model, X=None, Y=None):
    n_predicates = len(X[0].predicates)
    model.set_param("W", model.ops.alloc2f(2 * FURTHEST + 1, n_predicates))


def forward(model, batch, is_train, scale):
    distances = numpy.concatenate([distances_of(found) for found in batch])
    features = numpy.eye(2 * FURTHEST + 1, dtype="float32")[distances + FURTHEST]
    allowed = numpy.concatenate([found.allowed for found in batch])
    scores = features @ model.get_param("W") * scale
    scores[~allowed] = -numpy.inf

    def backprop(gradients):
        model.inc_grad("W", features.T @ gradients.head * scale)
        return []

    return Scores(batch, None, scores), backprop


def distances_of(found):
    starts = numpy.asarray([span.start for span in found.entities], dtype="int64")
    distance = starts[found.pairs[:, 1]] - starts[found.pairs[:, 0]]
    return distance.clip(-FURTHEST, FURTHEST)


@pytest.fixture(scope="module")
def trained():
    nlp = spacy.blank("en")
    model = {"@architectures": "spacy-dualre-tests.Distance.v1"}
    nlp.add_pipe(NAME, config={"predicates": PREDICATES, "model": model})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    optimizer = Adam(0.1)
    nlp.losses = [nlp.update(examples, sgd=optimizer)[NAME] for _ in range(60)]
    return nlp


def found_by(nlp):
    return [relations_of(doc) for doc in nlp.pipe(with_entities(nlp))]


def test_it_is_trained(trained):
    assert trained.losses[-1] < trained.losses[0] / 2


def test_it_predicts(trained):
    # Nobody else is so far from a place.
    assert [r[:3] for r in found_by(trained)[0]] == [("Anna", "born_in", "Rome")]


def test_it_is_scored(trained):
    scores = trained.evaluate(make_examples(trained))
    assert scores["rel_micro_f"] > 0.5
    assert scores["rel_candidate_recall"] == 1.0


def test_it_is_the_same_after_loading(trained, tmp_path):
    trained.to_disk(tmp_path)
    assert found_by(spacy.load(tmp_path)) == found_by(trained)


def test_its_settings_follow_the_config(trained, tmp_path):
    trained.to_disk(tmp_path)
    flat = spacy.load(tmp_path, config={f"components.{NAME}.model.scale": 0.0})
    (scored,) = flat.get_pipe(NAME).predict(with_entities(flat)[:1])
    for row, allowed in zip(scored.probabilities, scored.candidates.allowed):
        assert row[allowed] == pytest.approx(1 / allowed.sum())


def test_what_only_the_dual_encoder_can_do_says_so(trained):
    with pytest.raises(
        ValueError, match="spacy-dualre.DualEncoder.v1, but .*'distance'"
    ):
        measure_pruning(trained.get_pipe(NAME), make_examples(trained), [0.0])
