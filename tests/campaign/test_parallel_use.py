"""Threads and processes that share a pipeline find what serial use finds."""

import multiprocessing
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import spacy
from hypothesis import strategies as st
from odd_docs import docs
from spacy.tokens import Doc

from spacy_dualre import get_relations
from spacy_dualre.model.architectures import with_settings

NAME = "dual_relation_extractor"


@pytest.fixture
def spawning():
    """Processes are not forked from this one, which has threads."""
    before = multiprocessing.get_start_method()
    multiprocessing.set_start_method("spawn", force=True)
    yield
    multiprocessing.set_start_method(before, force=True)


@pytest.mark.campaign
def test_parallel_use(trials, trained_path, spawning):
    nlp = spacy.load(trained_path)
    component = nlp.get_pipe(NAME)
    component.spans_key = "entities"
    model = component.model

    def find(stored):
        doc = component(Doc(nlp.vocab).from_bytes(stored))
        return scores_of(doc)

    def scores_of(doc):
        return {r.fact: r.score for r in get_relations(doc)}

    def check(case):
        texts, n_workers, cache_size, uses_processes = case
        stored = [doc.to_bytes() for doc in texts]
        component.model = with_settings(model, cache_size=cache_size)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = [find(one) for one in stored]
            if uses_processes:
                given = (Doc(nlp.vocab).from_bytes(one) for one in stored)
                options = {"n_process": n_workers, "batch_size": 3}
                found = [scores_of(doc) for doc in nlp.pipe(given, **options)]
            else:
                component.model = with_settings(model, cache_size=cache_size)
                with ThreadPoolExecutor(n_workers) as pool:
                    found = list(pool.map(find, stored))
        for one, right in zip(found, expected, strict=True):
            assert one == pytest.approx(right, abs=2e-4)
        return "runs in processes" if uses_processes else "runs in threads"

    cases = st.tuples(
        st.lists(docs(), min_size=2, max_size=12),
        st.integers(2, 8),
        st.sampled_from([0, 1, 8, 16384]),
        st.sampled_from([False] * 9 + [True]),
    )
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        trials.run(cases, check, shrink=False)
    finally:
        sys.setswitchinterval(before)
