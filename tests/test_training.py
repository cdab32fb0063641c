"""Learning: what a step does to losses, gradients and weights."""

import math
import warnings

import numpy
import pytest
import spacy
import torch
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import SGD, Adam, RAdam
from tiny_corpus import (
    PREDICATES,
    gold_triples,
    make_doc,
    make_examples,
    make_pipeline,
    relations_of,
    train,
    triples_of,
    with_entities,
)

from spacy_dualre.encoding.marked import MarkedReading
from spacy_dualre.encoding.markers import marked_types
from spacy_dualre.model.architectures import with_settings
from spacy_dualre.model.devices import has_bfloat16
from spacy_dualre.model.shim import get_shim
from spacy_dualre.training.gold import find_gold

NAME = "dual_relation_extractor"


def initialized(bert, model=None, examples=make_examples, **config):
    """A pipeline with fixed initial weights, and its examples."""
    spacy.util.fix_random_seed(0)
    nlp = make_pipeline(bert, model, **config)
    made = examples(nlp)
    nlp.initialize(lambda: made)
    return nlp, made


def sampler(**arguments):
    return {"@misc": "spacy-dualre.sampler.v1", **arguments}


def module_of(nlp):
    return get_shim(nlp.get_pipe(NAME).model).module


def weights_of(nlp):
    return {k: v.detach().clone() for k, v in module_of(nlp).named_parameters()}


def gradients_of(nlp):
    return {
        name: None if p.grad is None else p.grad.clone()
        for name, p in module_of(nlp).named_parameters()
    }


def bare(nlp, words, entities=(), relations=()):
    """An example whose predicted Doc has tokens only."""
    gold = make_doc(nlp.vocab, words, entities, relations)
    return Example(Doc(nlp.vocab, words=words.split()), gold)


def record_scores(component, monkeypatch):
    """Keep what `get_loss` is given: gold predicates, z and l of every part."""
    recorded = []
    get_loss = component.get_loss

    def recording(examples, scores):
        golds = [
            find_gold(example, found, component.relations_key).labels
            for example, found in zip(examples, scores.candidates)
        ]
        tensors = [torch.from_numpy(y.copy()) for y in (scores.dual, scores.head)]
        recorded.append((numpy.concatenate(golds), *tensors))
        return get_loss(examples, scores)

    monkeypatch.setattr(component, "get_loss", recording)
    return recorded


# --- batches with little in them


@pytest.mark.parametrize(
    ("words", "entities"),
    [
        ("", []),
        ("Nothing to see .", []),
        ("Anna sleeps .", [(0, 1, "PER")]),
        ("Rome and Oslo are far .", [(0, 1, "LOC"), (2, 3, "LOC")]),
    ],
    ids=["empty", "no entities", "one entity", "no admitted pair"],
)
def test_batch_without_candidates_teaches_nothing(bert, words, entities):
    entry = PREDICATES["born_in"]
    nlp, _ = initialized(
        bert,
        predicates={"born_in": entry},
        examples=lambda nlp: make_examples(nlp)[:1],
    )
    before = weights_of(nlp)
    losses = nlp.update([bare(nlp, words, entities)], sgd=Adam(0.1))
    assert losses == {NAME: 0.0}
    assert all(torch.equal(w, before[name]) for name, w in weights_of(nlp).items())


def test_empty_batch_is_accepted(bert):
    nlp, _ = initialized(bert)
    assert nlp.get_pipe(NAME).update([]) == {NAME: 0.0}


def test_batch_without_relations_gives_a_finite_loss(bert):
    nlp, _ = initialized(bert)
    sentence = "Anna is in Rome .", [(0, 1, "PER"), (3, 4, "LOC")]
    losses = nlp.update([bare(nlp, *sentence)], sgd=Adam(0.001))
    assert 0 < losses[NAME] < math.inf
    assert all(w.isfinite().all() for w in weights_of(nlp).values())


def test_empty_docs_do_not_change_the_loss_of_the_others(bert):
    nlp, examples = initialized(bert)
    component = nlp.get_pipe(NAME)
    alone = component.update(examples)[NAME]
    mixed = component.update([bare(nlp, ""), *examples, bare(nlp, "Hm .")])[NAME]
    assert mixed == pytest.approx(alone)


