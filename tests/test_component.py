"""The component on Docs: arguments, prediction, streams, scoring."""

import logging
import pickle

import numpy
import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example
from tiny_corpus import (
    PREDICATES,
    TEXTS,
    gold_triples,
    make_doc,
    make_docs,
    make_examples,
    make_pipeline,
    relations_of,
    train,
    triples_of,
    with_entities,
)

from spacy_dualre import Relation
from spacy_dualre.model.architectures import with_settings as model_with
from spacy_dualre.model.shim import get_shim

NAME = "dual_relation_extractor"


def add(**config):
    return spacy.blank("en").add_pipe(NAME, config=config)


def architecture(**arguments):
    return {"@architectures": "spacy-dualre.DualEncoder.v1", **arguments}


def candidates(**arguments):
    return {"@misc": "spacy-dualre.candidate_pairs.v1", **arguments}


def with_settings(bert, **model):
    """An untrained, initialized pipeline."""
    nlp = make_pipeline(bert, model)
    nlp.initialize(lambda: make_examples(nlp))
    return nlp


# --- arguments


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("threshold", 1.5),
        ("threshold", -0.1),
        ("threshold", "high"),
        ("threshold", {"knows": 2}),
        ("relations_key", ""),
        ("use_gold_ents", "perhaps"),
        ("multi_label", "perhaps"),
        ("overwrite", "perhaps"),
        ("sampler", None),
        ("decoder", None),
        ("predicates", ["born_in"]),
        ("candidates", None),
        ("scorer", "rel"),
        ("model", None),
        ("spans_key", 3),
        ("unheard_of", 1),
    ],
)
def test_wrong_argument_is_named(argument, value):
    with pytest.raises(ValueError, match=argument):
        add(**{argument: value})


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("alpha", 1.5),
        ("prune", 1.0),
        ("temperature", 0.0),
        ("max_length", 3),
        ("predict_with", "both"),
        ("fill_spans", "sometimes"),
    ],
)
def test_wrong_argument_of_the_architecture_is_named(argument, value):
    with pytest.raises(ValueError, match=argument):
        add(model=architecture(**{argument: value}))


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("context_length", -5),
        ("temperature_lr", -1.0),
        ("max_tokens", 0),
        ("cache_size", -1),
        ("shortlist", -1),
    ],
)
def test_argument_of_the_architecture_out_of_range_is_named(argument, value):
    with pytest.raises(ValueError, match=argument):
        add(model=architecture(**{argument: value}))


@pytest.mark.parametrize("argument", ["max_sentences", "max_tokens", "max_pairs"])
def test_wrong_argument_of_the_candidates_is_named(argument):
    with pytest.raises(ValueError, match=argument):
        add(candidates=candidates(**{argument: -1}))


def test_relations_may_not_overwrite_the_entities():
    with pytest.raises(ValueError, match="relations_key.*spans_key"):
        add(spans_key="things", relations_key="things")


@pytest.mark.parametrize(
    "setting",
    [
        {"prune": 0.1},
        {"predict_with": "mean"},
    ],
)
def test_prediction_may_not_lean_on_an_untrained_head(setting):
    with pytest.raises(ValueError, match="alpha"):
        add(model=architecture(alpha=0.0, **setting))


@pytest.mark.parametrize(
    "description", ["{subject} only", "{object} only", "{subject} {object} {object}"]
)
def test_description_without_its_slots_is_refused_with_its_label(description):
    with pytest.raises(ValueError, match="'born_in'.*exactly once"):
        add(predicates={"born_in": description})


@pytest.mark.parametrize(
    "predicates",
    [
        {"CPR:3": "{subject} activates {object}"},
        {"part.of": {"description": "{subject} is part of {object}"}},
    ],
)
def test_label_that_a_config_file_would_change_is_refused(predicates):
    with pytest.raises(ValueError, match=next(iter(predicates))):
        add(predicates=predicates)


@pytest.mark.parametrize("label", ["CPR:3", "part.of", "a = b", "# 1", "[x]"])
def test_any_label_goes_through_a_config_file_in_a_list(label, tmp_path):
    nlp = spacy.blank("en")
    predicates = [{"label": label, "description": "{subject} with {object}"}]
    nlp.add_pipe(NAME, config={"predicates": predicates})
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path).get_pipe(NAME).labels == (label,)


# --- labels


def test_labels_keep_the_order_of_the_predicates():
    assert add(predicates=PREDICATES).labels == tuple(PREDICATES)


def test_label_data_makes_the_same_predicates():
    component = add(predicates=PREDICATES)
    other = add(predicates=component.label_data)
    assert other.predicates == component.predicates
    assert other.label_data == component.label_data


