"""What pruning costs: simulated from one exact pass, and what follows from it."""

import pytest
import spacy
import srsly
from tiny_corpus import (
    make_docs,
    make_examples,
    make_pipeline,
    relations_of,
    train,
    triples_of,
    with_entities,
    write_corpus,
)
from typer.testing import CliRunner

from spacy_dualre.cli import app
from spacy_dualre.model.architectures import with_settings
from spacy_dualre.model.shim import get_shim
from spacy_dualre.pruning import choose_measure, choose_prune, measure_pruning
from spacy_dualre.training.gold import complete

NAME = "dual_relation_extractor"
VALUES = [0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5]


@pytest.fixture(scope="module")
def half_trained(bert):
    """A pipeline whose head is not sure yet, so that pruning shows."""
    nlp = make_pipeline(bert)
    train(nlp, steps=5)
    return nlp


@pytest.fixture
def component(half_trained):
    """Its component, whose model a test may replace."""
    component = half_trained.get_pipe(NAME)
    before = component.model
    yield component
    component.model = before


def change(component, **settings):
    """Change settings of a component's model."""
    component.model = with_settings(component.model, **settings)


@pytest.fixture
def examples(half_trained):
    return [complete(example, None) for example in make_examples(half_trained)]


@pytest.fixture
def gold(tmp_path):
    return write_corpus(tmp_path / "gold.spacy", make_docs(spacy.blank("en").vocab))


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def save(nlp, path):
    nlp.to_disk(path)
    return path


def prune_of(path):
    """The setting of a pipeline that is loaded from disk."""
    return get_shim(spacy.load(path).get_pipe(NAME).model).settings.prune


# --- the simulation


@pytest.mark.parametrize("predict_with", ["dual", "mean"])
@pytest.mark.parametrize("value", VALUES)
def test_simulated_predictions_are_the_components_own(
    half_trained, component, examples, predict_with, value
):
    change(component, predict_with=predict_with)
    (row,) = measure_pruning(component, examples, [value])
    change(component, prune=value)
    own = list(half_trained.pipe(with_entities(half_trained)))
    for example, doc in zip(examples, own):
        assert triples_of(example.predicted) == triples_of(doc)
        scores = [relation[3] for relation in relations_of(doc)]
        simulated = [relation[3] for relation in relations_of(example.predicted)]
        assert simulated == pytest.approx(scores, abs=2e-4)
    scores = half_trained.evaluate(examples)
    assert row["scores"] == {name: scores[name] for name in row["scores"]}


def test_rows_count_the_descriptions_that_the_component_reads(component, examples):
    rows = measure_pruning(component, examples, VALUES)
    docs = [example.predicted for example in examples]
    for row in rows:
        change(component, prune=row["prune"])
        compared = [
            0 if n == 1 else n
            for scored in component.predict(docs)
            for n in (scored.probabilities > 0).sum(axis=1)
        ]
        assert row["descriptions"] == pytest.approx(sum(compared) / len(compared))
        assert row["without"] == pytest.approx(compared.count(0) / len(compared))
    # Otherwise nothing is tested here.
    assert rows[0]["without"] == 0 < rows[3]["without"] < rows[-1]["without"]


def test_settings_are_the_same_afterwards(component, examples):
    change(component, prune=0.25)
    before = component.model, get_shim(component.model).settings
    measure_pruning(component, examples, [0.0, 0.1])
    assert (component.model, get_shim(component.model).settings) == before
    with pytest.raises(ValueError, match="no candidate pairs"):
        measure_pruning(component, examples[-1:], [0.0])
    assert (component.model, get_shim(component.model).settings) == before


# --- the choice


@pytest.mark.parametrize("max_loss", [0.0, 0.1, 0.25, 0.5, 1.0])
def test_chosen_value_is_the_largest_that_respects_the_limit(
    component, examples, max_loss
):
    rows = measure_pruning(component, examples, VALUES)
    f1 = {row["prune"]: row["scores"]["rel_micro_f"] for row in rows}
    assert len(set(f1.values())) > 2
    chosen = choose_prune(rows, "rel_micro_f", max_loss)["prune"]
    assert f1[0] - f1[chosen] <= max_loss
    assert all(f1[0] - f1[value] > max_loss for value in VALUES if value > chosen)


@pytest.mark.parametrize(
    ("score_weights", "measure"),
    [
        ({}, "rel_micro_f"),
        ({"rel_micro_f": 0.4, "rel_macro_f": 0.6}, "rel_macro_f"),
        ({"rel_macro_f": None, "rel_boundary_f": 0.5, "ents_f": 0.9}, "rel_boundary_f"),
        ({"rel_concept_f": 1.0}, "rel_micro_f"),  # not returned
        ({"rel_micro_r": 1.0, "rel_macro_f": 0.0}, "rel_micro_f"),
        ({"rel_macro_f": -1.0}, "rel_micro_f"),
    ],
)
def test_measure_is_the_one_with_the_highest_weight(score_weights, measure):
    scores = {"rel_micro_f": 0.5, "rel_macro_f": 0.4, "rel_boundary_f": 0.6}
    assert choose_measure(score_weights, scores) == measure


