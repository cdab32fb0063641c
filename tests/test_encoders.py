"""Where encoders come from, their markers, and how they are stored."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_encoders import MAKERS, MAX_LENGTH, make_bert
from transformers import AutoModel, AutoTokenizer

from spacy_dualre.encoding.markers import marker_texts
from spacy_dualre.model import encoders
from spacy_dualre.model.encoders import (
    add_markers,
    encoder_from_config,
    load_encoder,
    max_input_length,
    pad_id,
    resolve_encoder,
    tokenizer_from_files,
    tokenizer_to_files,
)

HUB_NAME = "example/carried-encoder"


@pytest.fixture
def carried(tmp_path, monkeypatch):
    """A package that carries an encoder. RETURNS: The encoder's folder."""
    package = tmp_path / "dualre_test_carrier"
    make_bert(package / "model")
    (package / "__init__.py").write_text(
        "from pathlib import Path\n"
        "def get_model_path():\n"
        "    return str(Path(__file__).parent / 'model')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    weights = (package / "model" / "model.safetensors").read_bytes()
    sha256 = hashlib.sha256(weights).hexdigest()
    monkeypatch.setitem(encoders.CARRIED, HUB_NAME, (package.name, sha256))
    yield package / "model"
    sys.modules.pop(package.name, None)


# Where encoders come from.


def test_a_name_resolves_to_the_package_that_carries_it(carried):
    assert resolve_encoder(HUB_NAME) == str(carried)


def test_a_package_with_other_weights_is_refused(carried):
    weights = carried / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(ValueError, match=f"official weights of {HUB_NAME}"):
        resolve_encoder(HUB_NAME)


def test_without_its_package_a_name_is_left_to_the_hub(monkeypatch):
    entry = "dualre_package_that_is_not_installed", "0" * 64
    monkeypatch.setitem(encoders.CARRIED, HUB_NAME, entry)
    assert resolve_encoder(HUB_NAME) == HUB_NAME


def test_any_other_name_is_left_to_the_hub():
    assert resolve_encoder("example/other") == "example/other"


def test_a_folder_of_that_name_comes_before_the_package(carried, monkeypatch):
    folder = carried.parent.parent / HUB_NAME
    folder.mkdir(parents=True)
    monkeypatch.chdir(carried.parent.parent)
    assert resolve_encoder(HUB_NAME) == HUB_NAME


def test_an_encoder_that_is_not_there_is_named_with_what_to_do(tmp_path):
    missing = str(tmp_path / "missing")
    with pytest.raises(ValueError, match="missing.*(?s:.*)spacy-dualre.minilm"):
        load_encoder(missing)


def test_weights_that_are_not_safetensors_are_refused_until_converted(tmp_path):
    folder, converted = tmp_path / "pickled", tmp_path / "converted"
    make_bert(folder)
    weights = load_file(folder / "model.safetensors")
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="pickled(?s:.*)convert them.*save_pretrained"):
        load_encoder(str(folder))
    for auto_class in (AutoModel, AutoTokenizer):
        auto_class.from_pretrained(folder).save_pretrained(converted)
    _, encoder = load_encoder(str(converted))
    loaded = encoder.state_dict()
    assert all(torch.equal(loaded[name], weights[name]) for name in loaded)


def test_damaged_weights_are_named(tmp_path):
    folder = tmp_path / "damaged"
    make_bert(folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match="damaged"):
        load_encoder(str(folder))


def test_the_weights_are_those_of_the_folder(any_encoder):
    _, encoder = load_encoder(any_encoder)
    stored = load_file(f"{any_encoder}/model.safetensors")
    loaded = encoder.state_dict()
    assert loaded
    assert all(torch.equal(tensor, stored[name]) for name, tensor in loaded.items())


def test_there_is_nothing_that_training_does_not_touch(any_encoder):
    tokenizer, encoder = load_encoder(any_encoder)
    ids = torch.full((2, 20), tokenizer.convert_tokens_to_ids("e"))
    encoder(input_ids=ids)[0].sum().backward()
    without = [n for n, p in encoder.named_parameters() if p.grad is None]
    assert without == []


# Markers.


def marked(folder, types):
    tokenizer, encoder = load_encoder(folder)
    before = encoder.get_input_embeddings().weight.detach().clone()
    add_markers(tokenizer, [encoder], types)
    return tokenizer, encoder, before


def test_each_marker_is_one_wordpiece_wherever_it_stands(any_encoder):
    tokenizer, _, _ = marked(any_encoder, ["PER", "Other Type"])
    texts = [text for t in ("", "PER", "Other Type") for text in marker_texts(t)]
    ids = tokenizer.convert_tokens_to_ids(texts)
    assert len(set(ids)) == 12
    read = tokenizer("a" + "a".join(texts), add_special_tokens=False)["input_ids"]
    assert [i for i in read if i in ids] == ids


