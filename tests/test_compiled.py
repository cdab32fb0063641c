"""`compile`: encoders that torch compiles for prediction on a CPU."""

import os
import shutil
import subprocess
import sys
import warnings

import numpy
import pytest
import spacy
import torch
from tiny_corpus import (
    gold_triples,
    levitated,
    make_examples,
    make_pipeline,
    train,
    triples_of,
    with_entities,
)
from tiny_encoders import make_bert

from spacy_dualre.model.shim import get_shim

NAME = "dual_relation_extractor"
COMPILER = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
needs_compiler = pytest.mark.skipif(
    not shutil.which(COMPILER), reason=f"there is no C++ compiler {COMPILER}"
)


def load(path, compile):
    settings = {"model": {"compile": compile}}
    return spacy.load(path, config={"components": {NAME: settings}})


def shim_of(nlp):
    return get_shim(nlp.get_pipe(NAME).model)


def scores_of(nlp, docs):
    component = nlp.get_pipe(NAME)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="compile has no effect")
        return component.model.predict([component.find_candidates(doc) for doc in docs])


def count_graphs():
    """What torch compiles from now on, from nothing."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    return torch._dynamo.utils.counters["stats"]


@needs_compiler
@pytest.mark.parametrize("reading", [{}, levitated("both")])
def test_compiled_encoders_score_as_those_that_are_not(tmp_path, reading):
    encoder = make_bert(tmp_path / "bert", num_hidden_layers=1)  # half of the programs
    nlp = make_pipeline(encoder, reading)
    train(nlp, steps=5)
    nlp.to_disk(tmp_path / "model")
    plain, compiled = load(tmp_path / "model", False), load(tmp_path / "model", True)
    docs = list(with_entities(plain))
    counted = count_graphs()
    # One input at a time has a program of its own.
    batches = [docs[:1], docs, docs[1:3]]
    expected = [scores_of(plain, batch).dual for batch in batches]
    assert not counted["unique_graphs"]
    for batch, scores in zip(batches, expected):
        found = scores_of(compiled, batch).dual
        numpy.testing.assert_allclose(found, scores, atol=1e-4)
    assert counted["unique_graphs"] >= 2  # both encoders
    component = compiled.get_pipe(NAME)
    component.model = component.model.copy()
    found = scores_of(compiled, docs).dual
    numpy.testing.assert_allclose(found, expected[1], atol=1e-4)


@needs_compiler
def test_workers_compile_too(trained_path):
    nlp = load(trained_path, True)
    nlp(with_entities(nlp)[0])  # a forked worker has what is compiled already
    docs = nlp.pipe(with_entities(nlp), n_process=2, batch_size=2)
    assert [triples_of(doc) for doc in docs] == gold_triples()


def test_without_a_compiler_encoders_run_as_they_are_with_one_warning(trained_path):
    script = f"""
import spacy
from tiny_corpus import relations_of, with_entities
from spacy_dualre.model.shim import get_shim
settings = {{"components": {{"{NAME}": {{"model": {{"compile": True}}}}}}}}
nlp = spacy.load({str(trained_path)!r}, config=settings)
docs = list(nlp.pipe(with_entities(nlp))) + list(nlp.pipe(with_entities(nlp)))
print(sum(len(relations_of(doc)) for doc in docs))
print(get_shim(nlp.get_pipe("{NAME}").model).compiled())
"""
    environment = {
        **os.environ,
        "CXX": "no-such-compiler",
        "TORCHINDUCTOR_CACHE_DIR": str(trained_path.parent / "cache"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    n_relations = 2 * sum(map(len, gold_triples()))
    assert run.stdout.split() == [str(n_relations), "None"]
    assert run.stderr.count("compile has no effect") == 1
    assert "It needs a C++ compiler" in run.stderr


@pytest.mark.parametrize("learn_on", [True, False])
def test_weights_that_change_are_not_compiled(trained_path, learn_on):
    nlp = load(trained_path, True)
    shim = shim_of(nlp)
    assert shim.compiled() is not None
    if learn_on:
        examples = make_examples(nlp)
        nlp.update(examples, sgd=nlp.resume_training())
    else:
        with torch.no_grad():
            shim.module.classifier.weight.mul_(2)
    assert shim.compiled() is None
    assert shim_of(nlp.from_bytes(nlp.to_bytes())).compiled() is not None


def test_training_compiles_nothing(bert):
    nlp = make_pipeline(bert, {"compile": True})
    counted = count_graphs()
    train(nlp, steps=1)
    list(nlp.pipe(with_entities(nlp)))
    assert not counted["unique_graphs"]