# --- the command


def test_command_prints_and_saves_every_row(half_trained, gold, tmp_path):
    path = save(half_trained, tmp_path / "model")
    before = (path / "config.cfg").read_text("utf8")
    output = tmp_path / "deep" / "rows.json"
    result = run("find-prune", path, gold, "--output", output, "--max-loss", "0.25")
    assert result.exit_code == 0, result.output
    rows = srsly.read_json(output)
    assert [row["prune"] for row in rows] == sorted({row["prune"] for row in rows})
    assert rows[0]["prune"] == 0
    for row in rows:
        assert f"{row['prune']:g}" in result.output
        f1 = row["scores"]["rel_micro_f"]
        assert f"{100 * f1:.2f}" in result.output
        assert f"{100 * (f1 - rows[0]['scores']['rel_micro_f']):+.2f}" in result.output
    best = choose_prune(rows, "rel_micro_f", 0.25)["prune"]
    assert f"{best:g} is the largest" in result.output
    assert "rel_micro_f" in result.output
    assert (path / "config.cfg").read_text("utf8") == before


def test_command_goes_by_the_score_weights_of_the_config(half_trained, gold, tmp_path):
    path = save(half_trained, tmp_path / "model")
    config = spacy.util.load_config(path / "config.cfg")
    config["training"]["score_weights"].update(rel_micro_f=0.1, rel_macro_f=0.9)
    config.to_disk(path / "config.cfg")
    result = run("find-prune", path, gold)
    assert result.exit_code == 0, result.output
    assert "F1: rel_macro_f" in result.output


def test_applied_setting_survives_a_reload(half_trained, gold, tmp_path):
    path, rows = save(half_trained, tmp_path / "model"), tmp_path / "rows.json"
    before = spacy.util.load_config(path / "config.cfg")
    options = ["--max-loss", "0.25", "--apply", "--output", rows]
    result = run("find-prune", path, gold, *options)
    assert result.exit_code == 0, result.output
    best = choose_prune(srsly.read_json(rows), "rel_micro_f", 0.25)["prune"]
    assert prune_of(path) == best > 0
    loaded = spacy.load(path)
    f1 = loaded.evaluate(make_examples(loaded))["rel_micro_f"]
    (row,) = [row for row in srsly.read_json(rows) if row["prune"] == best]
    assert f1 == pytest.approx(row["scores"]["rel_micro_f"])
    before["components"][NAME]["model"]["prune"] = best
    assert spacy.util.load_config(path / "config.cfg") == before
    # What is set does not change the next measurement.
    again = tmp_path / "again.json"
    options = ["--max-loss", "1", "--apply", "--output", again]
    result = run("find-prune", path, gold, *options)
    assert result.exit_code == 0, result.output
    assert srsly.read_json(again) == srsly.read_json(rows)
    assert prune_of(path) == 0.5


def test_command_finds_a_component_with_another_name(bert, gold, tmp_path):
    nlp = make_pipeline(bert, name="relations")
    train(nlp, steps=1)
    path = save(nlp, tmp_path / "model")
    options = ["--component", "relations", "--max-loss", "1", "--apply"]
    result = run("find-prune", path, gold, *options)
    assert result.exit_code == 0, result.output
    assert spacy.load(path).config["components"]["relations"]["model"]["prune"] == 0.5


# --- errors


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"alpha": 1.0}, "nothing to prune"),
        ({"predict_with": "head"}, "nothing to prune"),
        ({"alpha": 0.0}, "is not trained"),
    ],
)
def test_error_for_a_model_that_can_not_be_pruned(bert, gold, tmp_path, model, message):
    path = save(make_pipeline(bert, model), tmp_path / "model")
    result = run("find-prune", path, gold)
    assert result.exit_code == 1
    assert message in " ".join(result.output.split())


def test_error_for_a_pipeline_without_the_component(gold, tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    path = save(nlp, tmp_path / "model")
    result = run("find-prune", path, gold)
    assert result.exit_code == 1
    assert NAME in result.output
    result = run("find-prune", path, gold, "--component", "sentencizer")
    assert result.exit_code == 1
    assert "no relation extractor" in result.output


def test_error_for_data_without_gold_relations(half_trained, tmp_path):
    path = save(half_trained, tmp_path / "model")
    data = write_corpus(tmp_path / "none.spacy", with_entities(half_trained))
    result = run("find-prune", path, data, "--apply")
    assert result.exit_code == 1
    assert "no gold relations" in " ".join(result.output.split())
    assert prune_of(path) == 0
