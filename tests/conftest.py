import importlib
import os
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from tiny_corpus import make_pipeline, train
from tiny_encoders import MAKERS, make_bert

from spacy_dualre.model.encoders import add_markers, load_encoder

# One thread for each of pytest-xdist's workers and for the commands they run; and no
# test needs a model hub.
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"

# A slow machine is no failure.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


def pytest_addoption(parser):
    help_ = "How long the campaign runs (-m campaign)"
    parser.addoption("--minutes", type=float, default=10, help=help_)


def pytest_ignore_collect(collection_path, config):
    """The campaign runs where its marker asks for it."""
    is_campaign = collection_path.name == "campaign"
    return True if is_campaign and config.option.markexpr != "campaign" else None


@pytest.fixture(scope="session")
def import_benchmark():
    """Imports a module of `benchmarks/`, by its dotted name there."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        # Last, so that an installed package is tested, not the one beside it.
        root = str(Path(__file__).parent.parent)
        monkeypatch.setattr(sys, "path", [*sys.path, root])
        yield lambda name: importlib.import_module(f"benchmarks.{name}")


@pytest.fixture(scope="session")
def bert(tmp_path_factory):
    """The folder of a tiny BERT without dropout, so that its steps can be compared."""
    folder = tmp_path_factory.mktemp("encoders") / "bert"
    without = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return make_bert(folder, **without)


@pytest.fixture(scope="session")
def trained(bert):
    """A pipeline that has learned the tiny corpus by heart. Not to be changed."""
    nlp = make_pipeline(bert)
    train(nlp)
    return nlp


@pytest.fixture(scope="session")
def trained_path(trained, tmp_path_factory):
    """The folder of the trained pipeline."""
    path = tmp_path_factory.mktemp("trained") / "model"
    trained.to_disk(path)
    return path


@pytest.fixture(scope="session", params=sorted(MAKERS))
def any_encoder(request, tmp_path_factory):
    """The folder of a tiny encoder, once for each family."""
    return MAKERS[request.param](tmp_path_factory.mktemp("encoders") / request.param)


@pytest.fixture(scope="session")
def tokenizer(any_encoder):
    """The tokenizer of each family, with the markers of the types LOC and PER."""
    return with_markers(any_encoder)


@pytest.fixture(scope="session")
def bert_tokenizer(bert):
    """The tokenizer of BERT, with the markers of the types LOC and PER."""
    return with_markers(bert)


def with_markers(folder):
    tokenizer, encoder = load_encoder(folder)
    add_markers(tokenizer, [encoder], ["LOC", "PER"])
    return tokenizer
