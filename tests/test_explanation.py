"""How a pair was scored, or why it was not."""

import json
import math
import warnings

import pytest
import spacy
import srsly
from spacy.tokens import Doc, Span
from test_render import read_data
from thinc.api import Model
from tiny_corpus import PREDICATES, make_pipeline, train, with_entities
from typer.testing import CliRunner

import spacy_dualre
from spacy_dualre.cli import app
from spacy_dualre.model.architectures import with_settings
from spacy_dualre.model.shim import get_shim
from spacy_dualre.output.explanation import explain, explain_pairs
from spacy_dualre.output.rendering import N_OPINIONS, describe, render

NAME = "dual_relation_extractor"


@pytest.fixture
def component(trained):
    """The trained component, whose model a test may replace."""
    component = trained.get_pipe(NAME)
    before = component.model
    yield component
    component.model = before


@pytest.fixture
def born(trained):
    """Someone who was born in Rome."""
    return with_entities(trained)[0]


def by_label(explanation):
    return {opinion.label: opinion for opinion in explanation.opinions}


def test_what_the_encoders_read_is_told(trained, born):
    explanation = spacy_dualre.explain(trained, born, *born.ents)
    assert explanation.dropped is None
    assert explanation.found == ("born_in",)
    marked = "<S:PER> anna </S:PER> was born in <O:LOC> rome </O:LOC>"
    assert explanation.text == f"{marked}."
    assert explanation.shortened == ()
    assert [x.label for x in explanation.opinions][0] == "born_in"
    assert by_label(explanation)["born_in"].descriptions == (marked,)


def test_probabilities_are_those_of_the_cosines(trained, born):
    explanation = explain(trained, born, *born.ents)
    scale = get_shim(trained.get_pipe(NAME).model).module.log_scale.exp().item()
    scored = [x for x in explanation.opinions if x.skipped is None]
    powers = {x.label: math.exp(scale * x.cosines[0]) for x in scored}
    for opinion in scored:
        expected = powers[opinion.label] / sum(powers.values())
        assert opinion.probability == pytest.approx(expected, abs=1e-4)
    (relation,) = trained(with_entities(trained)[0])._.relations
    assert explanation.opinions[0].probability == pytest.approx(
        relation.score, abs=1e-4
    )
    heads = [opinion.head_probability for opinion in explanation.opinions]
    assert sum(heads) == pytest.approx(1)
    likely = max(scored, key=lambda opinion: opinion.logit)
    assert likely.head_probability == max(heads)


def test_a_predicate_that_the_types_do_not_fit_is_skipped(trained):
    doc = with_entities(trained)[2]  # Anna knows Berta Blum in Rome .
    explanation = explain(trained, doc, "Anna", "Berta Blum")
    assert explanation.found == ("knows",)
    opinion = by_label(explanation)["born_in"]
    assert (opinion.skipped, opinion.probability) == ("signature", 0)
    reverse = explain(trained, doc, "Berta Blum", "Anna")
    assert by_label(reverse)["knows"].skipped == "order"


def test_types_are_those_that_the_type_map_says(trained_path):
    nlp = spacy.load(trained_path)
    component = nlp.get_pipe(NAME)
    component.type_map = {"PERSON": "PER"}
    doc = with_entities(nlp)[2]
    doc.ents = [
        Span(doc, e.start, e.end, e.label_.replace("PER", "PERSON")) for e in doc.ents
    ]
    explanation = explain(nlp, doc, "Anna", "Berta Blum")
    assert "<S:PER> anna" in explanation.text
    assert by_label(explanation)["born_in"].skipped == "signature"
    reverse = explain(nlp, doc, "Berta Blum", "Anna")
    assert by_label(reverse)["knows"].skipped == "order"


def test_every_wording_has_its_cosine(bert):
    wordings = ["{subject} works in {object}", "{object} is where {subject} works"]
    nlp = make_pipeline(bert, predicates={**PREDICATES, "works_in": wordings})
    train(nlp, steps=1)
    doc = with_entities(nlp)[1]
    opinion = by_label(explain(nlp, doc, *doc.ents))["works_in"]
    assert len(opinion.descriptions) == len(set(opinion.cosines)) == 2
    assert opinion.descriptions[1].startswith("<O:LOC> oslo")


def test_what_pruning_leaves_out_is_told(component, born):
    component.model = with_settings(component.model, prune=0.4)
    explanation = explain(component, born, *born.ents)
    assert {x.label for x in explanation.opinions if x.skipped == "pruned"} >= {
        "works_in"
    }


def test_what_is_not_on_the_shortlist_is_told(component, born):
    component.model = with_settings(component.model, shortlist=1)
    explanation = explain(component, born, *born.ents)
    read = {x.label for x in explanation.opinions if x.skipped is None}
    assert read == {x.label for x in explanation.opinions if x.probability > 0}
    assert len(read) == 2 and "no_relation" in read
    assert {x.skipped for x in explanation.opinions} >= {"pruned"}