def test_added_label_gets_a_description():
    component = add()
    assert component.add_label("USED-FOR") == 1
    assert component.predicates[1].descriptions == ("{subject} used for {object}",)


def test_label_is_added_once():
    component = add(predicates=PREDICATES)
    assert component.add_label("knows") == 0
    assert component.labels == tuple(PREDICATES)


def test_added_label_keeps_the_others():
    component = add(predicates=PREDICATES)
    component.add_label("owns")
    assert component.labels == (*PREDICATES, "owns")
    assert component.predicates[1].subject_types == ("PER",)


def test_label_must_be_text():
    with pytest.raises(ValueError, match="E187"):
        add().add_label(3)


def test_known_label_may_be_added_to_a_trained_model(trained):
    assert trained.get_pipe(NAME).add_label("knows") == 0


@pytest.fixture
def changeable(trained):
    """A trained pipeline whose component a test may change."""
    return pickle.loads(pickle.dumps(trained))


def probabilities_of(nlp, doc):
    (scored,) = nlp.get_pipe(NAME).predict([doc])
    return scored.probabilities


@pytest.mark.parametrize("way", [{}, {"predict_with": "head"}, {"prune": 0.5}])
def test_label_added_to_a_trained_model_is_scored_by_its_description(
    changeable, trained, way
):
    component = changeable.get_pipe(NAME)
    component.model = model_with(component.model, **way)
    component.add_label("owns")
    doc = with_entities(changeable)[3]
    before, after = probabilities_of(trained, doc), probabilities_of(changeable, doc)
    assert (after[:, 4] > 0).all()
    # Among the others nothing has changed.
    rest = after[:, :4] / after[:, :4].sum(axis=1, keepdims=True)
    assert rest == pytest.approx(before, abs=1e-4)


def test_predicates_can_be_given_as_a_file(changeable, tmp_path):
    component = changeable.get_pipe(NAME)
    path = tmp_path / "predicates.yml"
    path.write_text('visits: "{subject} visits {object}"', encoding="utf8")
    component.set_predicates(path)
    assert component.labels == ("visits",)
    missing = str(tmp_path / "none.yml")
    with pytest.raises(ValueError, match=r"Can't find the predicates file .*none\.yml"):
        component.set_predicates(missing)
    assert component.labels == ("visits",)


MANY = {**PREDICATES, "visits": "{subject} visits {object}", "owns": "{object}'s owner"}


def test_a_shortlist_reads_with_spans_what_scores_best_without(changeable):
    component = changeable.get_pipe(NAME)
    component.set_predicates({k: f"{{subject}} {k} {{object}}" for k in MANY})
    docs = with_entities(changeable)
    found = [component.find_candidates(doc) for doc in docs]
    scores = {
        name: model_with(component.model, **settings).predict(found).dual
        for name, settings in {
            "full": {},
            "bare": {"fill_spans": False},
            "short": {"shortlist": 2},
            "all": {"shortlist": len(MANY)},
        }.items()
    }
    allowed = numpy.concatenate([own.allowed for own in found])
    bare = numpy.where(allowed, scores["bare"], -numpy.inf)
    bare[:, 0] = numpy.inf
    third = numpy.sort(bare, axis=1)[:, [-3]]
    expected = numpy.where(allowed & (bare >= third), scores["full"], -numpy.inf)
    assert scores["short"] == pytest.approx(expected, abs=1e-4)
    assert scores["all"] == pytest.approx(scores["full"], abs=1e-4)
    assert numpy.isinf(expected).sum() > numpy.isinf(scores["full"]).sum()


def test_a_shortlist_reads_fewer_descriptions(changeable):
    component = changeable.get_pipe(NAME)
    component.set_predicates(
        {f"p{i}": f"{{subject}} p{i} {{object}}" for i in range(50)}
    )
    found = [component.find_candidates(doc) for doc in with_entities(changeable)]
    read = {}
    for shortlist in (0, 5):
        model = model_with(component.model, shortlist=shortlist)
        model.predict(found)
        read[shortlist] = get_shim(model).cache.misses
    n_pairs = sum(len(own.pairs) for own in found)
    n_types = 4  # of a subject and an object
    assert read[5] <= 6 * n_pairs + 51 * n_types < read[0]


def test_a_shortlist_without_spans_is_refused():
    with pytest.raises(
        ValueError, match="shortlist must be 0 where fill_spans is false"
    ):
        add(model=architecture(shortlist=5, fill_spans=False))


