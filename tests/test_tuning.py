"""Thresholds that are chosen on a development set."""

from itertools import product

import numpy
import pytest
import spacy
from spacy.tokens import Span
from spacy.training import Example
from tiny_corpus import make_docs, make_examples, make_pipeline, train, write_corpus
from typer.testing import CliRunner

from spacy_dualre.cli import app
from spacy_dualre.evaluation import predict_examples
from spacy_dualre.output.decoder import build_decoder
from spacy_dualre.output.scorer import build_relation_scorer
from spacy_dualre.relations import get_relations, set_relations
from spacy_dualre.tuning import (
    Judge,
    Judged,
    Point,
    choose_point,
    precision_recall,
    tune_threshold,
)

NAME = "dual_relation_extractor"
WAYS = [(False, False), (False, True), (True, False), (True, True)]


@pytest.fixture(scope="module", params=[False, True], ids=["one", "multi_label"])
def predicted(request, bert):
    """A component that is not sure yet, and what it predicts."""
    nlp = make_pipeline(bert, multi_label=request.param)
    train(nlp, steps=4)
    predictions = predict_examples(nlp, NAME, make_examples(nlp))
    return nlp.get_pipe(NAME), predictions.examples, predictions.scored


@pytest.fixture
def component(predicted):
    """The component, whose threshold a test may change."""
    component = predicted[0]
    yield component
    component.threshold = None


def micro_f(component, examples, scored, threshold):
    """Of the component's own scorer."""
    component.threshold = threshold
    for example in examples:
        example.predicted.spans.pop("relations", None)
    component.set_annotations([example.predicted for example in examples], scored)
    return component.score(examples)["rel_micro_f"]


def scores_of(scored):
    """All the probabilities that there are."""
    return sorted({float(p) for own in scored for p in own.probabilities.flatten()})


# --- from scores to thresholds


def test_each_score_is_a_point():
    judged = [Judged("a", s, r) for s, r in ((0.9, True), (0.5, False), (0.5, True))]
    first, second = precision_recall(judged, n_gold=4)
    assert 0.5 < first.threshold < 0.9
    assert first[1:] == (1, 1 / 4)
    assert second[1:] == (2 / 3, 2 / 4)
    assert second.f == pytest.approx(4 / 7)
    assert 0 < second.threshold <= 0.5
    assert precision_recall([], n_gold=4) == []


def test_saturated_scores_are_told_apart():
    below = float(numpy.nextafter(numpy.float32(1), numpy.float32(0)))
    judged = [Judged("a", 1.0, True), Judged("a", below, False)]
    threshold = precision_recall(judged, n_gold=1)[0].threshold
    reached = numpy.asarray([1.0, below], dtype="float32") >= threshold
    assert reached.tolist() == [True, False]


def test_the_best_f_or_the_most_recall_with_a_precision_is_chosen():
    points = [Point(0.9, 1.0, 0.2), Point(0.5, 0.8, 0.6), Point(0.1, 0.3, 0.9)]
    assert choose_point(points, None).threshold == 0.5
    assert choose_point(points, 0.9).threshold == 0.9
    assert choose_point(points, 0.25).threshold == 0.1
    assert choose_point([Point(0.4, 0.1, 0.3), Point(0.2, 0.2, 0.3)], 0.9)[0] == 0.2


# --- with a component


def test_no_other_threshold_has_a_higher_f(predicted, component):
    _, examples, scored = predicted
    tuning = tune_threshold(component, examples, scored)
    best = micro_f(component, examples, scored, tuning.threshold)
    assert best == pytest.approx(tuning.after.f)
    assert tuning.before.f == pytest.approx(micro_f(component, examples, scored, None))
    assert best > tuning.before.f  # otherwise nothing is tested here
    for value in scores_of(scored):
        assert micro_f(component, examples, scored, value) <= best + 1e-9


def test_no_predicate_gains_by_another_threshold_of_its_own(predicted, component):
    _, examples, scored = predicted
    tuning = tune_threshold(component, examples, scored, per_label=True)
    assert isinstance(tuning.threshold, dict)
    judge = Judge(component, examples, scored)
    for label, value in product(component.labels, scores_of(scored)):
        own = judge.measure(judge.judge({**tuning.threshold, label: value}), label)
        assert own.f <= judge.measure(judge.judge(tuning.threshold), label).f + 1e-9
    best = micro_f(component, examples, scored, tuning.threshold)
    assert best == pytest.approx(tuning.after.f)


