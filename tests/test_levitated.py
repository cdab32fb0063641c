"""One reading of a text for many pairs (levitated markers)."""

import re

import numpy
import pytest
import spacy
import torch
from hypothesis import given
from hypothesis import strategies as st
from odd_docs import build_all, docs, locate, rows_of
from spacy.tokens import Span
from tiny_corpus import (
    levitated,
    make_pipeline,
    relations_of,
    train,
    with_entities,
)
from tiny_encoders import make_deberta_v2, make_mpnet, make_roberta

import spacy_dualre.encoding.levitated
from spacy_dualre.encoding.levitated import LevitatedReading
from spacy_dualre.encoding.marked import MarkedReading
from spacy_dualre.model.shim import get_shim

EITHER = pytest.mark.parametrize("markers", ["object", "both"])


def shim_of(nlp):
    return get_shim(nlp.get_pipe("dual_relation_extractor").model)


@EITHER
@given(batch=st.lists(docs(), min_size=1, max_size=2), max_length=st.integers(24, 99))
def test_pairs_read_the_text_and_markers_of_their_own_instance(
    bert_tokenizer, markers, batch, max_length
):
    """Levitated and solid markers differ only in where they are."""
    pairs = locate(bert_tokenizer, *batch, max_length=max_length)
    shared = build_all(LevitatedReading(markers), pairs)
    solid = build_all(MarkedReading(), pairs)
    ends = shared.lengths.cumsum()
    for row, instance in enumerate(rows_of(solid)):
        text_of = shared.text_of[row]
        part = slice(ends[text_of] - shared.lengths[text_of], ends[text_of])
        ids, positions, owners = (
            array[part].tolist()
            for array in (shared.ids, shared.positions, shared.owners)
        )
        lifted = [i for i in instance if is_levitated(bert_tokenizer, i, markers)]
        text = [i for i in instance if i not in lifted]
        assert [i for i, owner in zip(ids, owners) if not owner] == text
        assert positions[: len(text)] == list(range(len(text)))
        subject, object_ = int(shared.subject_at[row]), int(shared.object_at[row])
        assert ids[subject] == instance[int(solid.subject_at[row])]
        # Each marker has the place of the wordpiece that it stands beside in the solid
        # instance: behind an opening one, before a closing one.
        for opens_at in [subject, object_] if markers == "both" else [object_]:
            own_markers = ids[opens_at : opens_at + 2]
            opens, closes = (instance.index(marker) for marker in own_markers)
            before = [sum(i in lifted for i in instance[:n]) for n in (opens, closes)]
            assert positions[opens_at] == opens - before[0]
            assert positions[opens_at + 1] == closes - before[1] - 1
        assert ids[object_] == instance[int(solid.object_at[row])]
        assert owners.count(owners[object_]) == len(lifted)
        own = [i for i, owner in zip(ids, owners) if owner == owners[object_]]
        assert sorted(own) == sorted(lifted)


def is_levitated(tokenizer, wordpiece, markers):
    """Whether it is a levitated marker."""
    roles = "SO" if markers == "both" else "O"
    return bool(
        re.match(f"</?[{roles}][:>]", tokenizer.convert_ids_to_tokens(wordpiece))
    )


def shared_lengths(tokenizer, markers):
    """Share the readings of a sentence with four entities.

    RETURNS: The lengths of the readings, that of a solid instance, and how many pairs
        each reading has.
    """
    (doc,) = [d for d in with_entities(spacy.blank("en")) if len(d.ents) == 4]
    doc.spans["entities"] = doc.ents
    pairs = locate(tokenizer, doc)
    shared = build_all(LevitatedReading(markers), pairs)
    solid = int(build_all(MarkedReading(), pairs).lengths[0])
    return shared.lengths.tolist(), solid, numpy.bincount(shared.text_of).tolist()


def test_pairs_of_a_subject_share_one_reading(bert_tokenizer):
    lengths, solid, n_pairs = shared_lengths(bert_tokenizer, "object")
    assert n_pairs == [3, 3, 3, 3]
    assert lengths == [solid - 2 + 2 * 3] * 4


def test_all_pairs_of_a_sentence_share_one_reading(bert_tokenizer):
    lengths, solid, n_pairs = shared_lengths(bert_tokenizer, "both")
    assert n_pairs == [12]
    assert lengths == [solid - 4 + 4 * 12]