def test_single_predicate_can_be_learned(bert):
    nlp, _ = initialized(
        bert,
        predicates={"knows": "{subject} knows {object}"},
        examples=lambda nlp: make_examples(nlp)[2:3],
    )
    examples = [*make_examples(nlp)[2:3], *make_examples(nlp)[4:]]
    optimizer = Adam(0.003)
    for _ in range(40):
        losses = nlp.update(examples, sgd=optimizer)
    assert math.isfinite(losses[NAME])
    assert triples_of(nlp(with_entities(nlp)[2])) == gold_triples()[2]


def test_losses_add_up_over_updates(bert):
    nlp, examples = initialized(bert)
    component = nlp.get_pipe(NAME)
    losses = {"other": 1.0}
    component.update(examples, losses=losses)
    first = losses[NAME]
    component.update(examples, losses=losses)
    assert losses == {"other": 1.0, NAME: pytest.approx(2 * first)}


def test_docs_instead_of_examples_are_refused(bert):
    nlp, _ = initialized(bert)
    with pytest.raises(TypeError, match="update"):
        nlp.get_pipe(NAME).update(with_entities(nlp))


def test_update_before_initialize_says_so(bert):
    nlp = make_pipeline(bert)
    with pytest.raises(ValueError, match="no weights yet"):
        nlp.get_pipe(NAME).update(make_examples(nlp))


def test_a_relation_without_predicate_is_refused(bert):
    nlp, _ = initialized(bert)
    entities = [(0, 1, "PER"), (2, 3, "LOC")]
    example = bare(nlp, "Anna left Rome .", entities, [(0, "left", 1)])
    before = weights_of(nlp)
    with pytest.raises(ValueError, match="no predicate for: 1 left"):
        nlp.update([example], sgd=Adam(0.1))
    assert all(torch.equal(w, before[name]) for name, w in weights_of(nlp).items())


def test_examples_are_left_alone(bert):
    nlp, examples = initialized(bert)
    nlp.get_pipe(NAME).update(examples)
    assert not any(example.predicted.ents for example in examples)
    assert not any(example.predicted.spans for example in examples)


# --- gradients


def test_without_optimizer_gradients_accumulate_and_weights_stay(bert):
    nlp, examples = initialized(bert)
    before = weights_of(nlp)
    component = nlp.get_pipe(NAME)
    component.update(examples)
    once = gradients_of(nlp)
    component.update(examples)
    twice = gradients_of(nlp)
    assert all(torch.equal(w, before[name]) for name, w in weights_of(nlp).items())
    assert any(g is not None and g.abs().sum() > 0 for g in once.values())
    for name, gradient in once.items():
        if gradient is not None:
            torch.testing.assert_close(twice[name], 2 * gradient, msg=name)


def test_finish_update_applies_and_clears_the_gradients(bert):
    nlp, examples = initialized(bert)
    before = weights_of(nlp)
    component = nlp.get_pipe(NAME)
    component.update(examples)
    component.finish_update(Adam(0.001))
    assert any(not torch.equal(w, before[name]) for name, w in weights_of(nlp).items())
    assert all(g is None or not g.any() for g in gradients_of(nlp).values())


def test_every_weight_that_is_read_learns(bert):
    nlp, examples = initialized(bert)
    nlp.get_pipe(NAME).update(examples)
    without = [n for n, g in gradients_of(nlp).items() if g is None or not g.any()]
    assert without == []


@pytest.mark.parametrize("max_tokens", [1, 300])
def test_parts_give_the_gradients_of_the_whole(bert, max_tokens, monkeypatch):
    whole, examples = initialized(bert)
    whole_loss = whole.get_pipe(NAME).update(examples)[NAME]
    parts, examples = initialized(bert, {"max_tokens": max_tokens})
    component = parts.get_pipe(NAME)
    recorded = record_scores(component, monkeypatch)
    loss = component.update(examples)[NAME]
    assert len(recorded) > 1
    assert loss == pytest.approx(whole_loss, rel=1e-4)
    expected = gradients_of(whole)
    for name, gradient in gradients_of(parts).items():
        torch.testing.assert_close(
            gradient, expected[name], atol=1e-5, rtol=1e-4, msg=name
        )


def test_dropout_is_the_one_given_to_update(bert):
    nlp, examples = initialized(bert)
    component = nlp.get_pipe(NAME)
    still = {component.update(examples, drop=0.0)[NAME] for _ in range(3)}
    moving = {component.update(examples, drop=0.5)[NAME] for _ in range(3)}
    assert max(still) == pytest.approx(min(still))
    assert len({round(loss, 4) for loss in moving}) == 3


