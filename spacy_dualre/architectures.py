"""The thinc models: from Docs to the probabilities of every predicate."""

import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy
import torch
from spacy.tokens import Doc
from thinc.api import Model
from torch import Tensor

from .candidates import Candidates
from .description_cache import DescriptionCache
from .encoders import add_markers, check_levitated, load_encoder, max_input_length
from .instances import LEVITATED, InstanceBuilder, Pairs
from .predicates import parse_predicates
from .probabilities import PREDICT_WITH, in_question, to_probabilities
from .shim import DualEncoderShim, get_shim

# Scores held at once while predicting: bounds the memory of pairs x predicates x H.
SCORES_AT_ONCE = 16384
# The instructions that multiply matrices in bfloat16, on x86 and on ARM.
CPU_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")


@dataclass
class Settings:
    """The arguments of `build_dual_encoder` that hold at run time.

    Unlike other attributes of a thinc model they are not stored with the weights, so
    that a loaded pipeline follows its config and the overrides given to `spacy.load`.
    """

    alpha: float
    predict_with: str
    prune: float
    mixed_precision: bool
    max_tokens: int | None
    max_length: int
    context_length: int
    fill_spans: bool
    levitated_markers: str | None


class Scored(NamedTuple):
    """The scores of one Doc.

    candidates (Candidates): Its P candidate pairs.
    probabilities (ndarray): Of each predicate for each pair, float32, (P, R + 1); 0
        where a predicate was not scored.
    """

    candidates: Candidates
    probabilities: numpy.ndarray


@dataclass
class PairBatch:
    """Some pairs, to be scored against some predicates.

    builder (InstanceBuilder): Builds the encoders' inputs.
    pairs (Pairs): The pairs of some Docs.
    rows (ndarray): Which of them, int, (n,).
    wanted (ndarray): The descriptions that are scored, bool, (n, R + 1).
    n_hard (int): How many more are scored for each pair in training: those that the
        auxiliary head ranks highest.
    """

    builder: InstanceBuilder
    pairs: Pairs
    rows: numpy.ndarray
    wanted: numpy.ndarray
    n_hard: int = 0


# z, None where there is no predicate encoder, and l; both (n, R + 1), -inf where a
# predicate is not allowed or was not scored.
Outputs = tuple[Tensor | None, Tensor]