def test_the_markers_of_a_long_reading_are_no_longer_than_its_text(
    bert_tokenizer, monkeypatch
):
    """What a wordpiece costs grows with the length of what is read at once."""
    monkeypatch.setattr(spacy_dualre.encoding.levitated, "MAX_SHARED", 1)
    _, solid, n_pairs = shared_lengths(bert_tokenizer, "both")
    text = solid - 4
    assert n_pairs == [7, 5]
    assert 4 * 7 <= text < 4 * 12


@EITHER
@pytest.mark.parametrize("make", [None, make_roberta])
def test_a_pair_is_read_as_if_it_were_alone(bert, make, markers, tmp_path):
    """Neither the other pairs of the text nor the padding change what is read."""
    nlp = make_pipeline(make(tmp_path) if make else bert, levitated(markers))
    train(nlp, steps=3)
    component = nlp.get_pipe("dual_relation_extractor")
    batch = [component.find_candidates(doc) for doc in with_entities(nlp)]
    together = component.model.predict(batch).dual
    alone = [
        component.model.predict([found.select(row[None])]).dual
        for found in batch
        for row in numpy.arange(len(found.pairs))
    ]
    probabilities = [
        torch.from_numpy(z).softmax(dim=1) for z in (together, numpy.concatenate(alone))
    ]
    torch.testing.assert_close(*probabilities, atol=1e-5, rtol=0)


@pytest.mark.parametrize("make", [None, make_roberta])
def test_a_text_with_its_markers_can_be_longer_than_the_encoder_reads(
    bert, make, tmp_path
):
    """The markers have positions within the text."""
    nlp = make_pipeline(make(tmp_path) if make else bert, levitated("both"))
    train(nlp, steps=1)
    component = nlp.get_pipe("dual_relation_extractor")
    shim = shim_of(nlp)
    longest = shim.module.instance_encoder.config.max_position_embeddings
    doc = nlp.make_doc(" ".join(["Ann"] * 8))
    doc.ents = [Span(doc, i, i + 1, "PER") for i in range(8)]
    pairs = shim.pair_tokenizer.locate([component.find_candidates(doc)])
    assert build_all(shim.settings.reading, pairs).lengths.max() > longest
    (scored,) = component.predict([doc])
    assert numpy.isfinite(scored.probabilities).all()


@EITHER
def test_the_text_does_not_see_levitated_markers(bert, markers):
    nlp = make_pipeline(bert, levitated(markers))
    train(nlp, steps=3)
    shim = shim_of(nlp)
    module = shim.module.eval()
    doc = with_entities(nlp)[3]
    found = nlp.get_pipe("dual_relation_extractor").find_candidates(doc)
    shared = build_all(shim.settings.reading, shim.pair_tokenizer.locate([found]))
    ends = shared.lengths.cumsum().tolist()
    for row, text_of in enumerate(shared.text_of.tolist()):
        part = slice(ends[text_of] - shared.lengths[text_of], ends[text_of])
        text = shared.ids[part][shared.owners[part] == 0][None]
        with torch.no_grad():
            plain = module.instance_encoder(input_ids=torch.from_numpy(text))[0]
            context = module.read_instances(shared).context[row]
        torch.testing.assert_close(context, plain[0, 0], atol=1e-5, rtol=0)


@EITHER
@given(batch=st.lists(docs(), min_size=1, max_size=2))
def test_the_cost_of_all_pairs_is_the_length_of_what_is_read(
    bert_tokenizer, markers, batch
):
    reading = LevitatedReading(markers)
    pairs = locate(bert_tokenizer, *batch)
    rows = numpy.lexsort(pairs.window.T)
    cost = reading.cost(pairs, rows).sum()
    assert cost == build_all(reading, pairs).lengths.sum()


@EITHER
def test_a_trained_pipeline_is_the_same_after_loading(bert, markers, tmp_path):
    nlp = make_pipeline(bert, levitated(markers))
    losses = train(nlp, steps=30)
    assert losses[-1] < losses[0] / 2
    nlp.to_disk(tmp_path / "model")
    loaded = spacy.load(tmp_path / "model")
    found = [
        [relations_of(doc) for doc in pipeline.pipe(with_entities(pipeline))]
        for pipeline in (nlp, loaded)
    ]
    assert found[0] == found[1]
    assert any(found[0])


def test_other_markers_are_refused(bert):
    with pytest.raises(ValueError, match="markers"):
        make_pipeline(bert, levitated("subject"))


@pytest.mark.parametrize("make", [make_mpnet, make_deberta_v2])
def test_an_encoder_with_relative_positions_is_refused(make, tmp_path):
    nlp = make_pipeline(make(tmp_path), levitated("object"))
    with pytest.raises(ValueError, match="Levitated markers need an encoder with abs"):
        train(nlp, steps=0)