def test_prediction_after_training_is_without_dropout(bert):
    nlp, examples = initialized(bert)
    nlp.get_pipe(NAME).update(examples, drop=0.5)
    docs = with_entities(nlp)
    predict = nlp.get_pipe(NAME).predict
    first, second = (predict(docs)[3].probabilities for _ in range(2))
    assert numpy.array_equal(first, second)


# --- what is scored in training


def test_all_descriptions_that_the_signatures_allow_are_scored(bert, monkeypatch):
    nlp, examples = initialized(bert, sampler=sampler(descriptions="all"))
    recorded = record_scores(nlp.get_pipe(NAME), monkeypatch)
    nlp.get_pipe(NAME).update(examples)
    for _, scores, logits in recorded:
        assert torch.equal(scores.isfinite(), logits.isfinite())
        assert not scores.isfinite().all()


MANY = {f"label_{i}": f"{{subject}} number {i} {{object}}" for i in range(5)}


def record_many(bert, monkeypatch, how, n, steps=1):
    """What updates with many predicates score, as `record_scores` records it."""
    nlp, examples = initialized(
        bert,
        predicates={**PREDICATES, **MANY},
        sampler=sampler(descriptions=how, n_descriptions=n),
    )
    recorded = record_scores(nlp.get_pipe(NAME), monkeypatch)
    for _ in range(steps):
        nlp.get_pipe(NAME).update(examples)
    return recorded


@pytest.mark.parametrize("n", [0, 2])
def test_gold_no_relation_and_n_others_are_scored(bert, monkeypatch, n):
    recorded = record_many(bert, monkeypatch, "random", n)
    for gold, scores, _ in recorded:
        scored = scores.isfinite().numpy()
        assert scored[:, 0].all()
        assert scored[numpy.arange(len(gold)), gold].all()
        assert scored.sum(axis=1).tolist() == (1 + (gold > 0) + n).tolist()


def test_mixed_descriptions_are_all_for_related_pairs_and_hard_for_the_others(
    bert, monkeypatch
):
    recorded = record_many(bert, monkeypatch, "mixed", 2)
    related = [label > 0 for gold, *_ in recorded for label in gold]
    assert any(related) and not all(related)
    for gold, scores, logits in recorded:
        for label, scored, row in zip(gold, scores.isfinite(), logits):
            if label:
                assert torch.equal(scored, row.isfinite())
            else:
                hardest = (1 + row[1:].argsort(descending=True)[:2]).tolist()
                assert scored.nonzero().flatten().tolist() == [0, *sorted(hardest)]


def test_random_descriptions_differ_between_steps(bert, monkeypatch):
    recorded = record_many(bert, monkeypatch, "random", 2, steps=4)
    chosen = {scores.isfinite().numpy().tobytes() for _, scores, _ in recorded}
    assert len(chosen) > 1


@pytest.mark.parametrize("how", ["all", "mixed", "random"])
def test_disallowed_descriptions_are_never_scored(bert, monkeypatch, how):
    nlp, examples = initialized(
        bert, sampler=sampler(descriptions=how, n_descriptions=9)
    )
    recorded = record_scores(nlp.get_pipe(NAME), monkeypatch)
    losses = nlp.get_pipe(NAME).update(examples)
    assert math.isfinite(losses[NAME])
    for _, scores, logits in recorded:
        assert not (scores.isfinite() & ~logits.isfinite()).any()


@pytest.mark.parametrize(("ratio", "n"), [(None, 9), (0.0, 0), (0.5, 3), (1.0, 5)])
def test_negative_ratio_bounds_the_pairs_without_relation(bert, monkeypatch, ratio, n):
    nlp, examples = initialized(bert, sampler=sampler(negative_ratio=ratio))
    recorded = record_scores(nlp.get_pipe(NAME), monkeypatch)
    nlp.get_pipe(NAME).update(examples)
    gold = numpy.concatenate([gold for gold, *_ in recorded])
    assert (gold > 0).sum() == 5
    if ratio is None:
        assert (gold == 0).sum() > 5
    else:
        assert (gold == 0).sum() == n