def test_description_of_an_unknown_label_matters(changeable):
    component = changeable.get_pipe(NAME)
    doc = with_entities(changeable)[3]
    results = []
    for text in ("{subject} was born in {object}", "{object} is a {subject}"):
        component.set_predicates({**PREDICATES, "other": text})
        results.append(probabilities_of(changeable, doc)[:, 4])
    assert abs(results[0] - results[1]).max() > 0.1


def test_a_linear_head_alone_refuses_labels_that_it_was_not_trained_with(bert):
    nlp = make_pipeline(bert, {"alpha": 1.0})
    train(nlp, steps=1)
    nlp.get_pipe(NAME).add_label("visits")
    with pytest.raises(ValueError, match="not trained with visits"):
        nlp.get_pipe(NAME).predict(with_entities(nlp))


def test_label_removed_from_a_trained_model_is_found_no_more(changeable):
    component = changeable.get_pipe(NAME)
    component.set_predicates({k: PREDICATES[k] for k in ("born_in", "works_in")})
    found = [triples_of(doc) for doc in changeable.pipe(with_entities(changeable))]
    assert found[0] == gold_triples()[0]
    assert not any(label == "knows" for doc in found for _, label, _ in doc)


def test_labels_of_a_trained_model_may_change_their_order(changeable, trained):
    component = changeable.get_pipe(NAME)
    component.model = model_with(component.model, predict_with="mean")
    docs = with_entities(changeable)
    before = probabilities_of(changeable, docs[3])
    component.set_predicates({k: PREDICATES[k] for k in reversed(PREDICATES)})
    after = probabilities_of(changeable, docs[3])
    assert after[:, [0, 3, 2, 1]] == pytest.approx(before, abs=1e-5)


def test_training_goes_on_with_an_added_label(changeable):
    changeable.get_pipe(NAME).add_label("owns")
    sentence = "Anna owns Rome .", [(0, 1, "PER"), (2, 3, "LOC")]
    gold = make_doc(changeable.vocab, *sentence, [(0, "owns", 1)])
    own = Example(Doc(changeable.vocab, words=[t.text for t in gold]), gold)
    optimizer = changeable.resume_training()
    optimizer.learn_rate = 0.003
    for _ in range(25):
        changeable.update([own, *make_examples(changeable)], sgd=optimizer)
    doc = make_doc(changeable.vocab, *sentence, [])
    del doc.spans["relations"]
    assert triples_of(changeable(doc)) == [("Anna", "owns", "Rome")]


# --- prediction


def test_learns_a_tiny_corpus_by_heart(trained):
    assert [triples_of(trained(doc)) for doc in with_entities(trained)] == (
        gold_triples()
    )


def test_scores_are_probabilities(trained):
    scores = [
        r.score for doc in trained.pipe(with_entities(trained)) for r in doc._.relations
    ]
    assert scores
    assert all(0.5 < score <= 1 for score in scores)


def test_pipe_gives_what_calls_give(trained):
    called = [relations_of(trained(doc)) for doc in with_entities(trained)]
    piped = [relations_of(doc) for doc in trained.pipe(with_entities(trained))]
    assert piped == called


@pytest.mark.parametrize("batch_size", [1, 4])
def test_batch_size_does_not_matter(trained, batch_size):
    docs = trained.pipe(with_entities(trained), batch_size=batch_size)
    expected = trained.pipe(with_entities(trained))
    assert [relations_of(d) for d in docs] == [relations_of(d) for d in expected]


def test_pipe_yields_the_docs_it_was_given_in_order(trained):
    docs = with_entities(trained)
    given = iter(docs)
    got = list(trained.pipe(given, batch_size=2))
    assert all(a is b for a, b in zip(got, docs))
    assert len(got) == len(docs)


def test_pipe_takes_an_empty_stream(trained):
    assert list(trained.pipe(iter(()))) == []


@pytest.mark.parametrize(
    "words", [[], ["Nothing", "here"]], ids=["empty", "no entities"]
)
def test_doc_without_entities_gets_no_relations(trained, words):
    doc = Doc(trained.vocab, words=words)
    doc.ents = []
    assert trained(doc)._.relations == ()


def test_doc_without_entities_does_not_change_its_neighbours(trained):
    docs = with_entities(trained)
    empty = Doc(trained.vocab)
    mixed = list(trained.pipe([empty, docs[0], empty, docs[1], empty]))
    assert [triples_of(doc) for doc in mixed if len(doc)] == gold_triples()[:2]


def test_prediction_leaves_the_docs_alone(trained):
    docs = with_entities(trained)
    before = [doc.to_bytes() for doc in docs]
    trained.get_pipe(NAME).predict(docs)
    assert [doc.to_bytes() for doc in docs] == before


