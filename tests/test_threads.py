"""Threads that share a pipeline get what they would get one after the other, and forked
processes do without threads.
"""

import json
import multiprocessing
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest
import spacy
from processes import run_process
from spacy.tokens import Doc, Span
from tiny_corpus import PREDICATES, make_pipeline, train

from spacy_dualre.model.architectures import with_settings
from spacy_dualre.threads import PARALLELISM

PEOPLE = ["Nora", "Ian", "Ada", "Omar", "Lena", "Ravi", "Tess", "Hugo", "Mina", "Paul"]
PLACES = ["Rome", "Oslo", "Bonn", "Lyon", "Cork", "Turin"]
N_BATCHES = 30
VOCAB = spacy.blank("en").vocab


@pytest.fixture(scope="module")
def component(bert):
    nlp = make_pipeline(bert)
    train(nlp, steps=3)
    return nlp.get_pipe("dual_relation_extractor")


@pytest.fixture
def hasty_threads():
    """Threads take turns far more often than usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def make_doc(i):
    words, entities = [], []
    for j in range(3):
        entities.append((len(words), "PER"))
        words += [PEOPLE[(i * 7 + j * 3) % 10], "and"]
        entities.append((len(words), "LOC"))
        words += [PLACES[(i * 5 + j) % 6], ","]
    starts = [True] + [False] * (len(words) - 1)
    doc = Doc(VOCAB, words=words, sent_starts=starts)
    doc.ents = [Span(doc, start, start + 1, label) for start, label in entities]
    return doc


def probabilities(component, i):
    """The probabilities of some Docs, of which each is in several batches."""
    scored = component.predict([make_doc(i + j) for j in range(3)])
    return numpy.concatenate([probabilities for _, probabilities in scored])


@pytest.mark.parametrize("cache_size", [16384, 8])
def test_shared_pipeline_gives_what_serial_use_gives(
    component, cache_size, monkeypatch, hasty_threads
):
    expected = [probabilities(component, i) for i in range(N_BATCHES)]
    for _ in range(3):
        fresh = with_settings(component.model, cache_size=cache_size)
        monkeypatch.setattr(component, "model", fresh)
        with ThreadPoolExecutor(8) as pool:
            futures = [
                pool.submit(probabilities, component, i) for i in range(N_BATCHES)
            ]
            found = [future.result() for future in futures]
        for one, right in zip(found, expected):
            assert one == pytest.approx(right, abs=1e-4)


def test_predicates_can_be_set_meanwhile(component, hasty_threads):
    usual = component.label_data
    choices = [PREDICATES, {**PREDICATES, "owns": "{subject} has bought {object}"}]
    expected = []
    for choice in choices:
        component.set_predicates(choice)
        expected.append([probabilities(component, i) for i in range(N_BATCHES)])
    widths = [results[0].shape[1] for results in expected]
    assert len(set(widths)) == 2
    with ThreadPoolExecutor(4) as pool:
        futures = []
        for i in range(N_BATCHES):
            futures.append(pool.submit(probabilities, component, i))
            component.set_predicates(choices[i % 2])
        found = [future.result() for future in futures]
    component.set_predicates(usual)
    for i, one in enumerate(found):
        right = expected[widths.index(one.shape[1])][i]
        assert one == pytest.approx(right, abs=1e-4)


needs_fork = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="needs fork"
)


@needs_fork
@pytest.mark.parametrize("setting", [None, "true", "false"])
def test_tokenizers_have_nothing_to_say_of_a_fork(
    component, setting, monkeypatch, capfd
):
    monkeypatch.setenv(PARALLELISM, setting or "true")
    component.predict([make_doc(0)])
    if setting is None:
        monkeypatch.delenv(PARALLELISM)
    child = os.fork()
    if not child:
        os._exit(0 if os.environ.get(PARALLELISM) == "false" else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert os.environ.get(PARALLELISM) == setting
    assert capfd.readouterr().err == ""


FORK = """
import json, multiprocessing, os, signal, sys
import spacy
from tiny_corpus import make_examples, with_entities

SECONDS = 100  # a wait for threads has no end

def many_docs(nlp):
    return with_entities(nlp) * 50

def in_child(work):
    child = os.fork()
    if not child:
        signal.alarm(SECONDS)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

def in_worker(work):
    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    worker.join(SECONDS)
    worker.kill()
    return worker.exitcode == 0

if __name__ == "__main__":
    nlp = spacy.load(sys.argv[1])
    component = nlp.get_pipe("dual_relation_extractor")
    component.predict(many_docs(nlp))  # starts threads
    ended = {
        "predict": in_child(lambda: component.predict(many_docs(nlp))),
        "update": in_child(lambda: nlp.update(make_examples(nlp) * 50)),
        "load": in_child(lambda: [*spacy.load(sys.argv[1]).pipe(many_docs(nlp))]),
        "worker": in_worker(lambda: component.predict(many_docs(nlp))),
    }
    json.dump(ended, sys.stdout)
"""


@pytest.fixture(scope="module")
def ended_in_forks(trained, tmp_path_factory):
    """What came to an end in processes that were forked from one with threads."""
    folder = tmp_path_factory.mktemp("forks")
    trained.to_disk(folder / "model")
    script = folder / "fork.py"
    script.write_text(FORK)
    environment = {
        "OMP_NUM_THREADS": "2",
        PARALLELISM: "true",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    arguments = ("-W", "ignore", script, folder / "model")
    return json.loads(run_process(*arguments, **environment)[0])


@pytest.mark.slow
@needs_fork
@pytest.mark.parametrize("work", ["predict", "update", "load", "worker"])
def test_forked_process_does_not_wait_for_threads_that_it_has_not(ended_in_forks, work):
    assert ended_in_forks[work]