@pytest.mark.parametrize(
    "settings", [{"alpha": 1.0}, {"alpha": 0.0}, {"fill_spans": False}]
)
def test_other_settings_of_the_model(bert, settings):
    nlp = make_pipeline(bert, settings)
    train(nlp, steps=1)
    doc = with_entities(nlp)[0]
    opinion = explain(nlp, doc, *doc.ents).opinions[0]
    assert bool(opinion.cosines) == (settings.get("alpha") != 1)
    assert (opinion.logit is None) == (settings.get("alpha") == 0)
    if "fill_spans" in settings:
        assert "anna" not in opinion.descriptions[0]


def test_what_does_not_fit_is_told(trained):
    words = ["Anna", *["a"] * 200, "Rome", *["b"] * 200]
    doc = Doc(trained.vocab, words=words, sent_starts=[True] + [False] * 401)
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 201, 202, "LOC")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said once, which may have been before
        explanation = explain(trained, doc, *doc.ents)
    assert set(explanation.shortened) >= {"context", "middle"}
    assert "<S:PER> anna" in explanation.text
    doc.ents = [Span(doc, 0, 150, "PER"), Span(doc, 201, 202, "LOC")]
    assert "description" in explain(trained, doc, *doc.ents).shortened


def test_a_pair_that_is_no_candidate_has_a_reason(trained):
    doc = with_entities(trained)[1]
    explanation = explain(trained, doc, "Berta", "works")
    assert explanation.dropped.rule == "entity"
    assert explanation.opinions == ()


def test_of_several_mentions_the_nearest_are_meant(trained):
    words = ["Anna", "and", "Anna", "works", "in", "Oslo", "and", "Rome", "and", "Oslo"]
    starts = [i == 0 for i in range(len(words))]
    doc = Doc(trained.vocab, words=words, sent_starts=starts)
    types = {"Anna": "PER", "Oslo": "LOC", "Rome": "LOC"}
    doc.ents = [
        Span(doc, i, i + 1, types[word])
        for i, word in enumerate(words)
        if word in types
    ]
    explanation = explain(trained, doc, "Anna", "Oslo")
    assert (explanation.subject.start, explanation.object.start) == (2, 5)


def test_a_text_that_is_not_there_is_an_error(trained, born):
    with pytest.raises(ValueError, match=r"'Paris'.*'Anna' \(PER\), 'Rome' \(LOC\)"):
        explain(trained, born, "Anna", "Paris")


def test_which_extractor_is_an_error_if_it_is_not_one(trained, born, component):
    with pytest.raises(ValueError, match="0 relation extractors"):
        explain(spacy.blank("en"), born, *born.ents)
    component.model = Model("other", lambda model, X, is_train: (X, lambda Y: Y))
    with pytest.raises(ValueError, match="no dual encoder"):
        explain(component, born, *born.ents)


# --- in the page


def test_a_page_is_told_how_relations_were_scored(trained):
    doc = trained(with_entities(trained)[3])
    pairs = [relation[:2] for relation in doc._.relations]
    explanations = explain_pairs(trained.get_pipe(NAME), doc, pairs)
    page = read_data(render([doc], explanations=explanations))
    for told, explanation in zip(
        page["documents"][0]["relations"], explanations, strict=True
    ):
        own = told["explanation"]
        assert own["text"] == explanation.text
        assert own["opinions"][0]["predicate"] == told["predicate"]
        assert len(own["opinions"]) + own["n_others"] == 4
        asked = [x for x in explanation.opinions if x.skipped is None]
        assert len(own["opinions"]) == min(len(asked), N_OPINIONS)
    assert "explanation" not in json.dumps(describe(doc))


# --- the command


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def with_ruler(trained, tmp_path):
    """A pipeline that finds the entities itself."""
    path = tmp_path / "ner"
    nlp = type(trained)()
    nlp.add_pipe("sentencizer")
    ruler = nlp.add_pipe("entity_ruler")
    names = {"Anna": "PER", "Rome": "LOC"}
    ruler.add_patterns([{"label": v, "pattern": k} for k, v in names.items()])
    nlp.to_disk(path)
    return path


def test_command_prints_and_saves_it(trained_path, with_ruler, tmp_path):
    output = tmp_path / "deep" / "why.json"
    text = "Anna was born in Rome ."
    ends = ["--subject", "Anna", "--object", "Rome", "--ner", with_ruler]
    result = run("explain", trained_path, text, *ends, "--output", output)
    assert result.exit_code == 0, result.output
    assert "Anna [PER] -> Rome [LOC]" in result.output
    assert "<S:PER> anna </S:PER> was born in" in result.output
    assert "Found: born_in" in result.output
    data = srsly.read_json(output)
    assert data["opinions"][0]["label"] == "born_in"
    assert data["subject"] == {"start": 0, "end": 4, "label": "PER", "text": "Anna"}
    ends[:4] = ["--subject", "Rome", "--object", "Anna"]
    result = run("explain", trained_path, text, *ends, "--output", output)
    assert result.exit_code == 0, result.output
    ends[1] = "born"
    result = run("explain", trained_path, text, *ends, "--output", output)
    assert result.exit_code == 0, result.output
    assert "'born' is no entity" in " ".join(result.output.split())
    assert srsly.read_json(output)["dropped"]["rule"] == "entity"
    ends[1] = "Oslo"
    assert run("explain", trained_path, text, *ends).exit_code == 1