def test_batch_without_relations_nor_negatives_teaches_nothing(bert):
    nlp, _ = initialized(bert, sampler=sampler(negative_ratio=0.0))
    sentence = "Anna is in Rome .", [(0, 1, "PER"), (3, 4, "LOC")]
    losses = nlp.get_pipe(NAME).update([bare(nlp, *sentence)], sgd=Adam(0.1))
    assert losses == {NAME: 0.0}


# --- gold entities, alignment


def test_without_gold_entities_there_is_nothing_to_learn(bert):
    nlp, examples = initialized(bert, use_gold_ents=False)
    with pytest.warns(UserWarning, match=r"nothing has set doc\.ents"):
        losses = nlp.update(examples)
    assert losses == {NAME: 0.0}


def test_predicted_entities_are_learned_from(bert):
    nlp, examples = initialized(bert, use_gold_ents=False)
    for example in examples:
        gold = example.reference
        example.predicted.ents = [
            Span(example.predicted, e.start, e.end, e.label_) for e in gold.ents
        ]
    assert nlp.update(examples)[NAME] > 0


def test_predicted_entities_are_not_replaced_by_gold_ones(bert, monkeypatch):
    nlp, examples = initialized(bert)
    example = examples[3]
    doc = example.predicted
    doc.ents = [Span(doc, 1, 2, "LOC"), Span(doc, 3, 5, "PER")]
    recorded = record_scores(nlp.get_pipe(NAME), monkeypatch)
    nlp.get_pipe(NAME).update([example])
    (gold, _, _) = recorded[0]
    assert sorted(gold.tolist()) == [0, 1]


def differently_tokenized(nlp, gold_words, words, entities, relation):
    gold = make_doc(nlp.vocab, gold_words, entities, [relation])
    spaces = [True] * len(words.split("|"))
    pieces = words.split("|")
    spaces = [piece.endswith(" ") for piece in pieces]
    doc = Doc(nlp.vocab, words=[p.strip() for p in pieces], spaces=spaces)
    assert doc.text.strip() == gold.text.strip()
    return Example(doc, gold)


def test_gold_relations_are_aligned_to_other_tokens(bert, monkeypatch):
    nlp, _ = initialized(bert)
    example = differently_tokenized(
        nlp,
        "Anna was born in Rome .",
        "An|na |was |bo|rn |in |Rome |. ",
        [(0, 1, "PER"), (4, 5, "LOC")],
        (0, "born_in", 1),
    )
    recorded = record_scores(nlp.get_pipe(NAME), monkeypatch)
    nlp.get_pipe(NAME).update([example])
    assert numpy.concatenate([gold for gold, *_ in recorded]).max() == 1
    assert nlp.evaluate([example])["rel_candidate_recall"] == 1.0


def test_entity_that_is_no_token_of_the_predicted_doc_is_lost_and_counted(bert):
    nlp, _ = initialized(bert)
    example = differently_tokenized(
        nlp,
        "Anna was born in north Rome .",
        "Anna |was |born |in |north Rome |. ",
        [(0, 1, "PER"), (5, 6, "LOC")],
        (0, "born_in", 1),
    )
    assert nlp.update([example]) == {NAME: 0.0}
    assert nlp.evaluate([example])["rel_candidate_recall"] == 0.0


def test_further_label_of_a_pair_does_not_replace_the_first(bert, monkeypatch):
    nlp, _ = initialized(bert)
    entities = [(0, 1, "PER"), (4, 5, "LOC")]
    relations = [(0, "works_in", 1), (0, "born_in", 1)]
    example = bare(nlp, "Anna was born in Rome .", entities, relations)
    recorded = record_scores(nlp.get_pipe(NAME), monkeypatch)
    nlp.get_pipe(NAME).update([example])
    assert sorted(recorded[0][0].tolist()) == [0, 1]


def test_symmetric_gold_relation_may_be_given_either_way_round(bert, monkeypatch):
    nlp, examples = initialized(bert)
    forth = examples[2]
    back = bare(
        nlp,
        "Anna knows Berta Blum in Rome .",
        [(0, 1, "PER"), (2, 4, "PER"), (5, 6, "LOC")],
        [(1, "knows", 0)],
    )
    recorded = record_scores(nlp.get_pipe(NAME), monkeypatch)
    nlp.get_pipe(NAME).update([forth])
    nlp.get_pipe(NAME).update([back])
    assert recorded[0][0].tolist() == recorded[1][0].tolist()
    assert 3 in recorded[0][0]


