"""The thinc model: from candidate pairs to their scores."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

import numpy
import torch
from spacy.tokens import Doc
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats2d
from torch import Tensor

from ..encoding.marked import MarkedReading
from ..encoding.reading import Reading
from ..encoding.wordpieces import Pairs
from ..pairs.candidates import Candidates
from .dual_encoder import Instances, to_device
from .encoders import add_markers, load_encoder
from .scores import Scores
from .shim import DualEncoderShim, Settings, get_shim
from .start import load_start

# Scores computed at once while predicting: bounds the memory of pairs x predicates x H.
SCORES_AT_ONCE = 16384
# z and l of some pairs, as in `Scores`.
Outputs = tuple[Tensor | None, Tensor | None]


def build_dual_encoder(
    encoder: str = "sentence-transformers/all-MiniLM-L6-v2",
    start: str | None = None,
    reading: Reading | None = None,
    alpha: float = 0.5,
    max_length: int = 256,
    context_length: int = 0,
    fill_spans: bool = True,
    tie_encoders: bool = False,
    use_context: bool = True,
    temperature: float = 0.07,
    temperature_lr: float = 1.0,
    type_dropout: float = 0.0,
    predict_with: Literal["dual", "head", "mean"] = "dual",
    prune: float = 0.0,
    mixed_precision: bool = False,
    max_tokens: int | None = None,
    cache_size: int = 16384,
) -> Model[list[Candidates], Scores]:
    """Build the dual encoder (arXiv 2503.17799).

    encoder (str): A path or the name of a Hugging Face encoder, loaded at `initialize`
        into both the instance and the predicate encoder.
    start (Optional[str]): A trained pipeline, by path, or "general" for the model that
        comes with the package. Encoders, projections and temperature are its own at
        `initialize`; the head and the markers of new entity types start anew.
    reading (Optional[Reading]): How the instance encoder is given the text of pairs.
        None: each with its markers, as published.
    alpha (float): The auxiliary head's share of the loss. 1: the head alone (the usual
        fixed linear head, without predicate encoder). 0: the contrastive loss alone.
    max_length (int): Wordpieces that an encoder reads at most.
    context_length (int): Text around the pair's sentences is read too, up to this many
        wordpieces. 0: the sentences alone.
    fill_spans (bool): Whether descriptions hold the pair's spans, or its markers only.
    tie_encoders (bool): Whether one encoder reads both instances and descriptions.
    use_context (bool): Whether the instance's [CLS] goes into the description's vector.
    temperature (float): The temperature at the start.
    temperature_lr (float): Factor of the learning rate for the temperature.
    type_dropout (float): How often, in training, the entity type of a mention is read
        as one that was never seen, so that such types are read well too.
    predict_with (str): "dual": the cosine scores, as in the paper. "head": the
        auxiliary head. "mean": both. Where the head was not trained with all that is
        asked, the cosine scores.
    prune (float): Approximate and faster: at prediction, descriptions of predicates to
        which the auxiliary head gives less than this probability are not encoded; where
        it leaves one predicate, none is. 0: all are.
    mixed_precision (bool): Whether the encoders run in bfloat16, where the device
        multiplies in it itself (see `has_bfloat16`).
    max_tokens (Optional[int]): Wordpieces in memory at once, which bounds the memory.
        None: chosen for the device.
    cache_size (int): How many encoded descriptions are kept for later batches.
    RETURNS (Model[List[Candidates], Scores]): The model. Its dimension "nO" is the
        number of labels of the auxiliary head. Its attribute "split" is a function that
        cuts a batch into parts that a training step has room for; an architecture
        without it learns from whole batches.
    RAISES (ValueError): If an argument is out of its range.
    """
    _check(0 <= alpha <= 1, "alpha must be between 0 and 1", alpha)
    _check(0 <= prune < 1, "prune must be at least 0 and less than 1", prune)
    _check(temperature > 0, "temperature must be more than 0", temperature)
    _check(max_length >= 16, "max_length must be at least 16", max_length)
    _check(context_length >= 0, "context_length can't be negative", context_length)
    _check(temperature_lr >= 0, "temperature_lr can't be negative", temperature_lr)
    _check(0 <= type_dropout <= 1, "type_dropout must be in [0, 1]", type_dropout)
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
        predict_with == "dual" or alpha > 0,
        "predict_with must be dual where alpha is 0, because the head is not trained",
        predict_with,
    )
    settings = Settings(
        encoder=encoder,
        start=start,
        reading=MarkedReading() if reading is None else reading,
        alpha=alpha,
        max_length=max_length,
        context_length=context_length,
        fill_spans=fill_spans,
        tie_encoders=tie_encoders,
        use_context=use_context,
        temperature=temperature,
        temperature_lr=temperature_lr,
        type_dropout=type_dropout,
        predict_with=predict_with,
        prune=prune,
        mixed_precision=mixed_precision,
        max_tokens=max_tokens,
        cache_size=cache_size,
    )
    return _make_model(DualEncoderShim(settings))


def with_settings(
    model: Model[list[Candidates], Scores], **changes: Any
) -> Model[list[Candidates], Scores]:
    """Make a model that predicts otherwise, with the same weights.

    model (Model): A model that `build_dual_encoder` returned, initialized.
    changes (Any): Arguments of `build_dual_encoder`: `predict_with`, `prune`,
        `mixed_precision` or `cache_size`.
    RETURNS (Model[List[Candidates], Scores]): The other model. The first stays as it
        is.
    """
    shim = get_shim(model)
    return _make_model(shim.with_settings(replace(shim.settings, **changes)))


def init(
    model: Model[list[Candidates], Scores],
    X: list[Candidates] | None = None,
    Y: Scores | None = None,
) -> None:
    """Load the pretrained encoders, add the markers of all entity types of X, and make
    a head for its predicates.
    """
    shim = get_shim(model)
    settings = shim.settings
    if not X:
        raise ValueError(
            "The dual encoder takes the predicates and entity types from X, so there "
            "must be at least one Doc's candidates in it."
        )
    start = None if settings.start is None else load_start(settings.start, settings)
    if start is not None:
        tokenizer, instance_encoder = start.tokenizer, start.module.instance_encoder
    else:
        tokenizer, instance_encoder = load_encoder(settings.encoder)
    settings.reading.check(instance_encoder)
    encoders = [instance_encoder]
    if not settings.tie_encoders and settings.alpha < 1:
        own = None if start is None else start.module.predicate_encoder
        encoders.append(load_encoder(settings.encoder)[1] if own is None else own)
    types = {found.type_of(entity) for found in X for entity in found.entities}
    add_markers(tokenizer, encoders, sorted(types))
    labels = [predicate.label for predicate in X[0].predicates]
    model.set_dim("nO", len(labels), force=True)
    shim.set_module(
        tokenizer,
        instance_encoder,
        encoders[1] if len(encoders) > 1 else None,
        labels,
    )
    if start is not None:
        shim.module.copy_projections(start.module)
    if settings.alpha < 1:
        shim.describe(X[0].predicates)  # refuses descriptions that are too long


def forward(
    model: Model[list[Candidates], Scores], batch: Sequence[Candidates], is_train: bool
) -> tuple[Scores, Callable[[Scores], list]]:
    """Score the pairs of some Docs. The callback takes the gradients of the scores and
    adds those of the weights to what has accumulated.
    """
    shim = get_shim(model)
    # spaCy's `debug model` gives plain Docs, which have no pairs.
    batch = [found for found in batch if not isinstance(found, Doc)]
    module = shim.module
    module.train(is_train)
    module.dropout.p = model.attrs["dropout_rate"]
    step = _Step(shim, batch, is_train)
    with torch.set_grad_enabled(is_train), shim.precision():
        dual, head = step.score_all()

    def backprop(gradients: Scores) -> list:
        pairs = ((dual, gradients.dual), (head, gradients.head))
        given = [
            (y, xp2torch(dy)) for y, dy in pairs if y is not None and dy is not None
        ]
        torch.autograd.backward([y for y, _ in given], [dy for _, dy in given])
        return []

    alpha = shim.settings.alpha
    return Scores(batch, _to_array(dual), _to_array(head), alpha), backprop


def split(
    model: Model[list[Candidates], Scores], batch: Sequence[Candidates]
) -> Iterator[list[Candidates]]:
    """Cut a training batch into parts that fit in memory, longest texts first.

    model (Model): A model that `build_dual_encoder` returned, initialized.
    batch (Sequence[Candidates]): The candidates of each Doc.
    YIELDS (List[Candidates]): For each Doc those of its candidates that are in this
        part. One pair that is too large is a part of its own.
    """
    shim = get_shim(model)
    sizes = [len(found.pairs) for found in batch]
    if not sum(sizes):
        return
    pairs = shim.pair_tokenizer.locate(batch)
    max_tokens = shim.module.budget.max_tokens
    window = pairs.window
    rows = numpy.lexsort((window[:, 1], window[:, 0], -pairs.window_lengths))
    n_asked = numpy.concatenate([f.asked.sum(axis=1) + f.n_hard for f in batch])
    longest = shim.describe(batch[0].predicates).longest
    tokens = shim.settings.reading.cost(pairs, rows)
    if shim.settings.alpha < 1:
        tokens = tokens + n_asked[rows] * (pairs.span_lengths[rows] + longest)
    part = numpy.cumsum(tokens) // max_tokens
    ends = numpy.cumsum(sizes)
    for chosen in numpy.split(rows, numpy.flatnonzero(numpy.diff(part)) + 1):
        chosen = numpy.sort(chosen)
        bounds = numpy.searchsorted(chosen, [0, *ends])
        yield [
            found.select(chosen[a:b] - (end - size))
            for found, size, end, a, b in zip(batch, sizes, ends, bounds, bounds[1:])
        ]


def in_question(logits: Tensor, prune: float) -> Tensor:
    """Find the predicates that the auxiliary head leaves in question.

    logits (Tensor): l, (n, R + 1), -inf where a predicate is not allowed.
    prune (float): A probability.
    RETURNS (Tensor): The most probable predicate of a pair and all with at least this
        probability; none where that is a single one. Bool, (n, R + 1).
    """
    likely = (logits.softmax(dim=1) >= prune) & ~torch.isneginf(logits)
    likely = likely.scatter(1, logits.argmax(dim=1, keepdim=True), True)
    return likely & (likely.sum(dim=1, keepdim=True) > 1)


def leave_in_question(scores: Tensor, logits: Tensor, prune: float) -> Tensor:
    """Prune scores as if the descriptions of unlikely predicates had not been read.

    scores (Tensor): z, (n, R + 1), -inf where a description was not read.
    logits (Tensor): l, (n, R + 1), -inf where a predicate is not allowed.
    prune (float): A probability.
    RETURNS (Tensor): z, -inf where the auxiliary head leaves nothing in question; of a
        pair of which the head is sure, its predicate has 0.
    """
    left = in_question(logits, prune)
    sure = ~left.any(dim=1, keepdim=True)
    best = torch.zeros_like(left).scatter(1, logits.argmax(dim=1, keepdim=True), True)
    return scores.masked_fill(~left, -torch.inf).masked_fill(sure & best, 0.0)


class _Step:
    """One way of some pairs through the module.

    shim (DualEncoderShim): The module and what belongs to it.
    batch (Sequence[Candidates]): The candidates of each Doc.
    is_train (bool): Whether gradients are wanted.
    """

    def __init__(
        self, shim: DualEncoderShim, batch: Sequence[Candidates], is_train: bool
    ) -> None:
        self.shim, self.module, self.settings = shim, shim.module, shim.settings
        self.is_train = is_train
        self.device = self.module.log_scale.device
        self.pairs: Pairs = shim.pair_tokenizer.locate(batch)
        shim.warn_if_clipped(self.pairs)
        if is_train and self.settings.type_dropout:
            self.pairs = self.pairs.without_types(self.settings.type_dropout)
        predicates = batch[0].predicates if batch else ()
        self.n_predicates = len(predicates)
        none = numpy.zeros((0, self.n_predicates), dtype=bool)
        self.allowed = numpy.concatenate([none, *(found.allowed for found in batch)])
        self.asked = numpy.concatenate([none, *(found.asked for found in batch)])
        self.n_hard = max((found.n_hard for found in batch), default=0)
        # The head's label of each predicate; -1 where it was not trained with it.
        known = {label: i for i, label in enumerate(shim.labels)}
        self.label_of = numpy.asarray([known.get(p.label, -1) for p in predicates], int)
        self.predicates = predicates
        knows_all = bool((self.label_of >= 0).all())
        alpha = self.settings.alpha
        if alpha == 1 and not knows_all:
            unknown = [p.label for p in predicates if p.label not in known]
            raise ValueError(
                f"The linear head was not trained with {', '.join(unknown):.300}, and "
                "where alpha is 1 nothing reads a description. Set only predicates "
                f"of {', '.join(shim.labels):.300}, or train anew."
            )
        way = "head" if alpha == 1 else self.settings.predict_with
        way = way if knows_all else "dual"
        self.prunes = bool(self.settings.prune) and knows_all and not is_train
        self.wants_dual = alpha < 1 if is_train else way != "head"
        self.wants_head = alpha > 0 if is_train else way != "dual"

    def score_all(self) -> Outputs:
        """RETURNS (Outputs): z and l of all pairs."""
        n = len(self.pairs)
        at_once = max(n, 1)
        if not self.is_train:
            at_once = max(SCORES_AT_ONCE // max(self.n_predicates, 1), 1)
        parts = [
            self.score(numpy.arange(start, min(start + at_once, n)))
            for start in range(0, n, at_once)
        ]
        none = torch.zeros((0, self.n_predicates), device=self.device)
        dual = [z for z, _ in parts if z is not None]
        head = [logits for _, logits in parts if logits is not None]
        return (
            torch.cat(dual or [none]) if self.wants_dual else None,
            torch.cat(head or [none]) if self.wants_head else None,
        )

    def score(self, rows: numpy.ndarray) -> Outputs:
        """RETURNS (Outputs): z and l of some pairs, int, (n,)."""
        inputs = self.settings.reading.build(self.pairs, rows)
        instances = self.module.read_instances(inputs)
        if not self.wants_dual:
            return None, self._classify(instances, rows)
        ranked = self.prunes or bool(self.n_hard)
        head = None
        if self.wants_head or ranked:
            head = self._classify(instances, rows)
        asked = self.asked[rows]
        if self.prunes:
            assert head is not None
            left = in_question(head, self.settings.prune)
            asked = asked & left.cpu().numpy()
        elif self.n_hard:
            assert head is not None
            asked = self._with_hard(asked, head.detach(), rows)
        dual = self._compare(instances, rows, asked)
        if self.prunes:
            assert head is not None
            dual = leave_in_question(dual, head, self.settings.prune)
        return dual, head if self.wants_head else None

    def _classify(self, instances: Instances, rows: numpy.ndarray) -> Tensor:
        """The head's logits, label by label as they are asked for."""
        logits = self.module.classify(instances)
        allowed = self.allowed[rows] & (self.label_of >= 0)
        logits = logits[:, to_device(self.label_of, self.device)]
        return logits.masked_fill(~to_device(allowed, self.device), -torch.inf)

    def _with_hard(
        self, asked: numpy.ndarray, head: Tensor, rows: numpy.ndarray
    ) -> numpy.ndarray:
        """Ask for the predicates, too, that the head ranks highest."""
        others = head.cpu().numpy().copy()
        others[asked] = -numpy.inf
        hardest = numpy.argsort(-others, axis=1)[:, : self.n_hard]
        asked = asked.copy()
        numpy.put_along_axis(asked, hardest, True, axis=1)
        return asked & self.allowed[rows]

    def _compare(
        self, instances: Instances, rows: numpy.ndarray, asked: numpy.ndarray
    ) -> Tensor:
        """Score pairs against the descriptions of the predicates they are asked for: in
        training against one of each, otherwise against all, of which the best counts.
        """
        descriptions = self.shim.describe(self.predicates)
        wanted = asked[:, descriptions.of_predicate]
        if self.is_train and descriptions.n > self.n_predicates:
            wanted = wanted & descriptions.draw()
        row, description = numpy.nonzero(wanted)
        vectors, at = self._read_descriptions(
            self.pairs.surfaces[rows][row], description
        )
        row_at = to_device(row, self.device)
        values = self.module.score(
            instances, vectors, row_at, to_device(at, self.device)
        )
        scores = torch.full(asked.shape, -torch.inf, device=self.device)
        predicate = to_device(descriptions.of_predicate[description], self.device)
        flat = row_at * self.n_predicates + predicate
        if self.is_train or descriptions.n == self.n_predicates:
            best = scores.flatten().scatter(0, flat, values.float())
        else:
            best = scores.flatten().scatter_reduce(0, flat, values.float(), "amax")
        return best.reshape(scores.shape)

    def _read_descriptions(
        self, surfaces: numpy.ndarray, description: numpy.ndarray
    ) -> tuple[Tensor, numpy.ndarray]:
        """Encode the descriptions of some (pair, description), each distinct one once.

        RETURNS: The m vectors, (m, H), and for each of k which it is, (k,).
        """
        pairs, module = self.pairs, self.module
        descriptions = self.shim.describe(self.predicates)
        surfaces = descriptions.surfaces(pairs)[surfaces]
        n_surfaces = len(pairs.types)
        code = surfaces[:, 0] * n_surfaces + surfaces[:, 1]
        code = code * descriptions.n + description
        distinct, at = numpy.unique(code, return_inverse=True)
        pair_code, d = numpy.divmod(distinct, descriptions.n)
        inputs = descriptions.build(pairs, *numpy.divmod(pair_code, n_surfaces), d)
        cache = self.shim.cache
        if self.is_train or not cache.size:
            return module.read_descriptions(inputs), at
        vectors = cache.fetch(
            inputs.keys(),
            self.shim.version,
            lambda missing: module.read_descriptions(
                inputs.select(numpy.asarray(missing, dtype="int64"))
            ),
        )
        return vectors, at


def _make_model(shim: DualEncoderShim) -> Model[list[Candidates], Scores]:
    return Model(
        "dual_encoder",
        forward,
        init=init,
        dims={"nO": len(shim.labels) or None},
        attrs={"dropout_rate": 0.0, "split": split},
        shims=[shim],
    )


def _to_array(scores: Tensor | None) -> Floats2d | None:
    if scores is None:
        return None
    return cast(Floats2d, torch2xp(scores.detach().float()))


def _check(valid: bool, message: str, value: Any) -> None:
    if not valid:
        raise ValueError(f"{message}, but is {value!r}.")