def test_the_embeddings_have_a_row_for_every_marker(any_encoder):
    tokenizer, encoder, before = marked(any_encoder, ["PER"])
    weight = encoder.get_input_embeddings().weight
    assert len(weight) == len(tokenizer) == len(before) + 8
    assert encoder.config.vocab_size == len(weight)
    assert torch.equal(weight[: len(before)], before)


def test_markers_differ_and_are_of_the_size_of_words(any_encoder):
    _, encoder, before = marked(any_encoder, ["PER"])
    new = encoder.get_input_embeddings().weight[len(before) :].detach()
    assert torch.isfinite(new).all()
    assert len(torch.unique(new, dim=0)) == 8
    assert new.norm(dim=1).max() <= before.norm(dim=1).max() * 1.5


def test_a_marker_starts_near_the_words_that_it_stands_for(bert):
    _, encoder, before = marked(bert, ["works"])
    tokenizer, _ = load_encoder(bert)
    new = encoder.get_input_embeddings().weight[len(before) :].detach()
    ids = tokenizer("object works", add_special_tokens=False)["input_ids"]
    distance = (new - before[ids].mean(dim=0)).norm(dim=1)
    texts = [text for type_ in ("", "works") for text in marker_texts(type_)]
    nearest = {texts[i] for i in distance.argsort()[:2]}
    assert nearest == {"<O:works>", "</O:works>"}


def test_adding_markers_again_adds_only_new_types(bert):
    tokenizer, encoder, _ = marked(bert, ["PER"])
    ids = tokenizer.convert_tokens_to_ids(marker_texts("PER"))
    n = len(tokenizer)
    add_markers(tokenizer, [encoder], ["LOC", "PER"])
    assert len(tokenizer) == len(encoder.get_input_embeddings().weight) == n + 4
    assert tokenizer.convert_tokens_to_ids(marker_texts("PER")) == ids


def test_a_new_type_starts_as_the_trained_generic_marker(bert):
    tokenizer, encoder, _ = marked(bert, ["PER"])
    weight = encoder.get_input_embeddings().weight
    ids = {
        type_: tokenizer.convert_tokens_to_ids(marker_texts(type_))
        for type_ in ("", "PER")
    }
    with torch.no_grad():
        weight[ids[""]] += 1.0
    before = weight.detach().clone()
    add_markers(tokenizer, [encoder], ["LOC"])
    weight = encoder.get_input_embeddings().weight
    ids["LOC"] = tokenizer.convert_tokens_to_ids(marker_texts("LOC"))
    assert torch.equal(weight[ids["LOC"]], before[ids[""]])
    assert torch.equal(weight[: len(before)], before)


def test_spare_rows_of_the_embeddings_are_kept(tmp_path):
    # As in DeBERTa, whose embeddings are longer than its vocabulary.
    folder = make_bert(tmp_path / "spare")
    tokenizer, encoder = load_encoder(folder)
    encoder.resize_token_embeddings(len(tokenizer) + 50)
    add_markers(tokenizer, [encoder], ["PER"])
    assert len(encoder.get_input_embeddings().weight) == len(tokenizer) - 8 + 50


# Lengths.


def test_the_longest_input_can_be_read(any_encoder):
    tokenizer, encoder = load_encoder(any_encoder)
    length = max_input_length(encoder, tokenizer)
    assert length == MAX_LENGTH
    ids = torch.full((1, length), tokenizer.convert_tokens_to_ids("e"))
    ids[0, 0] = tokenizer.cls_token_id
    assert encoder(input_ids=ids)[0].shape[:2] == (1, length)


@pytest.mark.parametrize("family", ["bert", "mpnet", "roberta"])
def test_one_wordpiece_more_can_not_be_read(family, tmp_path):
    tokenizer, encoder = load_encoder(MAKERS[family](tmp_path / family))
    length = max_input_length(encoder, tokenizer) + 1
    ids = torch.full((1, length), tokenizer.convert_tokens_to_ids("e"))
    with pytest.raises((IndexError, RuntimeError)):
        encoder(input_ids=ids)


def test_a_tokenizer_with_a_lower_limit_is_followed(bert):
    tokenizer, encoder = load_encoder(bert)
    tokenizer.model_max_length = 50
    assert max_input_length(encoder, tokenizer) == 50


# Stored and loaded.


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("The network was asked for something.")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)


