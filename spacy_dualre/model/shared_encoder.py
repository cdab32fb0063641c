"""The thinc model of a pipeline whose components share one reading of the text: the
vectors of the tokens come from a Tok2Vec layer, such as a listener to a transformer
that the named entity recognizer listens to as well.
"""

from collections.abc import Callable, Sequence
from typing import Literal, cast

import numpy
import torch
from spacy.tokens import Doc
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats2d

from ..pairs.candidates import Candidates
from .architectures import types_and_labels
from .dual_encoder import Instances
from .encoders import add_markers, load_encoder
from .scores import Scores
from .settings import Settings
from .shim import DualEncoderShim, get_shim
from .step import Step

# Docs that the Tok2Vec layer is initialized with, as in spaCy's own components.
SAMPLE = 10
NO_VECTORS = (
    "The Tok2Vec layer of the relation extractor gives nothing but zeros. If it is a "
    "listener, add the component that it listens to (such as 'transformer') before it, "
    "or source it after `replace_listeners`."
)


def build_shared_encoder(
    tok2vec: Model[list[Doc], list[Floats2d]],
    encoder: str = "sentence-transformers/all-MiniLM-L6-v2",
    alpha: float = 0.5,
    temperature: float = 0.07,
    temperature_lr: float = 1.0,
    predict_with: Literal["dual", "head", "mean"] = "dual",
    mixed_precision: bool = False,
) -> Model[list[Candidates], Scores]:
    """Build the dual encoder on the vectors of a Tok2Vec layer: subject, object and
    what is between them are the means of their tokens, and descriptions are read
    without spans, so that they are encoded once for all pairs of the same types.

    tok2vec (Model[List[Doc], List[Floats2d]]): The Tok2Vec layer, which learns too.
    encoder (str): A path or the name of the Hugging Face encoder that reads the
        descriptions, loaded at `initialize`. Where alpha is 1 there is none.
    alpha (float): The auxiliary head's share of the loss, as in `build_dual_encoder`.
    temperature (float): The temperature at the start.
    temperature_lr (float): Factor of the learning rate for the temperature.
    predict_with (str): "dual", "head" or "mean", as in `build_dual_encoder`.
    mixed_precision (bool): Whether the encoder runs in bfloat16, where the device
        multiplies in it itself.
    RETURNS (Model[List[Candidates], Scores]): The model. Its dimension "nO" is the
        number of labels of the auxiliary head; its first layer is the Tok2Vec layer.
    RAISES (ValueError): If an argument is out of its range.
    """
    settings = Settings(
        encoder=encoder,
        start=None,
        reading=None,
        alpha=alpha,
        max_length=256,
        context_length=0,
        fill_spans=False,
        tie_encoders=False,
        use_context=True,
        temperature=temperature,
        temperature_lr=temperature_lr,
        type_dropout=0.0,
        predict_with=predict_with,
        prune=0.0,
        shortlist=0,
        mixed_precision=mixed_precision,
        compile=False,
        max_tokens=None,
        cache_size=16384,
    )
    return Model(
        "shared_encoder",
        forward,
        init=init,
        dims={"nO": None},
        layers=[tok2vec],
        attrs={"dropout_rate": 0.0},
        shims=[DualEncoderShim(settings)],
    )


def init(
    model: Model[list[Candidates], Scores],
    X: list[Candidates] | None = None,
    Y: Scores | None = None,
) -> None:
    """Initialize the Tok2Vec layer, load the predicate encoder, add the markers of all
    entity types of X, and make a head for its predicates.
    """
    shim, tok2vec = get_shim(model), model.layers[0]
    types, labels = types_and_labels(X)
    docs = [found.doc for found in X or () if len(found.doc)][:SAMPLE]
    if not docs:
        raise ValueError("All Docs of the training data are empty.")
    tok2vec.initialize(X=docs)
    width = tok2vec.predict(docs[:1])[0].shape[1]
    tokenizer = encoder = None
    if shim.settings.alpha < 1:
        tokenizer, encoder = load_encoder(shim.settings.encoder)
        add_markers(tokenizer, [encoder], types)
    model.set_dim("nO", len(labels), force=True)
    shim.set_module(tokenizer, None, encoder, labels, width)
    if X and encoder is not None:
        shim.describe(X[0].predicates)  # refuses descriptions that are too long