# --- architectures


@pytest.mark.parametrize(
    "settings", [{"predict_with": "head"}, {"predict_with": "mean"}, {"prune": 0.05}]
)
def test_learns_for_every_way_to_predict(trained, settings, monkeypatch):
    component = trained.get_pipe(NAME)
    monkeypatch.setattr(component, "model", with_settings(component.model, **settings))
    docs = trained.pipe(with_entities(trained))
    assert [triples_of(doc) for doc in docs] == gold_triples()


VARIANTS = {
    "contrastive loss alone": {"alpha": 0.0},
    "head alone": {"alpha": 1.0},
    "tied encoders": {"tie_encoders": True},
    "without context": {"use_context": False},
    "descriptions without spans": {"fill_spans": False},
    "wider context": {"context_length": 64},
}


@pytest.mark.parametrize("model", VARIANTS.values(), ids=VARIANTS.keys())
def test_variant_learns_and_is_the_same_after_loading(bert, model, tmp_path):
    nlp = make_pipeline(bert, model)
    train(nlp, steps=40)
    before = [relations_of(doc) for doc in nlp.pipe(with_entities(nlp))]
    assert [[r[:3] for r in doc] for doc in before] == gold_triples()
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    docs = with_entities(loaded)
    assert [relations_of(doc) for doc in loaded.pipe(docs)] == before


@pytest.mark.parametrize("how", ["mixed", "random"])
def test_learns_from_a_choice_of_descriptions(bert, how):
    predicates = {**PREDICATES, "owns": "{subject} has bought {object}"}
    choice = sampler(descriptions=how, n_descriptions=2)
    nlp = make_pipeline(bert, predicates=predicates, sampler=choice)
    train(nlp, steps=40)
    docs = nlp.pipe(with_entities(nlp))
    assert [triples_of(doc) for doc in docs] == gold_triples()


def test_learns_from_several_descriptions(bert):
    texts = ["{subject} works in {object}", "{object} employs {subject}"]
    nlp = make_pipeline(bert, predicates={**PREDICATES, "works_in": texts})
    train(nlp, steps=40)
    docs = nlp.pipe(with_entities(nlp))
    assert [triples_of(doc) for doc in docs] == gold_triples()


def test_several_predicates_of_a_pair_can_be_learned(bert):
    nlp = make_pipeline(bert, multi_label=True)
    sentence = "Anna was born in Rome .", [(0, 1, "PER"), (4, 5, "LOC")]
    both = [(0, "born_in", 1), (0, "works_in", 1)]
    examples = [bare(nlp, *sentence, both), *make_examples(nlp)[1:]]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.003
    for _ in range(40):
        nlp.update(examples, sgd=optimizer)
    found = [triples_of(doc) for doc in nlp.pipe(with_entities(nlp))]
    assert found == [
        [("Anna", "born_in", "Rome"), ("Anna", "works_in", "Rome")],
        *gold_triples()[1:],
    ]


def test_type_dropout_reads_types_as_unseen_in_training_only(bert, monkeypatch):
    read = []

    def recording(self, pairs, rows):
        read.append(set(pairs.types.tolist()))
        return build(self, pairs, rows)

    build = MarkedReading.build
    monkeypatch.setattr(MarkedReading, "build", recording)
    nlp, examples = initialized(bert, {"type_dropout": 1 - 1e-9})
    nlp.update(examples)
    assert read == [{0}]
    nlp(with_entities(nlp)[0])
    assert 0 not in read[-1]


def test_without_type_markers_types_count_in_signatures_only(bert):
    nlp, _ = initialized(bert, {"type_dropout": 1.0})
    assert marked_types(get_shim(nlp.get_pipe(NAME).model).tokenizer) == [""]
    (doc,) = with_entities(nlp)[:1]
    scored = nlp.get_pipe(NAME).predict([doc])[0]
    assert len(scored.candidates.pairs)
    assert scored.candidates.allowed.any() and not scored.candidates.allowed.all()


def test_head_alone_has_no_predicate_encoder(bert):
    nlp, _ = initialized(bert, {"alpha": 1.0})
    assert module_of(nlp).predicate_encoder is None


def test_tied_encoders_share_their_weights(bert):
    tied, _ = initialized(bert, {"tie_encoders": True})
    own, _ = initialized(bert)
    count = [sum(p.numel() for p in module_of(x).parameters()) for x in (tied, own)]
    assert count[0] < count[1]


