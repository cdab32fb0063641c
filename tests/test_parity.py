"""Our numbers against those of the published model, on a tiny random one.

The files in `parity/` were computed with the authors' own code (arXiv 2503.17799):
weights under their parameter names, inputs, and the expected scores, losses and
gradient norms.
"""

import json
from pathlib import Path

import numpy
import pytest
import torch
from safetensors.torch import load_file

from spacy_dualre.encoding.batches import Inputs
from spacy_dualre.model.dual_encoder import Budget, DualEncoder
from spacy_dualre.model.encoders import encoder_from_config
from spacy_dualre.training.loss import joint_loss

FOLDER = Path(__file__).parent / "parity"
META = json.loads((FOLDER / "meta.json").read_text())
INPUTS = load_file(FOLDER / "inputs.safetensors")
EXPECTED = load_file(FOLDER / "expected.safetensors")
OUR_NAMES = {
    "input_encoder": "instance_encoder",
    "description_encoder": "predicate_encoder",
    "input_linear": "instance_linear",
    "des_linear": "predicate_linear",
    "logit_scale": "log_scale",
}


def our_name(name):
    first, dot, rest = name.partition(".")
    return OUR_NAMES.get(first, first) + dot + rest


def ragged(ids, mask, subject_at, object_at):
    return Inputs(
        ids[mask.bool()].numpy(),
        mask.sum(dim=1).numpy(),
        subject_at.numpy(),
        object_at.numpy(),
    )


@pytest.fixture(scope="module")
def run():
    """The module, and what it computes on the inputs."""
    module = DualEncoder(
        encoder_from_config(META["encoder_config"]),
        encoder_from_config(META["encoder_config"]),
        META["num_labels"],
        temperature=META["init_temperature"],
        budget=Budget(4096, 256),
    )
    weights = load_file(FOLDER / "weights.safetensors")
    weights = {our_name(name): weight for name, weight in weights.items()}
    weights["log_scale"] = weights["log_scale"].reshape(())
    missing, unexpected = module.load_state_dict(weights, strict=False)
    assert not missing
    assert all("pooler" in name for name in unexpected)
    instances = module.read_instances(
        ragged(
            *(INPUTS[k] for k in ("input_ids", "attention_mask")),
            *(INPUTS[k] for k in ("subject_index", "object_index")),
        )
    )
    names = ("ids", "mask", "subject_index", "object_index")
    descriptions = module.read_descriptions(
        ragged(*(INPUTS[f"description_{name}"].flatten(0, 1) for name in names))
    )
    n, k = INPUTS["description_ids"].shape[:2]
    scores = module.score(
        instances,
        descriptions,
        torch.arange(n).repeat_interleave(k),
        torch.arange(n * k),
    ).reshape(n, k)
    return module, instances, scores, module.classify(instances)


def assert_close(actual, expected):
    numpy.testing.assert_allclose(
        actual.detach().numpy(), expected.numpy(), atol=1e-5, rtol=1e-5
    )


def test_instance_vectors_are_the_published_models(run):
    assert_close(run[1].vectors, EXPECTED["instance"])


def test_scores_are_the_published_models(run):
    assert_close(run[2], EXPECTED["scores"])


def test_logits_are_the_published_models(run):
    assert_close(run[3], EXPECTED["logits"])


@pytest.mark.parametrize(
    ("alpha", "name"),
    [(0.0, "contrastive_loss"), (1.0, "cross_entropy_loss"), (0.5, "loss")],
)
def test_losses_are_the_published_models(run, alpha, name):
    _, _, scores, logits = run
    loss = joint_loss(scores, logits, INPUTS["labels"], alpha)
    assert_close(loss.reshape(1), EXPECTED[name])


def test_gradient_norms_are_the_published_models(run):
    module, _, scores, logits = run
    module.zero_grad()
    loss = joint_loss(scores, logits, INPUTS["labels"], META["alpha"])
    loss.backward(retain_graph=True)
    parameters = dict(module.named_parameters())
    assert len(parameters) == len(META["grad_norms"])
    for name, expected in META["grad_norms"].items():
        norm = parameters[our_name(name)].grad.norm().item()
        assert norm == pytest.approx(expected, abs=1e-5, rel=1e-5), name