def test_prediction_takes_any_iterable(trained):
    scored = trained.get_pipe(NAME).predict(iter(with_entities(trained)))
    assert len(scored) == len(TEXTS)


def test_probabilities_of_a_pair_sum_to_one(trained):
    scored = trained.get_pipe(NAME).predict(with_entities(trained))
    sums = [row.sum() for item in scored for row in item.probabilities]
    assert sums == pytest.approx([1.0] * len(sums))


def test_disallowed_predicates_have_no_probability(trained):
    (scored,) = trained.get_pipe(NAME).predict(with_entities(trained)[:1])
    assert not scored.probabilities[~scored.candidates.allowed].any()
    assert not scored.candidates.allowed.all()


def test_running_again_changes_nothing(trained):
    doc = trained(with_entities(trained)[0])
    first = relations_of(doc)
    assert relations_of(trained(doc)) == first


def test_relations_that_are_there_are_kept(trained):
    doc = with_entities(trained)[1]
    berta, oslo = doc.ents
    doc._.relations = [Relation(oslo, berta, "by_rule", 0.25)]
    by_rule = relations_of(doc)
    assert relations_of(trained(doc))[1:] == by_rule
    assert triples_of(doc)[:1] == gold_triples()[1]


def test_a_relation_that_is_there_is_not_found_again(trained):
    doc = with_entities(trained)[1]
    doc._.relations = [Relation(*doc.ents, "works_in", 0.25)]
    assert relations_of(trained(doc)) == [("Berta", "works_in", "Oslo", 0.25)]


@pytest.fixture
def overwriting(trained):
    nlp = pickle.loads(pickle.dumps(trained))
    nlp.get_pipe(NAME).overwrite = True
    return nlp


def test_relations_that_are_there_are_replaced_if_that_is_asked_for(overwriting):
    doc = with_entities(overwriting)[1]
    doc._.relations = [Relation(doc.ents[0], doc.ents[1], "by_rule", 1.0)]
    assert triples_of(overwriting(doc)) == gold_triples()[1]


def test_overwriting_replaces_relations_that_no_longer_hold(overwriting):
    doc = overwriting(with_entities(overwriting)[0])
    assert doc._.relations
    doc.ents = []
    assert overwriting(doc)._.relations == ()


@pytest.mark.parametrize("batch_size", [2, 128])
def test_a_bad_doc_does_not_cost_its_batch(trained, batch_size):
    nlp = pickle.loads(pickle.dumps(trained))
    failed = []
    handler = lambda name, pipe, docs, error: failed.append((docs, str(error)))  # noqa: E731
    nlp.get_pipe(NAME).set_error_handler(handler)
    docs = with_entities(nlp)
    docs[1].spans["relations"] = docs[1].ents[:1]  # of something else
    found = list(nlp.pipe(docs, batch_size=batch_size))
    assert [triples_of(doc) for doc in found] == gold_triples()[:1] + gold_triples()[2:]
    ((bad,), error), *others = failed
    assert bad is docs[1] and not others
    assert "holds 1 spans" in error


def test_a_bad_doc_raises_its_error_by_default(trained):
    docs = with_entities(trained)
    docs[1].spans["relations"] = docs[1].ents[:1]
    with pytest.raises(ValueError, match="holds 1 spans"):
        list(trained.pipe(docs))


def typed(bert):
    """A pipeline whose predicates relate a PER and a LOC."""
    types = {"subject_types": ["PER"], "object_types": ["LOC"]}
    predicates = dict.fromkeys(PREDICATES, types)
    nlp = make_pipeline(bert, predicates=predicates)
    nlp.initialize(lambda: make_examples(nlp)[:2])
    return nlp


def test_types_that_fit_no_signature_are_said_once(bert, recwarn):
    nlp = typed(bert)
    docs = with_entities(nlp)
    for doc in docs:
        doc.ents = [Span(doc, e.start, e.end, f"MY_{e.label_}") for e in doc.ents]
    recwarn.clear()
    list(nlp.pipe([*docs, *docs], batch_size=2))
    (warning,) = recwarn
    assert "MY_LOC, MY_PER" in str(warning.message)
    assert "which relate LOC, PER" in str(warning.message)


def test_types_that_fit_are_not_warned_of(bert, trained, recwarn):
    nlp = typed(bert)
    recwarn.clear()
    two_people = make_doc(
        nlp.vocab, "Anna knows Berta .", [(0, 1, "PER"), (2, 3, "PER")], []
    )
    for doc in [*with_entities(nlp), two_people]:
        nlp(doc)
        trained(doc)
    assert not recwarn.list