def test_descriptions_without_spans_ignore_the_spans(bert):
    nlp, _ = initialized(bert, {"fill_spans": False, "cache_size": 100})
    (doc,) = with_entities(nlp)[:1]
    nlp(doc)
    cache = get_shim(nlp.get_pipe(NAME).model).cache
    known = len(cache)
    other = make_doc(
        nlp.vocab, "Dora was born in Oslo .", [(0, 1, "PER"), (4, 5, "LOC")], []
    )
    nlp(other)
    assert known and len(cache) == known


def test_pruning_skips_descriptions_that_the_head_rules_out(trained):
    component = trained.get_pipe(NAME)
    batch = [component.find_candidates(doc) for doc in with_entities(trained)]
    model = with_settings(component.model, prune=0.3)
    model.predict(batch)
    allowed = sum(found.allowed.sum() for found in batch)
    assert get_shim(model).cache.misses < allowed / 2


def test_a_first_batch_of_which_the_head_is_sure_reads_no_descriptions(trained):
    component = trained.get_pipe(NAME)
    batch = [component.find_candidates(doc) for doc in with_entities(trained)]
    model = with_settings(component.model, prune=0.5)
    scores = model.predict(batch)
    assert (numpy.isfinite(scores.dual).sum(axis=1) == 1).all()
    assert get_shim(model).cache.misses == 0


def test_bfloat16_trains_on_cpu_or_is_switched_off_with_a_warning(bert):
    nlp = make_pipeline(bert, {"mixed_precision": True})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        losses = train(nlp, steps=50)
    warned = any("bfloat16" in str(w.message) for w in caught)
    assert warned != has_bfloat16(torch.device("cpu"))
    assert losses[-1] < losses[0] / 4
    docs = nlp.pipe(with_entities(nlp))
    assert [triples_of(doc) for doc in docs] == gold_triples()


@pytest.mark.parametrize(
    "capabilities, native",
    [
        ({"avx512_bw": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"neon": True, "bf16": True}, True),
    ],
)
def test_a_cpu_that_only_imitates_bfloat16_has_none(capabilities, native, monkeypatch):
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: capabilities, raising=False
    )
    assert has_bfloat16(torch.device("cpu")) == native


def test_two_trainings_with_one_seed_are_the_same(bert):
    first = train(make_pipeline(bert), steps=10)
    assert train(make_pipeline(bert), steps=10) == first


# --- the optimizer


def test_adam_takes_the_steps_of_torch_adamw(bert):
    nlp, examples = initialized(bert)
    component = nlp.get_pipe(NAME)
    module = module_of(nlp)
    start = weights_of(nlp)
    decayed = [n for n, p in module.named_parameters() if p.ndim > 1]
    mirror = {n: torch.nn.Parameter(w.clone()) for n, w in start.items()}
    settings = {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6}
    reference = torch.optim.AdamW(
        [
            {"params": [mirror[n] for n in decayed], "weight_decay": 0.1},
            {
                "params": [p for n, p in mirror.items() if n not in decayed],
                "weight_decay": 0.0,
            },
        ],
        **settings,
    )
    optimizer = Adam(0.01, beta1=0.8, beta2=0.95, eps=1e-6, L2=0.1, grad_clip=0.5)
    for _ in range(3):
        component.update(examples)
        for name, gradient in gradients_of(nlp).items():
            mirror[name].grad = gradient
        torch.nn.utils.clip_grad_norm_(mirror.values(), 0.5)
        reference.step()
        component.finish_update(optimizer)
        optimizer.step_schedules()
    for name, weight in weights_of(nlp).items():
        torch.testing.assert_close(
            weight, mirror[name].detach(), atol=1e-6, rtol=1e-5, msg=name
        )


def test_learning_rate_follows_its_schedule(bert):
    nlp, examples = initialized(bert)
    component = nlp.get_pipe(NAME)
    optimizer = Adam(0.01)
    component.update(examples)
    component.finish_update(optimizer)
    optimizer.learn_rate = 0.0
    before = weights_of(nlp)
    component.update(examples)
    component.finish_update(optimizer)
    assert all(torch.equal(w, before[name]) for name, w in weights_of(nlp).items())


