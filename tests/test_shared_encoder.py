"""Pairs pooled from a Tok2Vec layer: one reading of the text for a whole pipeline."""

import json
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy
import pytest
import spacy
import torch
from spacy.cli import setup_cli  # noqa: F401 (registers the commands)
from spacy.cli._util import app
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import load_config, load_model_from_config
from tiny_corpus import (
    PREDICATES,
    gold_triples,
    make_docs,
    make_examples,
    train,
    triples_of,
    with_entities,
    write_corpus,
)
from typer.testing import CliRunner

from spacy_dualre.cli.config import complete_config
from spacy_dualre.model.architectures import with_settings
from spacy_dualre.model.low_rank import save_difference
from spacy_dualre.model.shim import get_shim
from spacy_dualre.output.explanation import explain
from spacy_dualre.pipelines import load_pipeline
from spacy_dualre.pruning import measure_pruning

NAME = "dual_relation_extractor"
STEPS = 50
CONFIGS = Path(__file__).parent.parent / "configs"
LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 16}
HASH_EMBED = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "width": 16,
    "depth": 1,
    "embed_size": 100,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": False,
    "pretrained_vectors": None,
}


def make_config(bert, predicates, **overrides):
    """The config that trains entities and relations together, of a tiny transformer."""
    own = {"paths.encoder": bert, "paths.predicates": str(predicates), **overrides}
    changes = load_config(CONFIGS / "ner_relations.cfg", interpolate=False)
    return complete_config(changes, own)


