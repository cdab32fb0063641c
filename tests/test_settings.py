"""Settings follow the config: overrides at load count, and so does an edited config."""

import shutil

import pytest
import spacy
from spacy.tokens import Span
from spacy.training import Example
from spacy.util import load_config
from tiny_corpus import make_docs, relations_of, triples_of, with_entities

from spacy_dualre import get_relations

NAME = "dual_relation_extractor"
COMPONENT = f"components.{NAME}"


def override(path, tmp_path, settings):
    """Give settings to `spacy.load`."""
    config = {f"{COMPONENT}.{name}": value for name, value in settings.items()}
    return spacy.load(path, config=config)


def edit(path, tmp_path, settings):
    """Write settings into the config of a saved pipeline."""
    copy = tmp_path / "copy"
    shutil.copytree(path, copy)
    config = load_config(copy / "config.cfg")
    for name, value in settings.items():
        *sections, key = f"{COMPONENT}.{name}".split(".")
        section = config
        for one in sections:
            section = section[one]
        section[key] = value
    config.to_disk(copy / "config.cfg")
    return spacy.load(copy)


@pytest.fixture(params=[override, edit], ids=["override", "edited config"])
def load_with(request, trained_path, tmp_path):
    """Loads the trained pipeline with changed settings, in either way."""

    def load_with(**settings):
        settings = {k.replace("__", "."): v for k, v in settings.items()}
        return request.param(trained_path, tmp_path, settings)

    return load_with


def test_threshold(load_with):
    nlp = load_with(threshold=1.0)
    assert nlp.get_pipe(NAME).threshold == 1.0
    assert not any(triples_of(doc) for doc in nlp.pipe(with_entities(nlp)))


def test_threshold_of_zero(load_with):
    nlp = load_with(threshold=0.0)
    doc = with_entities(nlp)[3]
    n_pairs = len(nlp.get_pipe(NAME).find_candidates(doc).pairs)
    assert len(nlp(doc)._.relations) == n_pairs


def renamed(nlp, doc):
    """The Doc with the types that another NER would give its entities."""
    types = {"PER": "PERSON", "LOC": "GPE"}
    doc.ents = [Span(doc, e.start, e.end, types[e.label_]) for e in doc.ents]
    return doc


def test_type_map(load_with, trained):
    nlp = load_with(type_map={"PERSON": "PER", "GPE": "LOC"})
    for doc, expected in zip(with_entities(nlp), with_entities(trained)):
        own = nlp(renamed(nlp, doc))
        assert relations_of(own) == relations_of(trained(expected))
        assert {span.label_ for span in own.ents} <= {"PERSON", "GPE"}


def test_type_map_goes_with_the_component_into_another_pipeline(load_with, tmp_path):
    ner = spacy.blank("en")
    ner.add_pipe(NAME, source=load_with(type_map={"PERSON": "PER", "GPE": "LOC"}))
    ner.to_disk(tmp_path / "both")
    for nlp in (ner, spacy.load(tmp_path / "both")):
        doc = nlp(renamed(nlp, with_entities(nlp)[0]))
        assert triples_of(doc) == [("Anna", "born_in", "Rome")]


def test_type_map_that_is_set_is_saved(trained_path, tmp_path):
    nlp = spacy.load(trained_path)
    nlp.get_pipe(NAME).type_map = {"PERSON": "PER", "a:b": "LOC"}
    nlp.to_disk(tmp_path / "set")
    assert spacy.load(tmp_path / "set").get_pipe(NAME).type_map == {
        "PERSON": "PER",
        "a:b": "LOC",
    }
    config = {f"{COMPONENT}.type_map": {"GPE": "LOC"}}
    given = spacy.load(tmp_path / "set", config=config).get_pipe(NAME)
    assert given.type_map == {"GPE": "LOC"}


@pytest.mark.parametrize("wrong", [{"PERSON": None}, {1: "PER"}, ["PERSON"], "PERSON"])
def test_type_map_that_maps_no_types_is_refused(trained, wrong):
    with pytest.raises(ValueError, match="type_map must name"):
        trained.get_pipe(NAME).type_map = wrong
    assert trained.get_pipe(NAME).type_map == {}


def test_type_that_a_config_would_lose_is_refused():
    with pytest.raises(ValueError, match="The entity type 'a:b' can't be a key"):
        spacy.blank("en").add_pipe(NAME, config={"type_map": {"a:b": "PER"}})


def test_scores_read_types_as_the_type_map_says(load_with):
    nlp = load_with(type_map={"PERSON": "PER", "GPE": "LOC"})
    gold = make_docs(nlp.vocab)
    predicted = [renamed(nlp, doc) for doc in with_entities(nlp)]
    scores = nlp.evaluate([Example(one, other) for one, other in zip(predicted, gold)])
    assert scores["rel_micro_f"] == 1.0


def test_spans_key(load_with):
    nlp = load_with(spans_key="things")
    doc = with_entities(nlp)[0]
    doc.spans["things"] = list(doc.ents)
    doc.ents = []
    assert triples_of(nlp(doc)) == [("Anna", "born_in", "Rome")]


def test_relations_key(load_with):
    nlp = load_with(relations_key="others")
    doc = nlp(with_entities(nlp)[0])
    assert len(get_relations(doc, "others")) == 1
    assert get_relations(doc) == ()


def test_overwrite(load_with):
    nlp = load_with(overwrite=True)
    doc = with_entities(nlp)[0]
    doc._.relations = [(*doc.ents, "by_rule")]
    assert triples_of(nlp(doc)) == [("Anna", "born_in", "Rome")]


def test_multi_label(load_with):
    nlp = load_with(multi_label=True, threshold=0.0)
    (doc,) = with_entities(nlp)[:1]
    labels = [label for _, label, _ in triples_of(nlp(doc))]
    assert labels == ["born_in", "knows", "works_in", "works_in"]


def test_single_direction(load_with):
    nlp = load_with(decoder__single_direction=True, threshold=0.0)
    assert len(nlp(with_entities(nlp)[0])._.relations) == 1


def test_concepts(load_with):
    nlp = load_with(decoder__concepts="max", threshold=0.0)
    doc = with_entities(nlp)[2]
    ids = ["friends", "friends", "Rome"]
    doc.ents = [
        Span(doc, e.start, e.end, e.label, kb_id=id_) for e, id_ in zip(doc.ents, ids)
    ]
    related = [(r.subject.kb_id_, r.object.kb_id_) for r in nlp(doc)._.relations]
    assert sorted(related) == [("Rome", "friends"), ("friends", "Rome")]


def test_prune(load_with):
    nlp = load_with(model__prune=0.5)
    for scored in nlp.get_pipe(NAME).predict(with_entities(nlp)):
        assert ((scored.probabilities > 0).sum(axis=1) == 1).all()


def test_predict_with(load_with, trained):
    doc = with_entities(trained)[0]
    (usual,) = trained.get_pipe(NAME).predict([doc])
    (scored,) = load_with(model__predict_with="head").get_pipe(NAME).predict([doc])
    assert abs(scored.probabilities - usual.probabilities).max() > 1e-4


def test_predicates(load_with):
    nlp = load_with(predicates=[{"label": "lives_in"}])
    assert nlp.get_pipe(NAME).labels == ("lives_in",)


def test_unchanged_settings_change_nothing(load_with, trained):
    nlp = load_with(threshold=None)
    docs = nlp.pipe(with_entities(nlp))
    expected = trained.pipe(with_entities(trained))
    assert [relations_of(d) for d in docs] == [relations_of(d) for d in expected]