def test_a_threshold_of_no_predicate_is_said_once(bert, recwarn):
    nlp = typed(bert)
    nlp.get_pipe(NAME).threshold = {"knows": 0.5, "know": 0.5}
    recwarn.clear()
    list(nlp.pipe(with_entities(nlp) * 2, batch_size=2))
    (warning,) = recwarn
    assert f"The threshold of '{NAME}' names know, " in str(warning.message)
    assert "it has born_in, knows, works_in" in str(warning.message)


def test_symmetric_relation_is_found_once_in_text_order(trained):
    (relation,) = trained(with_entities(trained)[2])._.relations
    assert relation.label == "knows"
    assert relation.subject.start < relation.object.start


def test_relations_of_several_components_live_side_by_side(bert):
    nlp = make_pipeline(bert)
    config = {**nlp.get_pipe_config(NAME), "relations_key": "other_relations"}
    nlp.add_pipe(config.pop("factory"), name="second", config=config)
    losses = {}
    examples = make_examples(nlp)
    for example in examples:
        example.reference.spans["other_relations"] = example.reference.spans[
            "relations"
        ]
    optimizer = nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=optimizer, losses=losses)
    assert set(losses) == {NAME, "second"}
    doc = nlp(with_entities(nlp)[0])
    assert {"relations", "other_relations"} <= set(doc.spans)


def test_model_without_weights_says_so():
    nlp = spacy.blank("en")
    nlp.add_pipe(NAME, config={"predicates": PREDICATES})
    with pytest.raises(ValueError, match="no weights yet"):
        nlp(with_entities(nlp)[0])


def test_entities_that_nothing_has_set_are_asked_for_once(trained):
    component = pickle.loads(pickle.dumps(trained)).get_pipe(NAME)
    doc = Doc(trained.vocab, words=["Anna", "sleeps"])
    with pytest.warns(UserWarning, match=r"nothing has set doc\.ents"):
        component(doc)
    assert component(doc)._.relations == ()


def test_error_handler_gets_the_batch_and_the_stream_goes_on(trained):
    nlp = pickle.loads(pickle.dumps(trained))
    failed = []
    nlp.set_error_handler(lambda name, proc, docs, e: failed.append((name, docs)))
    docs = with_entities(nlp)
    docs[1].spans["relations"] = []
    good = nlp.get_pipe(NAME).find_pairs

    def break_on_second(doc, entities, admitted):
        if doc is docs[1]:
            raise RuntimeError("broken")
        return good(doc, entities, admitted)

    nlp.get_pipe(NAME).find_pairs = break_on_second
    got = list(nlp.pipe(docs, batch_size=1))
    assert failed == [(NAME, [docs[1]])]
    assert [triples_of(doc) for doc in got] == gold_triples()[:1] + gold_triples()[2:]


def test_errors_are_raised_by_default(trained):
    nlp = pickle.loads(pickle.dumps(trained))
    nlp.get_pipe(NAME).find_pairs = None
    with pytest.raises(TypeError):
        list(nlp.pipe(with_entities(nlp)))


# --- threshold


def test_threshold_is_read_at_prediction(trained):
    nlp = pickle.loads(pickle.dumps(trained))
    doc = with_entities(nlp)[0]
    component = nlp.get_pipe(NAME)
    (scored,) = component.predict([doc])
    highest = float(scored.probabilities[:, 1:].max())
    component.cfg = {**component.cfg, "threshold": min(highest + 1e-6, 1.0)}
    assert nlp(doc)._.relations == ()
    component.threshold = highest
    assert len(nlp(doc)._.relations) == 1


def test_threshold_of_zero_gives_every_pair_its_best_predicate(bert):
    nlp = with_settings(bert)
    doc = with_entities(nlp)[3]
    component = nlp.get_pipe(NAME)
    component.threshold = 0.0
    (scored,) = component.predict([doc])
    assert len(nlp(doc)._.relations) == len(scored.candidates.pairs)


def test_threshold_beats_no_relation(bert):
    nlp = with_settings(bert)
    component = nlp.get_pipe(NAME)
    (doc,) = with_entities(nlp)[:1]
    (scored,) = component.predict([doc])
    scored.probabilities[:] = [[0.6, 0.1, 0.3, 0.0]] * len(scored.probabilities)
    component.set_annotations([doc], [scored])
    assert doc._.relations == ()
    component.threshold = 0.4
    component.set_annotations([doc], [scored])
    assert doc._.relations == ()
    component.threshold = 0.3
    component.set_annotations([doc], [scored])
    assert {r.label for r in doc._.relations} == {"works_in"}