@pytest.fixture(scope="module")
def config(bert, tmp_path_factory):
    predicates = tmp_path_factory.mktemp("predicates") / "predicates.json"
    predicates.write_text(json.dumps(PREDICATES))
    return make_config(bert, predicates)


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
    """A pipeline that `spacy train` has taught entities and relations together. Not to
    be changed.
    """
    folder = tmp_path_factory.mktemp("ner_relations")
    corpus = write_corpus(folder / "corpus.spacy", make_docs(spacy.blank("en").vocab))
    config.to_disk(folder / "config.cfg")
    arguments = ["train", str(folder / "config.cfg"), "--output", str(folder)]
    for key, value in {
        "paths.train": corpus,
        "paths.dev": corpus,
        "training.max_steps": STEPS,
        "training.eval_frequency": STEPS,
        "training.optimizer.learn_rate.initial_rate": 0.005,
        "training.optimizer.learn_rate.warmup_steps": 5,
    }.items():
        arguments += [f"--{key}", str(value)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return spacy.load(folder / "model-last")


@pytest.fixture
def fresh(config):
    """The pipeline without any training."""
    nlp = load_model_from_config(config.interpolate())
    spacy.util.fix_random_seed(0)
    nlp.initialize(lambda: make_examples(nlp))
    return nlp


def make_with(tok2vec, bert, **model):
    """A pipeline with a Tok2Vec layer of another kind."""
    nlp = spacy.blank("en")
    if tok2vec == LISTENER:
        nlp.add_pipe("tok2vec", config={"model": HASH_EMBED})
    architecture = {
        "@architectures": "spacy-dualre.SharedEncoder.v1",
        "tok2vec": tok2vec,
        "encoder": bert,
        **model,
    }
    nlp.add_pipe(NAME, config={"predicates": PREDICATES, "model": architecture})
    return nlp


def transformer_of(nlp):
    return nlp.get_pipe("transformer").model.transformer


@contextmanager
def counted(module):
    """Counts the forward passes of a torch module, by whether they are training."""
    calls: Counter = Counter()
    hook = module.register_forward_hook(
        lambda module, *_: calls.update([module.training])
    )
    yield calls
    hook.remove()


def gradients_of(module):
    return {
        name: parameter.grad.clone()
        for name, parameter in module.named_parameters()
        if parameter.grad is not None and parameter.grad.any()
    }


def scores_of(nlp, docs=None):
    """The probabilities of all pairs of Docs with gold entities."""
    docs = with_entities(nlp) if docs is None else docs
    extractor = nlp.get_pipe(NAME)
    for name, pipe in nlp.pipeline:
        if name in ("transformer", "tok2vec"):
            docs = list(pipe.pipe(docs))
    return numpy.concatenate([rows for _, rows in extractor.predict(docs)])


def test_spacy_trains_entities_and_relations_together(trained):
    docs = [trained(doc.text) for doc in make_docs(trained.vocab)]
    assert [triples_of(doc) for doc in docs] == gold_triples()
    assert trained.meta["performance"]["ents_f"] == 1.0
    assert trained.meta["performance"]["rel_micro_f"] == 1.0


def test_the_best_pipeline_is_the_best_at_entities_and_relations(config):
    weights = config["training"]["score_weights"]
    counted = {name: weight for name, weight in weights.items() if weight}
    assert counted == {"ents_f": 0.5, "rel_micro_f": 0.5}


def test_a_training_step_reads_each_text_once(fresh):
    with counted(transformer_of(fresh)) as calls:
        fresh.update(make_examples(fresh))
    assert calls == {True: 1}


def test_prediction_reads_each_text_once(trained):
    texts = [doc.text for doc in make_docs(trained.vocab)]
    with counted(transformer_of(trained)) as calls:
        docs = list(trained.pipe(texts))
    assert any(triples_of(doc) for doc in docs)
    assert calls == {False: 1}


def test_descriptions_are_read_once_for_all_texts(trained):
    extractor = trained.get_pipe(NAME)
    scores_of(trained)
    with counted(get_shim(extractor.model).module.predicate_encoder) as calls:
        scores_of(trained)
    assert not calls


def test_gradients_reach_the_transformer(fresh):
    fresh.update(make_examples(fresh), sgd=False, exclude=["ner"])
    assert gradients_of(transformer_of(fresh))


def test_gradients_are_those_of_both_components(fresh):
    def reach(exclude):
        spacy.util.fix_random_seed(0)
        fresh.update(make_examples(fresh), sgd=False, exclude=exclude)
        transformer = transformer_of(fresh)
        found = gradients_of(transformer)
        transformer.zero_grad()
        return found

    both, relations = reach([]), reach(["ner"])
    assert both.keys() >= relations.keys()
    assert any(not torch.allclose(both[name], relations[name]) for name in relations)


def test_texts_without_pairs_let_the_others_gradients_through(fresh):
    gold = make_docs(fresh.vocab)[4]  # one entity
    example = Example(Doc(fresh.vocab, words=[token.text for token in gold]), gold)
    losses = fresh.update([example], sgd=False)
    assert losses[NAME] == 0
    assert gradients_of(transformer_of(fresh))


def test_texts_without_tokens_are_no_trouble(fresh):
    empty = Example(fresh.make_doc(""), fresh.make_doc(""))
    assert fresh.update([empty], sgd=False)[NAME] == 0
    assert fresh.update([empty, *make_examples(fresh)], sgd=False)[NAME] > 0
    assert [*fresh("")._.relations] == []


def test_pairs_are_pooled_from_the_means_of_their_tokens(bert):
    nlp = make_with(HASH_EMBED, bert)
    nlp.initialize(lambda: make_examples(nlp))
    extractor, docs = nlp.get_pipe(NAME), with_entities(nlp)
    batch = [extractor.find_candidates(doc) for doc in docs]
    head = with_settings(extractor.model, predict_with="head").predict(batch).head
    module = get_shim(extractor.model).module.eval()
    expected = []
    for found, vectors in zip(batch, extractor.model.layers[0].predict(docs)):
        for s, o in found.pairs:
            first, last = sorted(
                (found.entities[i] for i in (s, o)), key=lambda span: span.start
            )
            parts = [
                vectors[span.start : span.end].mean(axis=0)
                for span in (found.entities[s], found.entities[o])
            ]
            between = vectors[first.end : last.start]
            parts.append(between.mean(axis=0) if len(between) else 0 * parts[0])
            u = module.instance_linear(torch.from_numpy(numpy.concatenate(parts)))
            expected.append(module.classifier(module.layer_norm(u)))
    expected = torch.stack(expected).detach().numpy()
    allowed = numpy.concatenate([found.allowed for found in batch])
    numpy.testing.assert_allclose(head[allowed], expected[allowed], atol=1e-5)


def test_scores_are_the_same_after_saving(trained, tmp_path):
    trained.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    numpy.testing.assert_allclose(scores_of(loaded), scores_of(trained), atol=1e-6)


def test_scores_are_the_same_with_the_listener_replaced(config, trained, tmp_path):
    nlp = load_model_from_config(config.interpolate()).from_bytes(trained.to_bytes())
    nlp.replace_listeners("transformer", NAME, ["model.tok2vec"])
    numpy.testing.assert_allclose(scores_of(nlp), scores_of(trained), atol=1e-6)
    nlp.remove_pipe("transformer")  # it has its own now
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    numpy.testing.assert_allclose(scores_of(loaded), scores_of(trained), atol=1e-6)


def test_scores_are_the_same_in_a_pipeline_that_it_is_sourced_into(trained):
    nlp = spacy.blank("en", vocab=trained.vocab)
    for name in ("transformer", NAME):
        nlp.add_pipe(name, source=trained)
    numpy.testing.assert_allclose(scores_of(nlp), scores_of(trained), atol=1e-6)


def test_it_takes_its_transformer_along_behind_another_ner(trained, tmp_path):
    other = spacy.blank("en")
    other.add_pipe("sentencizer")
    paths = [str(tmp_path / name) for name in ("model", "ner")]
    trained.to_disk(paths[0])
    other.to_disk(paths[1])
    nlp = load_pipeline(*paths, NAME)
    assert nlp.pipe_names == ["sentencizer", NAME]
    numpy.testing.assert_allclose(scores_of(nlp), scores_of(trained), atol=1e-6)


def test_a_listener_without_transformer_is_warned_of(trained):
    nlp = spacy.blank("en", vocab=trained.vocab)
    nlp.add_pipe(NAME, source=trained)
    with pytest.warns(UserWarning, match="nothing but zeros"):
        scores_of(nlp)


def test_a_frozen_transformer_stays_as_it_is(fresh):
    weights = {k: v.clone() for k, v in transformer_of(fresh).state_dict().items()}
    optimizer = fresh.create_optimizer()
    optimizer.learn_rate = 0.003
    frozen = {"exclude": ["transformer"], "annotates": ["transformer"]}
    losses = [
        fresh.update(make_examples(fresh), sgd=optimizer, **frozen)[NAME]
        for _ in range(10)
    ]
    assert losses[-1] < losses[0] / 2
    after = transformer_of(fresh).state_dict()
    assert all(torch.equal(after[name], value) for name, value in weights.items())


@pytest.mark.parametrize("tok2vec, alpha", [(HASH_EMBED, 1.0), (LISTENER, 0.5)])
def test_every_tok2vec_learns(bert, tok2vec, alpha, tmp_path):
    nlp = make_with(tok2vec, bert, alpha=alpha)
    losses = train(nlp, steps=15, learn_rate=0.01)
    assert losses[-1] < losses[0] / 2
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    numpy.testing.assert_allclose(scores_of(loaded), scores_of(nlp), atol=1e-6)


def test_no_encoder_is_needed_without_descriptions(tmp_path):
    nlp = make_with(HASH_EMBED, "there/is/none", alpha=1.0)
    train(nlp, steps=1)
    assert get_shim(nlp.get_pipe(NAME).model).tokenizer is None
    assert len(scores_of(nlp))


def test_a_tok2vec_layer_learns_from_relations(bert):
    nlp = make_with(HASH_EMBED, bert)
    spacy.util.fix_random_seed(0)
    nlp.initialize(lambda: make_examples(nlp))
    nlp.update(make_examples(nlp), sgd=False)
    nodes = nlp.get_pipe(NAME).model.layers[0].walk()
    assert any(node.has_grad(name) for node in nodes for name in node.param_names)


def test_pruning_it_is_refused(trained):
    with pytest.raises(ValueError, match="reads each description once for all pairs"):
        measure_pruning(trained.get_pipe(NAME), make_examples(trained), [0.1])


def test_it_can_not_be_saved_as_a_difference(trained, tmp_path):
    shim = get_shim(trained.get_pipe(NAME).model)
    with pytest.raises(ValueError, match="without an instance encoder of its own"):
        save_difference(shim, tmp_path / "file", rank=1, embedding_rank=1)


def test_it_is_explained(trained):
    (doc,) = trained.get_pipe("transformer").pipe(with_entities(trained)[1:2])
    explanation = explain(trained.get_pipe(NAME), doc, *doc.ents)
    assert explanation.text == "Berta works in Oslo"
    best = explanation.opinions[0]
    assert best.label == "works_in"
    assert best.descriptions == ("<S:PER> </S:PER> works in <O:LOC> </O:LOC>",)
    scores = scores_of(trained, with_entities(trained)[1:2])
    assert best.probability == pytest.approx(scores.max(), abs=1e-4)


def test_another_training_can_not_start_from_it(trained, bert, tmp_path):
    trained.to_disk(tmp_path)
    nlp = spacy.blank("en")
    model = {
        "@architectures": "spacy-dualre.DualEncoder.v1",
        "encoder": bert,
        "start": str(tmp_path),
    }
    nlp.add_pipe(NAME, config={"predicates": PREDICATES, "model": model})
    with pytest.raises(ValueError, match="has no instance encoder of its own"):
        nlp.initialize(lambda: make_examples(nlp))
