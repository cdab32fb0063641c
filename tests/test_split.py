"""Splitting a training batch: every pair once, and no more read at once than fits."""

from functools import partial

import pytest
from spacy.tokens import Doc
from tiny_corpus import levitated, make_examples, make_pipeline, with_entities

from spacy_dualre.model.shim import get_shim
from spacy_dualre.model.split import split

NAME = "dual_relation_extractor"


def initialized(bert, model):
    """A component, and the candidates of all sentences, asked for all predicates."""
    nlp = make_pipeline(bert, model)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    component = nlp.get_pipe(NAME)
    return component, [component.find_candidates(doc) for doc in with_entities(nlp)]


def read_for(component, part, monkeypatch):
    """RETURNS: The wordpieces that a training step reads for a part."""
    module, read = get_shim(component.model).module, []

    def recording(own, inputs):
        read.append(int(inputs.lengths.sum()))
        return own(inputs)

    for name in ("read_instances", "read_descriptions"):
        monkeypatch.setattr(module, name, partial(recording, getattr(module, name)))
    component.model.begin_update(part)
    monkeypatch.undo()
    return sum(read)


def n_pairs(part):
    return sum(len(found.pairs) for found in part)


READINGS = pytest.mark.parametrize(
    "model",
    [{}, {"fill_spans": False}, {"alpha": 1.0}, levitated("object")],
    ids=["marked", "without spans", "head alone", "levitated"],
)
SIZES = pytest.mark.parametrize("max_tokens", [1, 100, 300, 10000])


@READINGS
@SIZES
def test_every_pair_is_in_one_part(bert, model, max_tokens):
    component, batch = initialized(bert, {**model, "max_tokens": max_tokens})
    parts = list(split(component.model, batch))
    assert all(n_pairs(part) for part in parts)
    for i, found in enumerate(batch):
        pairs = [pair for part in parts for pair in part[i].pairs.tolist()]
        assert sorted(pairs) == sorted(found.pairs.tolist())
        assert all(part[i].doc is found.doc for part in parts)


@READINGS
@SIZES
def test_a_part_reads_what_fits_or_is_one_pair(bert, model, max_tokens, monkeypatch):
    component, batch = initialized(bert, {**model, "max_tokens": max_tokens})
    for part in split(component.model, batch):
        read = read_for(component, part, monkeypatch)
        assert read <= max_tokens or n_pairs(part) == 1


@pytest.mark.parametrize("fill_spans", [True, False])
def test_a_description_that_is_read_once_counts_once(bert, fill_spans, monkeypatch):
    model = {"fill_spans": fill_spans, "type_dropout": 1.0, "max_tokens": 10000}
    component, batch = initialized(bert, model)
    (whole,) = split(component.model, batch)
    read = read_for(component, whole, monkeypatch)
    shim = get_shim(component.model)
    # A sixteenth of a wordpiece for each score is counted, too.
    budget = shim.module.budget._replace(max_tokens=read + n_pairs(whole))
    monkeypatch.setattr(shim.module, "budget", budget)
    assert len(list(split(component.model, batch))) == 1


def test_a_batch_without_pairs_has_no_parts(bert):
    component, _ = initialized(bert, {})
    doc = Doc(component.vocab, words=["It", "rains"])
    assert list(split(component.model, [component.find_candidates(doc)])) == []