def forward(
    model: Model[list[Candidates], Scores], batch: Sequence[Candidates], is_train: bool
) -> tuple[Scores, Callable[[Scores], list[Doc]]]:
    """Score the pairs of some Docs. The callback takes the gradients of the scores,
    adds those of the weights to what has accumulated, and returns the Docs.
    """
    step = SharedStep(model, batch, is_train)
    scores, backprop_scores = step.run()

    def backprop(gradients: Scores) -> list[Doc]:
        # Without pairs too: an upstream component waits for its last listener.
        if step.n_pairs:
            backprop_scores(gradients)
        return step.backprop_vectors()

    return scores, backprop


class SharedStep(Step):
    """A step in which pairs are pooled from the vectors of a Tok2Vec layer."""

    def __init__(
        self,
        model: Model[list[Candidates], Scores],
        batch: Sequence[Candidates],
        is_train: bool,
    ) -> None:
        super().__init__(model, batch, is_train)
        docs = [found.doc for found in self.batch]
        by_doc: list[Floats2d] = []
        self._backprop: Callable[[list[Floats2d]], list[Doc]] | None = None
        self.sizes = [len(doc) for doc in docs]
        if any(self.sizes):
            by_doc, self._backprop = model.layers[0](docs, is_train)
        # Of a Doc without tokens a listener has vectors of another width.
        parts = [vectors for vectors in by_doc if len(vectors)]
        none = model.ops.alloc2f(0, self.module.width or 0)
        vectors = model.ops.xp.concatenate([none, *parts])
        # Not in training, where asking a GPU for it would make every step wait.
        if self.n_pairs and not is_train and not vectors.any():
            self.shim.warn_once(NO_VECTORS)
        self.vectors = xp2torch(vectors, requires_grad=is_train)
        starts = numpy.cumsum([0, *self.sizes])
        self.ranges = numpy.concatenate(
            [
                numpy.zeros((0, 3, 2), dtype="int64"),
                *(start + ranges_of(found) for start, found in zip(starts, self.batch)),
            ]
        )
        if self.wants_dual:
            self.fillings = self.shim.pair_tokenizer.types_of(self.batch)

    def read(self, rows: numpy.ndarray) -> Instances:
        """RETURNS (Instances): What is pooled for some pairs."""
        return self.module.pool_instances(self.vectors, self.ranges[rows])

    def backprop_vectors(self) -> list[Doc]:
        """Give the gradients of the vectors to the layer that they come from.

        RETURNS (List[Doc]): The Docs.
        """
        if self._backprop is None:
            return []
        gradient = self.vectors.grad
        if gradient is None:
            gradient = torch.zeros_like(self.vectors)
        parts = gradient.split(self.sizes)
        return self._backprop([cast(Floats2d, torch2xp(part)) for part in parts])


def ranges_of(found: Candidates) -> numpy.ndarray:
    """Find which tokens of a Doc its pairs are pooled from.

    found (Candidates): The pairs.
    RETURNS (ndarray): Start and end of the subject, the object and what is between
        them, which may be nothing, int64, (P, 3, 2).
    """
    spans = [(span.start, span.end) for span in found.entities]
    pairs = numpy.asarray(spans, dtype="int64").reshape((-1, 2))[found.pairs]
    start, end = pairs[:, :, 1].min(axis=1), pairs[:, :, 0].max(axis=1)
    between = numpy.stack([start, numpy.maximum(start, end)], axis=1)
    return numpy.concatenate([pairs, between[:, None]], axis=1)
