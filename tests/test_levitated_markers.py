"""One reading of a text for all pairs of a subject (levitated markers)."""

import re

import numpy
import pytest
import spacy
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_instances import all_pairs, docs, make_builder, rows_of
from tiny_corpus import make_pipeline, relations_of, train, with_entities
from tiny_encoders import make_deberta_v2, make_mpnet, make_roberta

import spacy_dualre.instances
from spacy_dualre.architectures import get_builder
from spacy_dualre.encoders import add_markers, load_encoder
from spacy_dualre.shim import get_shim

LEVITATED = {"levitated_markers": True}


@pytest.fixture(scope="module")
def tokenizer(bert):
    tokenizer, encoder = load_encoder(bert)
    add_markers(tokenizer, [encoder], ["LOC", "PER"])
    return tokenizer


def module_of(nlp):
    return get_shim(nlp.get_pipe("dual_relation_extractor").model).module


@given(batch=st.lists(docs(), min_size=1, max_size=2), max_length=st.integers(24, 99))
def test_pairs_read_the_text_and_markers_of_their_own_instance(
    tokenizer, batch, max_length
):
    """Levitated and solid markers differ only in where they are."""
    builder = make_builder(tokenizer, max_length)
    pairs = builder.featurize(all_pairs(*batch))
    rows = numpy.arange(len(pairs))
    shared = builder.shared_instances(pairs, rows)
    solid = builder.instances(pairs, rows)
    ends = shared.lengths.cumsum()
    for row, instance in enumerate(rows_of(solid)):
        text_of = shared.text_of[row]
        part = slice(ends[text_of] - shared.lengths[text_of], ends[text_of])
        ids, positions, owners = (
            array[part].tolist()
            for array in (shared.ids, shared.positions, shared.owners)
        )
        levitated = [i for i in instance if (is_object(tokenizer, i))]
        text = [i for i in instance if i not in levitated]
        assert [i for i, owner in zip(ids, owners) if not owner] == text
        assert positions[: len(text)] == list(range(len(text)))
        subject, object_ = int(shared.subject_at[row]), int(shared.object_at[row])
        solid_at = int(solid.subject_at[row])
        assert ids[subject] == instance[solid_at]
        # Each marker has the place of the wordpiece that it stands beside in the solid
        # instance: behind an opening one, before a closing one.
        opens, closes = (instance.index(marker) for marker in levitated)
        assert ids[object_ : object_ + 2] == levitated
        assert positions[object_ : object_ + 2] == [opens, closes - 2]
        assert owners[object_] == owners[object_ + 1] > 0
        assert owners.count(owners[object_]) == 2


def is_object(tokenizer, wordpiece):
    """Whether it is the marker of an object."""
    return bool(re.match("</?O[:>]", tokenizer.convert_ids_to_tokens(wordpiece)))


def test_pairs_of_a_subject_share_one_reading(tokenizer):
    (doc,) = [d for d in with_entities(spacy.blank("en")) if len(d.ents) == 4]
    doc.spans["entities"] = doc.ents
    builder = make_builder(tokenizer)
    pairs = builder.featurize(all_pairs(doc))
    shared = builder.shared_instances(pairs, numpy.arange(len(pairs)))
    solid = builder.instances(pairs, numpy.arange(len(pairs)))
    assert len(shared.lengths) == 4
    others = [sum(shared.text_of == text) for text in range(4)]
    assert sum(others) == len(pairs)
    assert shared.lengths.tolist() == [solid.lengths[0] - 2 + 2 * n for n in others]


@pytest.mark.parametrize("make", [None, make_roberta])
def test_a_pair_is_read_as_if_it_were_alone(bert, make, tmp_path, monkeypatch):
    """Neither the other pairs of the text nor the padding change what is read."""
    nlp = make_pipeline(make(tmp_path) if make else bert, LEVITATED)
    train(nlp, steps=3)
    component = nlp.get_pipe("dual_relation_extractor")
    texts = with_entities(nlp)
    together = [scored.probabilities for scored in component.predict(texts)]
    monkeypatch.setattr(spacy_dualre.instances, "MAX_SHARED", 1)
    alone = [
        scored.probabilities for doc in texts for scored in component.predict([doc])
    ]
    for one, other in zip(together, alone, strict=True):
        numpy.testing.assert_allclose(one, other, atol=1e-5)


def test_the_text_does_not_see_the_objects_markers(bert):
    nlp = make_pipeline(bert, LEVITATED)
    train(nlp, steps=3)
    model = nlp.get_pipe("dual_relation_extractor").model
    module = module_of(nlp).eval()
    doc = with_entities(nlp)[3]
    builder = get_builder(model)
    found = nlp.get_pipe("dual_relation_extractor").find_candidates(doc)
    pairs = builder.featurize([found])
    shared = builder.shared_instances(pairs, numpy.arange(len(pairs)))
    ends = shared.lengths.cumsum().tolist()
    for row, text_of in enumerate(shared.text_of.tolist()):
        part = slice(ends[text_of] - shared.lengths[text_of], ends[text_of])
        text = shared.ids[part][shared.owners[part] == 0][None]
        with torch.no_grad():
            plain = module.instance_encoder(input_ids=torch.from_numpy(text))[0]
            context = module.read_shared_instances(shared).context[row]
        torch.testing.assert_close(context, plain[0, 0], atol=1e-5, rtol=0)


def test_a_trained_pipeline_is_the_same_after_loading(bert, tmp_path):
    nlp = make_pipeline(bert, LEVITATED)
    losses = train(nlp)
    assert losses[-1] < losses[0] / 2
    nlp.to_disk(tmp_path / "model")
    loaded = spacy.load(tmp_path / "model")
    found = [
        [relations_of(doc) for doc in pipeline.pipe(with_entities(pipeline))]
        for pipeline in (nlp, loaded)
    ]
    assert found[0] == found[1]
    assert any(found[0])


@pytest.mark.parametrize("make", [make_mpnet, make_deberta_v2])
def test_an_encoder_with_relative_positions_is_refused(make, tmp_path):
    nlp = make_pipeline(make(tmp_path), LEVITATED)
    with pytest.raises(ValueError, match="levitated_markers needs an encoder with abs"):
        train(nlp, steps=0)
