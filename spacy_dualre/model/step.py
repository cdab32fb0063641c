"""A step: one way of some pairs through the module, from their text to their scores."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import cast

import numpy
import torch
from spacy.tokens import Doc
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats2d
from torch import Tensor

from ..encoding.descriptions import Descriptions
from ..encoding.wordpieces import Fillings
from ..pairs.candidates import Candidates
from .compiled import call_encoder
from .cpu_functions import CpuFunctions
from .dual_encoder import Instances, to_device
from .scores import Scores
from .shim import get_shim

# Scores computed at once while predicting: bounds the memory of pairs x predicates x H.
SCORES_AT_ONCE = 16384
# z and l of some pairs, as in `Scores`.
Outputs = tuple[Tensor | None, Tensor | None]


class Step:
    """One way of some pairs through the module. Where the vectors of the pairs come
    from is a subclass's to say.

    model (Model): The model.
    batch (Sequence[Candidates]): The candidates of each Doc.
    is_train (bool): Whether gradients are wanted.

    fillings (Fillings): What stands in the descriptions of the pairs.
    """

    fillings: Fillings

    def __init__(
        self,
        model: Model[list[Candidates], Scores],
        batch: Sequence[Candidates],
        is_train: bool,
    ) -> None:
        self.shim = shim = get_shim(model)
        self.module, self.settings = shim.module, shim.settings
        self.module.train(is_train)
        self.module.dropout.p = model.attrs["dropout_rate"]
        # spaCy's `debug model` gives plain Docs, which have no pairs.
        batch = [found for found in batch if not isinstance(found, Doc)]
        self.batch, self.is_train = batch, is_train
        self.device = self.module.log_scale.device
        self.n_pairs = sum(len(found.pairs) for found in batch)
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

    def read(self, rows: numpy.ndarray) -> Instances:
        """Read the text of some pairs.

        rows (ndarray): Which pairs, int, (n,).
        RETURNS (Instances): Their vectors.
        """
        raise NotImplementedError

    def run(self) -> tuple[Scores, Callable[[Scores], None]]:
        """Score all pairs.

        RETURNS (Tuple[Scores, Callable[[Scores], None]]): The scores; and a callback
            that takes their gradients and adds those of the weights to what has
            accumulated.
        """
        compiled = None if self.is_train else self.shim.compiled()
        self.module.call = compiled or call_encoder
        on_cpu = self.device.type == "cpu"
        # What is compiled has none of torch's functions left.
        functions = CpuFunctions() if on_cpu and not compiled else nullcontext()
        with torch.set_grad_enabled(self.is_train), self.shim.precision(), functions:
            dual, head = self.score_all()

        def backprop(gradients: Scores) -> None:
            pairs = ((dual, gradients.dual), (head, gradients.head))
            given = [
                (y, xp2torch(dy)) for y, dy in pairs if y is not None and dy is not None
            ]
            torch.autograd.backward([y for y, _ in given], [dy for _, dy in given])

        alpha = self.settings.alpha
        return Scores(self.batch, _to_array(dual), _to_array(head), alpha), backprop

    def score_all(self) -> Outputs:
        """RETURNS (Outputs): z and l of all pairs."""
        n = self.n_pairs
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
        instances = self.read(rows)
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
        descriptions = self.shim.describe(self.predicates)
        shortlist = self.settings.shortlist
        if shortlist and not self.is_train:
            bare = self._compare(instances, rows, asked, descriptions.without_spans())
            asked = asked & best_of(bare, shortlist)
        dual = self._compare(instances, rows, asked, descriptions)
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
        self,
        instances: Instances,
        rows: numpy.ndarray,
        asked: numpy.ndarray,
        descriptions: Descriptions,
    ) -> Tensor:
        """Score pairs against the descriptions of the predicates they are asked for: in
        training against one of each, otherwise against all, of which the best counts.
        """
        wanted = asked[:, descriptions.of_predicate]
        if self.is_train and descriptions.n > self.n_predicates:
            wanted = wanted & descriptions.draw()
        row, description = numpy.nonzero(wanted)
        vectors, at = self._read_descriptions(
            self.fillings.surfaces[rows][row], description, descriptions
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
        self,
        surfaces: numpy.ndarray,
        description: numpy.ndarray,
        descriptions: Descriptions,
    ) -> tuple[Tensor, numpy.ndarray]:
        """Encode the descriptions of some (pair, description), each distinct one once.

        RETURNS: The m vectors, (m, H), and for each of k which it is, (k,).
        """
        fillings, module = self.fillings, self.module
        surfaces = descriptions.surfaces(fillings)[surfaces]
        n_surfaces = len(fillings.types)
        code = surfaces[:, 0] * n_surfaces + surfaces[:, 1]
        code = code * descriptions.n + description
        distinct, at = numpy.unique(code, return_inverse=True)
        pair_code, d = numpy.divmod(distinct, descriptions.n)
        inputs = descriptions.build(fillings, *numpy.divmod(pair_code, n_surfaces), d)
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


def best_of(scores: Tensor, n: int) -> numpy.ndarray:
    """Find the predicates that score best.

    scores (Tensor): z, (p, R + 1), "no_relation" first.
    n (int): How many of a pair.
    RETURNS (ndarray): The n best predicates of each pair, and "no_relation", bool,
        (p, R + 1).
    """
    best = scores[:, 1:].topk(min(n, scores.shape[1] - 1), dim=1).indices + 1
    kept = torch.zeros_like(scores, dtype=torch.bool).scatter(1, best, True)
    kept[:, 0] = True
    return kept.cpu().numpy()


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


def _to_array(scores: Tensor | None) -> Floats2d | None:
    if scores is None:
        return None
    return cast(Floats2d, torch2xp(scores.detach().float()))