def test_a_tokenizer_reads_the_same_after_it_was_stored(any_encoder, no_network):
    tokenizer, encoder, _ = marked(any_encoder, ["PER"])
    files = tokenizer_to_files(tokenizer)
    assert all(isinstance(content, bytes) for content in files.values())
    loaded = tokenizer_from_files(files, encoder.config.to_dict())
    assert type(loaded) is type(tokenizer)
    assert loaded.get_added_vocab() == tokenizer.get_added_vocab()
    assert loaded.model_max_length == tokenizer.model_max_length
    assert pad_id(loaded) == pad_id(tokenizer)
    texts = ["<S:PER> Marie (IL-2)</S:PER>, São", "  [SEP] <s> 東京\n"]
    for split in (False, True):
        settings = {"add_special_tokens": False, "split_special_tokens": split}
        assert loaded(texts, **settings) == tokenizer(texts, **settings)


def test_an_encoder_is_rebuilt_from_its_configuration(any_encoder, no_network):
    _, encoder, _ = marked(any_encoder, ["PER"])
    rebuilt = encoder_from_config(encoder.config.to_dict())
    rebuilt.load_state_dict(encoder.state_dict())
    ids = torch.full((1, 9), 7)
    encoder.eval()
    rebuilt.eval()
    with torch.no_grad():
        assert torch.equal(rebuilt(input_ids=ids)[0], encoder(input_ids=ids)[0])


def test_weights_go_through_safetensors(any_encoder, tmp_path):
    _, encoder, _ = marked(any_encoder, ["PER"])
    state = {k: v.contiguous() for k, v in encoder.state_dict().items()}
    save_file(state, tmp_path / "weights.safetensors")
    loaded = load_file(tmp_path / "weights.safetensors")
    assert loaded.keys() == state.keys()


def test_padding_falls_back_to_zero(bert):
    tokenizer, _ = load_encoder(bert)
    tokenizer.pad_token = None
    assert pad_id(tokenizer) == 0


def test_a_stored_config_can_ask_for_no_code(any_encoder):
    config = load_encoder(any_encoder)[1].config.to_dict()
    asking = {
        **config,
        "attn_implementation": "someone/kernel",
        "_attn_implementation": "someone/kernel",
        "auto_map": {"AutoModel": "someone/repository--code.Model"},
    }
    encoder = encoder_from_config(asking)
    assert type(encoder).__module__.startswith("transformers.")
    assert "someone" not in str(encoder.config.to_dict())


CODE = "open({!r}, 'w').close()\nclass Config: ...\nModel = Tokenizer = Config\n"
OWN_CODE = {
    "AutoConfig": "own.Config",
    "AutoModel": "own.Model",
    "AutoTokenizer": ["own.Tokenizer", None],
}
ASKING = [{}, {"model_type": "own"}, {"tokenizer_class": "Own"}]


def with_code(files, trace, **config):
    """Files of an encoder, by name, that ask for code that leaves a trace."""
    files = dict(files)
    for name in ("config.json", "tokenizer_config.json"):
        data = json.loads(files.get(name, b"{}"))
        files[name] = json.dumps({**data, **config, "auto_map": OWN_CODE}).encode()
    files["own.py"] = CODE.format(str(trace)).encode()
    return files


@pytest.fixture
def says_yes(monkeypatch):
    """A user who agrees to whatever is asked."""
    monkeypatch.setattr("builtins.input", lambda *args: "y")


@pytest.mark.parametrize("config", ASKING)
def test_an_encoder_in_a_folder_runs_no_code_of_its_own(
    bert, tmp_path, config, says_yes
):
    folder, trace = tmp_path / "encoder", tmp_path / "trace"
    folder.mkdir()
    whole = {path.name: path.read_bytes() for path in Path(bert).iterdir()}
    for name, content in with_code(whole, trace, **config).items():
        (folder / name).write_bytes(content)
    try:
        _, encoder = load_encoder(str(folder))
    except ValueError as e:
        assert str(folder) in str(e)
    else:
        assert type(encoder).__module__.startswith("transformers.")
    assert not trace.exists()


@pytest.mark.parametrize("config", ASKING)
def test_a_stored_tokenizer_runs_no_code_of_its_own(bert, tmp_path, config, says_yes):
    tokenizer, encoder = load_encoder(bert)
    trace = tmp_path / "trace"
    files = with_code(tokenizer_to_files(tokenizer), trace, **config)
    try:
        loaded = tokenizer_from_files(files, {**encoder.config.to_dict(), **config})
    except ValueError:
        pass
    else:
        assert type(loaded).__module__.startswith("transformers.")
    assert not trace.exists()


def test_files_of_a_stored_tokenizer_stay_in_their_folder(bert, tmp_path, monkeypatch):
    tokenizer, encoder = load_encoder(bert)
    files = {**tokenizer_to_files(tokenizer), "../../outside": b"", "/outside": b""}
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    tokenizer_from_files(files, encoder.config.to_dict())
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == [
        "temporary"
    ]