@pytest.mark.parametrize("wanted", [0.5, 0.9])
def test_a_precision_is_reached_with_the_most_recall(predicted, component, wanted):
    _, examples, scored = predicted
    tuning = tune_threshold(component, examples, scored, precision=wanted)
    judge = Judge(component, examples, scored)
    assert tuning.after.precision >= wanted
    for value in scores_of(scored):
        point = judge.measure(judge.judge(value))
        if point.precision >= wanted:
            assert point.recall <= tuning.after.recall


def test_the_component_stays_as_it_is(predicted, component):
    _, examples, scored = predicted
    component.threshold = 0.25
    tuning = tune_threshold(component, examples, scored, per_label=True)
    assert component.threshold == 0.25
    component.threshold = tuning.threshold
    again = tune_threshold(component, examples, scored, per_label=True)
    assert again.threshold == tuning.threshold
    assert again.after == again.before


def test_nothing_to_choose_by_is_an_error(predicted, component):
    _, examples, scored = predicted
    with pytest.raises(ValueError, match="no gold relations"):
        tune_threshold(component, examples[-2:], scored[-2:])
    with pytest.raises(ValueError, match="no candidate pairs"):
        tune_threshold(component, examples[:1], scored[-1:])


def test_concepts_are_judged_as_the_decoder_joins_them(predicted, component):
    _, examples, _ = predicted
    examples = [Example(eg.predicted.copy(), eg.reference.copy()) for eg in examples]
    for example in examples:
        for doc in (example.predicted, example.reference):
            ids = {e.start: e.text for e in doc.ents}
            doc.ents = [
                Span(doc, e.start, e.end, e.label, kb_id=ids[e.start]) for e in doc.ents
            ]
        gold = example.reference
        at = {e.start: e for e in gold.ents}
        set_relations(
            gold, [(at[s.start], at[o.start], x) for s, o, x, _ in get_relations(gold)]
        )
        example.predicted.spans.pop("relations", None)
    docs = [example.predicted for example in examples]
    before, scorer = component.decoder, component.scorer
    try:
        component.decoder = build_decoder(concepts="max")
        component.scorer = build_relation_scorer(concepts=True)
        scored = component.predict(docs)
        tuning = tune_threshold(component, examples, scored, concepts=True)
        component.threshold = tuning.threshold
        component.set_annotations(docs, scored)
        f = component.score(examples)["rel_concept_f"]
        assert f == pytest.approx(tuning.after.f)
        assert f > tuning.before.f
    finally:
        component.decoder, component.scorer = before, scorer


# --- the command


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("options", [[], ["--per-label"], ["--precision", "0.8"]])
def test_command_writes_the_threshold_into_a_pipeline(bert, tmp_path, options):
    nlp = make_pipeline(bert)
    train(nlp, steps=4)
    nlp.to_disk(tmp_path / "model")
    before = (tmp_path / "model" / NAME / "cfg").read_bytes()
    gold = write_corpus(tmp_path / "dev.spacy", make_docs(spacy.blank("en").vocab))
    output = tmp_path / "deep" / "tuned"
    result = run("tune", tmp_path / "model", gold, output, *options)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "model" / NAME / "cfg").read_bytes() == before
    tuned = spacy.load(output)
    threshold = tuned.get_pipe(NAME).threshold
    assert isinstance(threshold, dict if options == ["--per-label"] else float)
    f = tuned.evaluate(make_examples(tuned))["rel_micro_f"]
    row = next(x for x in result.output.splitlines() if x.startswith("micro"))
    assert f"{100 * f:.2f}" in row.split()
    assert f > nlp.evaluate(make_examples(nlp))["rel_micro_f"] or "0.8" in options


def test_command_names_what_the_data_lacks(trained_path, tmp_path):
    docs = make_docs(spacy.blank("en").vocab)[-2:]
    gold = write_corpus(tmp_path / "dev.spacy", docs)
    result = run("tune", trained_path, gold, tmp_path / "tuned")
    assert result.exit_code == 1
    assert "no gold relations" in " ".join(result.output.split())
    assert not (tmp_path / "tuned").exists()