# --- nested spans


def test_reads_entities_from_a_span_group(bert):
    nlp = make_pipeline(bert, spans_key="things")
    gold = make_doc(nlp.vocab, "Anna Rome Blum works in Oslo .", [], [])
    outer, inner, place = (
        Span(gold, 0, 3, "PER"),
        Span(gold, 1, 2, "LOC"),
        Span(gold, 5, 6, "LOC"),
    )
    gold.spans["things"] = [outer, inner, place]
    gold._.relations = [(outer, place, "works_in"), (outer, inner, "born_in")]
    examples = [Example(Doc(nlp.vocab, words=[t.text for t in gold]), gold)]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.003
    for _ in range(40):
        nlp.update(examples, sgd=optimizer)
    doc = Doc(nlp.vocab, words=[t.text for t in gold])
    doc.spans["things"] = [
        Span(doc, s.start, s.end, s.label_) for s in (place, inner, outer)
    ]
    assert triples_of(nlp(doc)) == triples_of(gold)


# --- scoring


def test_scores_bare_docs_with_the_gold_entities(trained):
    scores = trained.evaluate(make_examples(trained))
    assert scores["rel_micro_f"] == 1.0
    assert scores["rel_macro_f"] == 1.0
    assert scores["rel_candidate_recall"] == 1.0


def test_scores_by_type(trained):
    scores = trained.evaluate(make_examples(trained))
    assert set(scores["rel_per_type"]) == set(PREDICATES)


def test_without_gold_entities_nothing_is_found(trained_path):
    nlp = spacy.load(trained_path, config={f"components.{NAME}.use_gold_ents": False})
    with pytest.warns(UserWarning, match="no entities"):
        scores = nlp.evaluate(make_examples(nlp))
    assert scores["rel_micro_r"] == 0.0
    assert scores["rel_candidate_recall"] == 0.0


def test_entities_of_another_component_are_kept_when_scoring(trained):
    nlp = pickle.loads(pickle.dumps(trained))
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns(
        [{"label": "PER", "pattern": "Anna"}, {"label": "LOC", "pattern": "Rome"}]
    )
    scores = nlp.evaluate(make_examples(nlp)[:2])
    assert scores["rel_micro_r"] == 0.5
    assert scores["rel_candidate_recall"] == 0.5


def test_gold_relation_that_is_no_candidate_is_a_miss(trained):
    words = "Anna was born . In Rome"
    doc = Doc(trained.vocab, words=words.split(), sent_starts=[1, 0, 0, 0, 1, 0])
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 5, 6, "LOC")]
    doc._.relations = [(*doc.ents, "born_in")]
    far = Example(Doc(trained.vocab, words=words.split()), doc)
    scores = trained.evaluate([*make_examples(trained)[:1], far])
    assert scores["rel_micro_p"] == 1.0
    assert scores["rel_micro_r"] == 0.5
    assert scores["rel_candidate_recall"] == 0.5


def test_scores_do_not_depend_on_white_space_and_case_of_the_gold_text(trained):
    predicted = trained.make_doc("Anna was born in Rome.")
    words = ["anna", "was", "born", " ", "in", "ROME", "."]
    gold = Doc(trained.vocab, words=words, sent_starts=[1, *[0] * 6])
    gold.ents = [Span(gold, 0, 1, "PER"), Span(gold, 5, 6, "LOC")]
    gold._.relations = [(*gold.ents, "born_in")]
    scores = trained.evaluate([Example(predicted, gold)])
    assert scores["rel_micro_f"] == 1.0
    assert scores["rel_candidate_recall"] == 1.0


def test_scoring_leaves_the_examples_alone(trained):
    examples = make_examples(trained)
    trained.evaluate(examples)
    assert not any(example.predicted.ents for example in examples)


def test_data_without_relations_has_no_score_and_that_is_said(trained):
    nlp = pickle.loads(pickle.dumps(trained))
    with pytest.warns(UserWarning, match=r"None of the examples \(2\) .* has gold"):
        scores = nlp.evaluate(make_examples(nlp)[-2:])
    assert scores["rel_micro_f"] is None
    assert scores["rel_candidate_recall"] is None


def test_component_without_scorer_gives_no_scores(bert):
    nlp = make_pipeline(bert, scorer=None)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    assert not any(key.startswith("rel_") for key in nlp.evaluate(examples))


# --- initialize


def test_label_missing_from_the_predicates_is_listed(bert):
    nlp = make_pipeline(bert, predicates={"knows": "{subject} knows {object}"})
    with pytest.raises(ValueError, match="2 born_in, 2 works_in"):
        nlp.initialize(lambda: make_examples(nlp))


