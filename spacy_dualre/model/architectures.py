"""The thinc model: from candidate pairs to their scores."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy
from thinc.api import Model

from ..encoding.marked import MarkedReading
from ..encoding.reading import Reading
from ..encoding.wordpieces import Pairs
from ..pairs.candidates import Candidates
from .dual_encoder import Instances
from .encoders import add_markers, load_encoder
from .scores import Scores
from .settings import Settings
from .shim import DualEncoderShim, get_shim
from .split import split
from .start import load_start
from .step import Step


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
    shortlist: int = 0,
    mixed_precision: bool = False,
    compile: bool = False,
    max_tokens: int | None = None,
    cache_size: int = 16384,
) -> Model[list[Candidates], Scores]:
    """Build the dual encoder (arXiv 2503.17799).

    encoder (str): A path or the name of a Hugging Face encoder, loaded at `initialize`
        into both the instance and the predicate encoder.
    start (Optional[str]): A trained pipeline, by path, or "general" for the model that
        comes with the package. Encoders, projections and temperature are its own at
        `initialize`; the head and the markers of new entity types start anew. It warns
        where `fill_spans` is not what it was trained with (general: false).
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
        as one that was never seen, so that such types are read well too. 1: no type has
        markers of its own, and types count in signatures only.
    predict_with (str): "dual": the cosine scores, as in the paper. "head": the
        auxiliary head. "mean": both. Where the head was not trained with all that is
        asked, the cosine scores.
    prune (float): Approximate and faster: at prediction, descriptions of predicates to
        which the auxiliary head gives less than this probability are not encoded; where
        it leaves one predicate, none is. 0: all are.
    shortlist (int): Approximate and faster with many predicates: at prediction, pairs
        are compared with all descriptions without spans first, which are encoded once;
        of each pair this many predicates that score best, and "no_relation", are then
        read with its spans. 0: all are.
    mixed_precision (bool): Whether the encoders run in bfloat16, where the device
        multiplies in it itself (see `has_bfloat16`).
    compile (bool): Whether torch compiles the encoders at the first predictions on a
        CPU, which takes half a minute and needs a C++ compiler. It is for a pipeline
        that is loaded: weights that are being trained are not compiled.
    max_tokens (Optional[int]): Wordpieces in memory at once, which bounds the memory.
        None: chosen for the device.
    cache_size (int): How many encoded descriptions are kept for later batches.
    RETURNS (Model[List[Candidates], Scores]): The model. Its dimension "nO" is the
        number of labels of the auxiliary head. Its attribute "split" is a function that
        cuts a batch into parts that a training step has room for; an architecture
        without it learns from whole batches.
    RAISES (ValueError): If an argument is out of its range.
    """
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
        shortlist=shortlist,
        mixed_precision=mixed_precision,
        compile=compile,
        max_tokens=max_tokens,
        cache_size=cache_size,
    )
    return Model(
        "dual_encoder",
        forward,
        init=init,
        dims={"nO": None},
        attrs={"dropout_rate": 0.0, "split": split},
        shims=[DualEncoderShim(settings)],
    )


def with_settings(
    model: Model[list[Candidates], Scores], **changes: Any
) -> Model[list[Candidates], Scores]:
    """Make a model that predicts otherwise, with the same weights.

    model (Model): A model that `build_dual_encoder` or `build_shared_encoder` returned,
        initialized.
    changes (Any): Arguments of `build_dual_encoder`: `predict_with`, `prune`,
        `shortlist`, `mixed_precision`, `compile` or `cache_size`.
    RETURNS (Model[List[Candidates], Scores]): The other model. The first stays as it
        is.
    """
    shim = get_shim(model)
    return Model(
        model.name,
        model._func,
        init=model.init,
        dims={"nO": model.get_dim("nO")},
        layers=model.layers,
        attrs=dict(model.attrs),
        shims=[shim.with_settings(replace(shim.settings, **changes))],
    )


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
    types, labels = types_and_labels(X)
    assert settings.reading is not None
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
    add_markers(tokenizer, encoders, types if settings.type_dropout < 1 else [])
    model.set_dim("nO", len(labels), force=True)
    shim.set_module(
        tokenizer,
        instance_encoder,
        encoders[1] if len(encoders) > 1 else None,
        labels,
    )
    if start is not None:
        shim.module.copy_projections(start.module)
    if X and settings.alpha < 1:
        shim.describe(X[0].predicates)  # refuses descriptions that are too long


def types_and_labels(X: list[Candidates] | None) -> tuple[list[str], list[str]]:
    """Find what a model is made for.

    X (Optional[List[Candidates]]): Candidates of gold Docs.
    RETURNS (Tuple[List[str], List[str]]): The entity types and the predicates' labels.
    RAISES (ValueError): If there are none.
    """
    if not X:
        raise ValueError(
            "The dual encoder takes the predicates and entity types from X, so there "
            "must be at least one Doc's candidates in it."
        )
    types = {found.type_of(entity) for found in X for entity in found.entities}
    return sorted(types), [predicate.label for predicate in X[0].predicates]


def forward(
    model: Model[list[Candidates], Scores], batch: Sequence[Candidates], is_train: bool
) -> tuple[Scores, Callable[[Scores], list]]:
    """Score the pairs of some Docs. The callback takes the gradients of the scores and
    adds those of the weights to what has accumulated.
    """
    scores, backprop_scores = TextStep(model, batch, is_train).run()

    def backprop(gradients: Scores) -> list:
        backprop_scores(gradients)
        return []

    return scores, backprop


class TextStep(Step):
    """A step in which the instance encoder reads the text of the pairs."""

    def __init__(
        self,
        model: Model[list[Candidates], Scores],
        batch: Sequence[Candidates],
        is_train: bool,
    ) -> None:
        super().__init__(model, batch, is_train)
        self.pairs: Pairs = self.shim.pair_tokenizer.locate(self.batch)
        self.shim.warn_if_clipped(self.pairs)
        if is_train and self.settings.type_dropout:
            self.pairs = self.pairs.without_types(self.settings.type_dropout)
        self.fillings = self.pairs

    def read(self, rows: numpy.ndarray) -> Instances:
        """RETURNS (Instances): What the instance encoder makes of some pairs."""
        assert self.settings.reading is not None
        return self.module.read_instances(self.settings.reading.build(self.pairs, rows))