def build_dual_encoder(
    encoder: str = "sentence-transformers/all-MiniLM-L6-v2",
    alpha: float = 0.5,
    max_length: int = 256,
    context_length: int = 0,
    levitated_markers: str | None = None,
    fill_spans: bool = True,
    tie_encoders: bool = False,
    use_context: bool = True,
    dropout: float = 0.1,
    temperature: float = 0.07,
    temperature_lr: float = 1.0,
    predict_with: str = "dual",
    prune: float = 0.0,
    mixed_precision: bool = False,
    max_tokens: int | None = None,
    cache_size: int = 16384,
) -> Model[list[Doc], list[Scored]]:
    """Build the dual encoder (arXiv 2503.17799).

    encoder (str): A path or the name of a Hugging Face encoder, loaded at `initialize`
        into both the instance and the predicate encoder.
    alpha (float): The auxiliary head's share of the loss. 1: the head alone (the usual
        fixed linear head, without predicate encoder). 0: the contrastive loss alone.
    max_length (int): Wordpieces that an encoder reads at most.
    context_length (int): Text around the pair's sentences is read too, up to this many
        wordpieces. 0: the sentences alone.
    levitated_markers (Optional[str]): Faster, and another model: pairs share a reading
        of their text, which does not see the levitated markers. "object": those of the
        objects, so that the pairs of a subject share it. "both": those of the subjects
        too, so that all pairs do. Only pairs with the same text around them (see
        `context_length` and `max_length`) share one.
    fill_spans (bool): Whether descriptions hold the pair's spans, or its markers only.
    tie_encoders (bool): Whether one encoder reads both instances and descriptions.
    use_context (bool): Whether the instance's [CLS] goes into the description's vector.
    dropout (float): Dropout after the LayerNorm; in `spacy train`, training.dropout.
    temperature (float): The temperature at the start.
    temperature_lr (float): Factor of the learning rate for the temperature.
    predict_with (str): "dual": the softmax of the cosine scores, as in the paper.
        "head": that of the auxiliary head. "mean": the mean of both.
    prune (float): Approximate and faster: at prediction, descriptions of predicates to
        which the auxiliary head gives less than this probability are not encoded; where
        it leaves one predicate, none is. 0: all are.
    mixed_precision (bool): Whether the encoders run in bfloat16, where the device
        multiplies in it itself (see `has_bfloat16`).
    max_tokens (Optional[int]): Wordpieces in memory at once, which bounds the memory.
        None: chosen for the device.
    cache_size (int): How many encoded descriptions are kept for later batches.
    RETURNS (Model[List[Doc], List[Scored]]): The model.
    RAISES (ValueError): If an argument is out of its range.
    """
    _check(0 <= alpha <= 1, "alpha must be between 0 and 1", alpha)
    _check(0 <= prune < 1, "prune must be at least 0 and less than 1", prune)
    _check(temperature > 0, "temperature must be more than 0", temperature)
    _check(max_length >= 16, "max_length must be at least 16", max_length)
    _check(context_length >= 0, "context_length can't be negative", context_length)
    _check(0 <= dropout < 1, "dropout must be at least 0 and less than 1", dropout)
    _check(temperature_lr >= 0, "temperature_lr can't be negative", temperature_lr)
    _check(
        max_tokens is None or max_tokens > 0,
        "max_tokens must be more than 0, or null",
        max_tokens,
    )
    _check(cache_size >= 0, "cache_size can't be negative", cache_size)
    _check(
        prune == 0 or alpha > 0,
        "prune must be 0 where alpha is 0, because the head is not trained",
        prune,
    )
    _check(
        predict_with in PREDICT_WITH,
        f"predict_with must be one of {', '.join(PREDICT_WITH)}",
        predict_with,
    )
    _check(
        predict_with == "dual" or alpha > 0,
        "predict_with must be dual where alpha is 0, because the head is not trained",
        predict_with,
    )
    _check(
        levitated_markers is None or levitated_markers in LEVITATED,
        f"levitated_markers must be {' or '.join(LEVITATED)}, or null",
        levitated_markers,
    )
    settings = Settings(
        alpha=alpha,
        predict_with="head" if alpha == 1 else predict_with,
        prune=prune,
        mixed_precision=mixed_precision,
        max_tokens=max_tokens,
        max_length=max_length,
        context_length=context_length,
        fill_spans=fill_spans,
        levitated_markers=levitated_markers,
    )
    module = {"use_context": use_context, "dropout": dropout}
    module["temperature"] = temperature
    dual_encoder: Model[PairBatch, Outputs] = Model(
        "dual_encoder",
        forward_pairs,
        attrs={
            "settings": settings,
            "cache": DescriptionCache(cache_size),
            "dropout_rate": dropout,
        },
        shims=[DualEncoderShim(module, temperature_lr)],
    )
    return Model(
        "dual_relation_extractor",
        forward_docs,
        init=partial(init, encoder=encoder, tie_encoders=tie_encoders),
        layers=[dual_encoder],
        refs={"dual_encoder": dual_encoder},
        attrs={
            "settings": settings,
            # Set by the component, which owns them:
            "predicates": [],
            "entity_types": [],
            "find_candidates": None,
        },
    )


def init(
    model: Model,
    X: list[Doc] | None = None,
    Y: list[Scored] | None = None,
    *,
    encoder: str,
    tie_encoders: bool,
) -> None:
    """Load the pretrained encoders and add the markers."""
    attrs = model.attrs
    tokenizer, instance_encoder = load_encoder(encoder)
    if attrs["settings"].levitated_markers:
        check_levitated(instance_encoder)
    encoders = [instance_encoder]
    if not tie_encoders and attrs["settings"].alpha < 1:
        encoders.append(load_encoder(encoder)[1])
    add_markers(tokenizer, encoders, attrs["entity_types"])
    get_shim(model).set_module(
        tokenizer,
        instance_encoder,
        encoders[1] if len(encoders) > 1 else None,
        len(attrs["predicates"]),
    )


def forward_docs(
    model: Model[list[Doc], list[Scored]], docs: list[Doc], is_train: bool
) -> tuple[list[Scored], Callable]:
    """Predict the probabilities of every candidate pair of some Docs."""
    if is_train:
        raise ValueError(
            "Train through `DualRelationExtractor.update`, which goes through the "
            "pairs of a batch in parts that fit in memory."
        )
    predict_with = model.attrs["settings"].predict_with
    scored = []
    for found, scores, logits in score_docs(model, docs):
        probabilities = to_probabilities(scores, logits, predict_with)
        scored.append(Scored(found, probabilities.numpy()))
    return scored, lambda d_scored: []