def test_labels_of_the_data_make_descriptions(bert):
    nlp = make_pipeline(bert, predicates=None)
    nlp.initialize(lambda: make_examples(nlp))
    descriptions = {p.label: p.descriptions for p in nlp.get_pipe(NAME).predicates[1:]}
    assert descriptions == {
        "born_in": ("{subject} born in {object}",),
        "knows": ("{subject} knows {object}",),
        "works_in": ("{subject} works in {object}",),
    }


def test_labels_given_to_initialize_replace_those_of_the_config(bert):
    nlp = make_pipeline(bert, predicates={"old": "{subject} old {object}"})
    labels = add(predicates=PREDICATES).label_data
    nlp.config["initialize"]["components"][NAME] = {"labels": labels}
    nlp.initialize(lambda: make_examples(nlp))
    assert nlp.get_pipe(NAME).labels == tuple(PREDICATES)


def test_labels_of_the_wrong_type_are_refused(bert):
    nlp = make_pipeline(bert)
    nlp.config["initialize"]["components"][NAME] = {"labels": "knows"}
    with pytest.raises(ValueError, match="labels"):
        nlp.initialize(lambda: make_examples(nlp))


def test_without_any_label_initialize_says_so(bert):
    nlp = make_pipeline(bert, predicates=None)
    with pytest.raises(ValueError, match="E143"):
        nlp.initialize(lambda: make_examples(nlp)[-2:])


def test_signature_with_a_type_that_the_data_lacks_is_warned_of(bert):
    entry = {"description": "{subject} owns {object}", "object_types": ["CAR"]}
    nlp = make_pipeline(bert, predicates={**PREDICATES, "owns": entry})
    with pytest.warns(UserWarning, match="'owns'.*CAR"):
        nlp.initialize(lambda: make_examples(nlp))


def test_gold_relation_against_its_signature_is_warned_of_with_a_count(bert):
    entry = {"description": "{subject} was born in {object}", "object_types": ["PER"]}
    nlp = make_pipeline(bert, predicates={**PREDICATES, "born_in": entry})
    with pytest.warns(UserWarning, match=r"signature.*2 born_in \(PER -> LOC\)"):
        nlp.initialize(lambda: make_examples(nlp))


def test_initialize_logs_what_there_is_to_learn_from(bert, caplog):
    nlp = make_pipeline(bert, candidates=candidates(max_tokens=4))
    with caplog.at_level(logging.INFO, logger="spacy"):
        nlp.initialize(lambda: make_examples(nlp))
    (line,) = [r.getMessage() for r in caplog.records if NAME in r.getMessage()]
    assert "6 docs" in line
    assert "16 candidate pairs, 5 positive" in line
    assert "candidate recall 100.0% of 5" in line
    assert "pairs that are no candidates: 6 tokens" in line


def test_a_symmetric_relation_both_ways_round_is_one_in_the_report(bert, caplog):
    nlp = make_pipeline(bert)
    examples = make_examples(nlp)
    knows = examples[2].reference
    anna, berta, _ = knows.ents
    knows._.relations = [(anna, berta, "knows"), (berta, anna, "knows")]
    with caplog.at_level(logging.INFO, logger="spacy"):
        nlp.initialize(lambda: examples)
    (line,) = [r.getMessage() for r in caplog.records if NAME in r.getMessage()]
    assert "candidate recall 100.0% of 5 gold relations" in line


def test_mention_pairs_over_the_cap_of_their_concepts_are_no_warning(bert, caplog):
    nlp = make_pipeline(bert, candidates=candidates(max_pairs_per_concept=2))
    examples = make_examples(nlp)
    doc = examples[3].reference
    doc.ents = [
        Span(doc, ent.start, ent.end, ent.label_, kb_id=kb_id)
        for ent, kb_id in zip(doc.ents, "abca")
    ]
    oslo, carl, _, rome = doc.ents
    doc._.relations = [(carl, place, "born_in") for place in (oslo, rome)]
    with caplog.at_level(logging.INFO, logger="spacy"):
        nlp.initialize(lambda: examples)
    (record,) = [r for r in caplog.records if NAME in r.getMessage()]
    assert "lost by reason: 1 max_pairs_per_concept" in record.getMessage()
    assert "and 100.0% of 1 between concepts" in record.getMessage()
    assert record.levelno == logging.INFO