def test_temperature_has_its_own_learning_rate(bert):
    moves = []
    for factor in (1.0, 50.0):
        nlp, examples = initialized(bert, {"temperature_lr": factor})
        before = module_of(nlp).log_scale.item()
        nlp.update(examples, sgd=Adam(1e-4))
        moves.append(module_of(nlp).log_scale.item() - before)
    assert moves[1] == pytest.approx(50 * moves[0], rel=0.01)


def test_temperature_starts_where_the_config_says(bert):
    nlp, _ = initialized(bert, {"temperature": 0.5})
    assert module_of(nlp).log_scale.exp().item() == pytest.approx(2.0)


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.05),
        RAdam(0.003),
        Adam(0.003, L2=0.01, L2_is_weight_decay=False),
        Adam(0.003, use_averages=True),
    ],
    ids=["SGD", "RAdam", "L2 as a penalty", "averages"],
)
def test_other_optimizers_learn_too(bert, optimizer):
    nlp, examples = initialized(bert)
    losses = [nlp.update(examples, sgd=optimizer)[NAME] for _ in range(12)]
    assert losses[-1] < losses[0]
    assert math.isfinite(losses[-1])


def probabilities_of(nlp):
    scored = nlp.get_pipe(NAME).predict(with_entities(nlp))
    return numpy.concatenate([part.probabilities for part in scored])


@pytest.mark.parametrize(
    "make_optimizer", [Adam, RAdam], ids=["torch's Adam", "an optimizer of thinc"]
)
def test_averages_are_those_of_the_weights_of_all_steps(make_optimizer, bert):
    nlp, examples = initialized(bert)
    optimizer = make_optimizer(0.003, use_averages=True)
    expected: dict[str, torch.Tensor] = {}
    for step in range(1, 41):
        nlp.update(examples, sgd=optimizer)
        decay = (1 + step) / (10 + step)
        for name, weight in weights_of(nlp).items():
            # thinc's own begin at zero, of which nothing is left after 40 steps.
            before = expected.get(name, torch.zeros_like(weight))
            expected[name] = decay * before + (1 - decay) * weight
    own = weights_of(nlp)
    with nlp.use_params(optimizer.averages):
        for name, weight in weights_of(nlp).items():
            torch.testing.assert_close(weight, expected[name], atol=1e-5, rtol=1e-4)
            assert not torch.equal(weight, own[name])
        docs = nlp.pipe(with_entities(nlp))
        assert [triples_of(doc) for doc in docs] == gold_triples()
    for name, weight in weights_of(nlp).items():
        assert torch.equal(weight, own[name])


def test_averages_are_saved_and_scored_and_given_back_after_an_error(bert, tmp_path):
    nlp, examples = initialized(bert)
    optimizer = Adam(0.003, use_averages=True)
    for _ in range(20):
        nlp.update(examples, sgd=optimizer)
    own = probabilities_of(nlp)
    averages = nlp.get_pipe(NAME).model.use_params(optimizer.averages)
    with pytest.raises(RuntimeError, match="the disk"), averages:
        averaged = probabilities_of(nlp)
        nlp.to_disk(tmp_path / "averaged")
        raise RuntimeError("the disk")
    assert not numpy.allclose(averaged, own, atol=1e-4)
    numpy.testing.assert_array_equal(probabilities_of(nlp), own)
    loaded = spacy.load(tmp_path / "averaged")
    numpy.testing.assert_array_equal(probabilities_of(loaded), averaged)


def test_averages_of_one_component_are_not_those_of_another(bert):
    nlp, examples = initialized(bert)
    other, _ = initialized(bert)
    optimizer = Adam(0.003, use_averages=True)
    nlp.update(examples, sgd=optimizer)
    before = weights_of(other)
    with other.use_params(optimizer.averages):
        assert all(
            torch.equal(w, before[name]) for name, w in weights_of(other).items()
        )
    other.update(examples, sgd=optimizer)
    assert len(optimizer.averages) == 2 * len(before)


def test_a_changed_weight_is_seen_by_the_cache(bert):
    nlp, examples = initialized(bert)
    component = nlp.get_pipe(NAME)
    docs = with_entities(nlp)
    component.predict(docs)
    nlp.update(examples, sgd=Adam(0.01))
    cached = component.predict(docs)
    component.model = with_settings(component.model, cache_size=0)
    fresh = component.predict(docs)
    for a, b in zip(cached, fresh):
        numpy.testing.assert_allclose(a.probabilities, b.probabilities, atol=1e-6)