def score_docs(
    model: Model[list[Doc], list[Scored]], docs: list[Doc]
) -> list[tuple[Candidates, Tensor | None, Tensor]]:
    """Score every candidate pair of some Docs.

    model (Model): The model that `build_dual_encoder` returned, initialized.
    docs (List[Doc]): Docs with entities.
    RETURNS (List[Tuple[Candidates, Optional[Tensor], Tensor]]): For each Doc its P
        candidates, z and l, (P, R + 1) each, on the CPU. z is None where the auxiliary
        head predicts alone. Both are -inf where a predicate is not allowed, z also
        where a description was left out.
    """
    dual_encoder = model.get_ref("dual_encoder")
    builder = get_builder(model)
    batch = [model.attrs["find_candidates"](doc) for doc in docs]
    pairs = builder.featurize(batch)
    all_logits = torch.full(pairs.allowed.shape, -torch.inf)
    all_scores = all_logits.clone()
    with_scores = model.attrs["settings"].predict_with != "head"
    step = max(SCORES_AT_ONCE // pairs.allowed.shape[1], 1)
    for start in range(0, len(pairs), step):
        rows = numpy.arange(start, min(start + step, len(pairs)))
        part = PairBatch(builder, pairs, rows, pairs.allowed[rows])
        scores, logits = dual_encoder.predict(part)
        all_logits[rows] = logits.cpu()
        if with_scores:
            all_scores[rows] = scores.cpu()
    sizes = [len(found.pairs) for found in batch]
    return [
        (found, scores if with_scores else None, logits)
        for found, scores, logits in zip(
            batch, all_scores.split(sizes), all_logits.split(sizes)
        )
    ]


def forward_pairs(
    model: Model[PairBatch, Outputs], batch: PairBatch, is_train: bool
) -> tuple[Outputs, Callable]:
    """Score pairs. The callback takes the gradients of z and l and adds those of the
    weights to what has accumulated.
    """
    settings = model.attrs["settings"]
    module = get_shim(model).module
    module.train(is_train)
    module.dropout.p = model.attrs["dropout_rate"]
    device = module.log_scale.device
    module.max_tokens = get_max_tokens(model)
    allowed = torch.from_numpy(batch.pairs.allowed[batch.rows]).to(device)
    with torch.set_grad_enabled(is_train), _precision(model, device):
        if settings.levitated_markers:
            texts = batch.builder.shared_instances(
                batch.pairs, batch.rows, settings.levitated_markers
            )
            instances = module.read_shared_instances(texts)
        else:
            inputs = batch.builder.instances(batch.pairs, batch.rows)
            instances = module.read_instances(inputs)
        logits = module.classify(instances).masked_fill(~allowed, -torch.inf)
        scores = None
        if settings.alpha < 1 if is_train else settings.predict_with != "head":
            scored = _choose(model, batch, logits.detach(), is_train)
            row, predicate = numpy.nonzero(scored)
            descriptions, at = _read_descriptions(
                model, batch, row, predicate, cached=not is_train
            )
            index = torch.from_numpy(row).to(device), torch.from_numpy(predicate)
            values = module.score(instances, descriptions, index[0], at)
            scores = torch.full_like(logits, -torch.inf)
            scores = scores.index_put((index[0], index[1].to(device)), values.float())

    def backprop(gradients: Outputs) -> list:
        outputs = [(scores, gradients[0]), (logits, gradients[1])]
        given = [(y, dy) for y, dy in outputs if y is not None and dy is not None]
        torch.autograd.backward([y for y, _ in given], [dy for _, dy in given])
        return []

    return (scores, logits), backprop


def get_builder(model: Model) -> InstanceBuilder:
    """Get the builder of the encoders' inputs.

    model (Model): The model that `build_dual_encoder` returned, initialized.
    RETURNS (InstanceBuilder): The builder. It is made once for a tokenizer and a set
        of predicates.
    """
    shim = get_shim(model)
    module, attrs = shim.module, model.attrs
    made_for, builder = attrs.get("builder", (None, None))
    if made_for is None or made_for != (id(shim.tokenizer), attrs["predicates"]):
        settings = attrs["settings"]
        longest = max_input_length(module.instance_encoder, shim.tokenizer)
        builder = InstanceBuilder(
            shim.tokenizer,
            parse_predicates(attrs["predicates"]),
            max_length=min(settings.max_length, longest),
            context_length=settings.context_length,
            fill_spans=settings.fill_spans,
        )
        attrs["builder"] = (id(shim.tokenizer), attrs["predicates"]), builder
    return builder


def get_max_tokens(model: Model[PairBatch, Outputs]) -> int:
    """How many wordpieces may be in memory at once.

    model (Model): The "dual_encoder" layer.
    RETURNS (int): What the config says; else 4096 on CPU, where more is not faster, and
        512 for every GiB of a GPU.
    """
    max_tokens = model.attrs["settings"].max_tokens
    if max_tokens is not None:
        return max_tokens
    device = get_shim(model).module.log_scale.device
    if device.type != "cuda":
        return 4096
    return max(
        512 * (torch.cuda.get_device_properties(device).total_memory >> 30), 4096
    )


def has_bfloat16(device: torch.device) -> bool:
    """Find out whether a device multiplies matrices in bfloat16 itself. Most others can
    imitate it, several times slower than float32.

    device (torch.device): The device.
    RETURNS (bool): Whether it does. False on a CPU of which torch, before it had
        `torch.cpu.get_capabilities`, can't tell.
    """
    if device.type == "cpu":
        capabilities: Mapping = getattr(torch.cpu, "get_capabilities", dict)()
        return any(capabilities.get(name) for name in CPU_BFLOAT16)
    if device.type == "cuda" and not torch.version.hip:
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return True


def _choose(
    model: Model[PairBatch, Outputs], batch: PairBatch, logits: Tensor, is_train: bool
) -> numpy.ndarray:
    """Choose which descriptions are scored for which pair, bool, (n, R + 1)."""
    scored = batch.wanted
    if is_train and batch.n_hard:
        others = logits.cpu().numpy().copy()
        others[scored] = -numpy.inf
        hardest = numpy.argsort(-others, axis=1)[:, : batch.n_hard]
        scored = scored.copy()
        numpy.put_along_axis(scored, hardest, True, axis=1)
        scored &= batch.pairs.allowed[batch.rows]
    elif not is_train and model.attrs["settings"].prune:
        left = in_question(logits, model.attrs["settings"].prune)
        scored = scored & left.cpu().numpy()
    return scored


def _read_descriptions(
    model: Model[PairBatch, Outputs],
    batch: PairBatch,
    row: numpy.ndarray,
    predicate: numpy.ndarray,
    cached: bool,
) -> tuple[Tensor, Tensor]:
    """Encode the descriptions of some (pair, predicate), each distinct one once.

    RETURNS: The m vectors, (m, H), and for each (pair, predicate) which it is, (k,).
    """
    module = get_shim(model).module
    pairs, builder = batch.pairs, batch.builder
    surfaces = pairs.surfaces[batch.rows][row]
    if not builder.fill_spans:
        # Only the types are read, so one surface stands for all of its type.
        _, first, of_type = numpy.unique(
            pairs.types, return_index=True, return_inverse=True
        )
        surfaces = first[of_type][surfaces]
    n_labels, n_surfaces = pairs.allowed.shape[1], len(pairs.types)
    code = (surfaces[:, 0] * n_surfaces + surfaces[:, 1]) * n_labels + predicate
    distinct, at = numpy.unique(code, return_inverse=True)
    pair_code, r = numpy.divmod(distinct, n_labels)
    inputs = builder.descriptions(pairs, *numpy.divmod(pair_code, n_surfaces), r)
    cache: DescriptionCache = model.attrs["cache"]
    if cached and cache.size:
        shim = get_shim(model)
        in_place = sum(parameter._version for parameter in module.parameters())
        version = shim.n_changes, in_place, module.log_scale.device
        vectors = cache.fetch(
            inputs.keys(),
            (*version, model.attrs["settings"].mixed_precision),
            lambda rows: module.read_descriptions(
                inputs.select(numpy.asarray(rows, dtype="int64"))
            ),
        )
    else:
        vectors = module.read_descriptions(inputs)
    return vectors, torch.from_numpy(at).to(module.log_scale.device)


def _precision(model: Model, device: torch.device) -> AbstractContextManager:
    settings = model.attrs["settings"]
    if not settings.mixed_precision:
        return nullcontext()
    if not has_bfloat16(device):
        settings.mixed_precision = False
        warnings.warn(f"No bfloat16 on this {device}: mixed_precision is switched off.")
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def _check(valid: bool, message: str, value: Any) -> None:
    if not valid:
        raise ValueError(f"{message}, but is {value!r}.")