def test_lost_relations_are_logged_as_a_warning_with_the_reason(bert, caplog):
    nlp = make_pipeline(bert, candidates=candidates(max_tokens=2))
    with caplog.at_level(logging.WARNING, logger="spacy"):
        nlp.initialize(lambda: make_examples(nlp))
    (line,) = [r.getMessage() for r in caplog.records if NAME in r.getMessage()]
    assert "candidate recall 80.0% of 5" in line
    assert "lost by reason: 1 tokens" in line


def test_training_that_goes_on_reports_its_data(trained_path, caplog):
    override = {"components": {NAME: {"candidates": candidates(max_tokens=2)}}}
    nlp = spacy.load(trained_path, config=override)
    examples = make_examples(nlp)
    optimizer = nlp.resume_training()
    with caplog.at_level(logging.INFO, logger="spacy"):
        for batch in (examples[1:2], examples[1:2], examples, examples):
            nlp.update(batch, sgd=optimizer)
    first, lossy = [r for r in caplog.records if NAME in r.getMessage()]
    assert first.levelno == logging.INFO
    assert "of one batch: 1 docs" in first.getMessage()
    assert lossy.levelno == logging.WARNING
    assert "lost by reason: 1 tokens" in lossy.getMessage()


def test_training_after_initialize_reports_its_data_once(bert, caplog):
    nlp = make_pipeline(bert)
    with caplog.at_level(logging.INFO, logger="spacy"):
        train(nlp, steps=2)
    assert len([r for r in caplog.records if NAME in r.getMessage()]) == 1


def test_entities_yet_to_be_predicted_are_not_called_lost(bert, caplog, recwarn):
    nlp = make_pipeline(bert, use_gold_ents=False)
    with caplog.at_level(logging.INFO, logger="spacy"):
        nlp.initialize(lambda: make_examples(nlp))
    assert not [r for r in caplog.records if NAME in r.getMessage()]
    assert not [w for w in recwarn if "nothing to learn" in str(w.message)]


def test_data_with_entities_elsewhere_is_said_to_teach_nothing(bert):
    nlp = make_pipeline(bert, spans_key="things")
    with pytest.warns(UserWarning, match="None of the 5 gold .*: 5 entity"):
        nlp.initialize(lambda: make_examples(nlp))


@pytest.mark.parametrize(
    ("setting", "value"), [("max_length", 50), ("gold_preproc", True)]
)
def test_corpus_that_would_drop_gold_relations_is_refused(bert, setting, value):
    nlp = make_pipeline(bert)
    nlp.config["corpora"]["train"][setting] = value
    with pytest.raises(ValueError, match=rf"corpora\.train\.{setting}"):
        nlp.initialize(lambda: make_examples(nlp))


def test_corpora_from_one_function_are_accepted(bert):
    nlp = make_pipeline(bert)
    nlp.config["corpora"] = {"@readers": "some_reader.v1", "path": None}
    nlp.initialize(lambda: make_examples(nlp))


def test_initialize_without_examples_works_with_labels_in_the_config(bert):
    nlp = make_pipeline(bert, predicates={"knows": "{subject} knows {object}"})
    nlp.initialize()
    assert nlp(with_entities(nlp)[0])._.relations is not None


def test_initialize_needs_examples_and_not_docs(bert):
    nlp = make_pipeline(bert)
    with pytest.raises(TypeError, match="E978|Example"):
        nlp.get_pipe(NAME).initialize(lambda: make_docs(nlp.vocab), nlp=nlp)


def test_initialize_again_starts_anew(bert):
    nlp = make_pipeline(bert)
    train(nlp, steps=5)
    losses = train(nlp, steps=5)
    assert losses == pytest.approx(train(make_pipeline(bert), steps=5), rel=1e-4)


def test_encoder_that_does_not_exist_is_named():
    nlp = make_pipeline("no/such/encoder")
    with pytest.raises(ValueError, match="no/such/encoder"):
        nlp.initialize(lambda: make_examples(nlp))


def test_description_that_fills_the_encoder_is_refused(bert):
    long = "{subject} " + "very " * 200 + "{object}"
    nlp = make_pipeline(bert, predicates={**PREDICATES, "knows": long})
    with pytest.raises(ValueError, match="description"):
        nlp.initialize(lambda: make_examples(nlp))


def test_document_longer_than_the_encoder_is_read(bert):
    nlp = make_pipeline(bert, candidates=candidates(max_sentences=None))
    words = ["Anna", *["so"] * 400, "Rome"]
    doc = Doc(nlp.vocab, words=words)
    doc.ents = [Span(doc, 0, 1, "PER"), Span(doc, 401, 402, "LOC")]
    nlp.initialize(lambda: make_examples(nlp))
    with pytest.warns(UserWarning, match="do not fit in the encoder"):
        nlp(doc)
