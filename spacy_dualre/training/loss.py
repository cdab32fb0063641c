"""The loss: how far the scores of pairs are from their gold predicates."""

from collections.abc import Sequence
from typing import cast

import numpy
import torch
import torch.nn.functional as F
from thinc.api import torch2xp, xp2torch
from thinc.types import Floats2d
from torch import Tensor

from ..model.dual_encoder import to_device
from ..model.scores import Scores
from .gold import Gold


def joint_loss(
    scores: Tensor | None, logits: Tensor | None, gold: Tensor, alpha: float
) -> Tensor:
    """The loss of n pairs, averaged over them.

    scores (Optional[Tensor]): z, (n, R + 1), -inf where a description was not scored.
        None where alpha is 1.
    logits (Optional[Tensor]): l, (n, R + 1), -inf where the head does not know a
        predicate; pairs with such a gold predicate teach it nothing. None where alpha
        is 0.
    gold (Tensor): The gold predicate of each pair, int64, (n,).
    alpha (float): The weight of the auxiliary head's loss.
    RETURNS (Tensor): alpha CE(l, gold) + (1 - alpha) CE(z, gold).
    """
    loss = torch.zeros((), device=gold.device)
    if logits is not None:
        known = ~torch.isneginf(logits.gather(1, gold[:, None]))
        losses = F.cross_entropy(logits.where(known, 0.0), gold, reduction="none")
        loss = loss + alpha * (losses * known[:, 0]).mean()
    if scores is not None:
        loss = loss + (1 - alpha) * F.cross_entropy(scores, gold)
    return loss


def threshold_loss(scores: Tensor, positive: Tensor) -> Tensor:
    """The adaptive threshold loss of n pairs, which may have several predicates each
    (Zhou et al., "Document-Level Relation Extraction with Adaptive Thresholding",
    arXiv 2010.11304, section 3), averaged over them. "no_relation" is the threshold:
    the predicates that hold should score above it, all others below.

    scores (Tensor): z or l, (n, R + 1), -inf where a predicate was not scored.
    positive (Tensor): The gold predicates of each pair, bool, (n, R + 1).
    RETURNS (Tensor): The loss.
    """
    holds = positive.clone()
    holds[:, 0] = False
    above = scores.masked_fill(~holds & ~_first(scores), -torch.inf)
    below = scores.masked_fill(holds, -torch.inf)
    log_above = above.log_softmax(dim=1).masked_fill(~holds, 0.0)
    return -(log_above.sum(dim=1) + below.log_softmax(dim=1)[:, 0]).mean()


def _first(scores: Tensor) -> Tensor:
    """RETURNS (Tensor): True in the first column, bool, (1, R + 1)."""
    return (torch.arange(scores.shape[1], device=scores.device) == 0)[None]


def compute_loss(
    scores: Scores, golds: Sequence[Gold], multi_label: bool
) -> tuple[float, Scores]:
    """Compute the loss of scores and its gradient.

    scores (Scores): The scores of n pairs.
    golds (Sequence[Gold]): The gold predicates of the pairs, Doc by Doc.
    multi_label (bool): Whether a pair may have several predicates.
    RETURNS (Tuple[float, Scores]): The joint loss, averaged over the pairs, and its
        gradients with respect to the scores. Without pairs there is nothing to learn.
    """
    if not any(len(found.pairs) for found in scores.candidates):
        return 0.0, scores
    dual, head = (
        None if y is None else xp2torch(y, requires_grad=True)
        for y in (scores.dual, scores.head)
    )
    device = next(y.device for y in (dual, head) if y is not None)
    alpha = scores.alpha
    if dual is None or head is None:
        alpha = 1.0 if dual is None else 0.0
    if multi_label:
        positive = numpy.concatenate([gold.positive for gold in golds])
        held = to_device(positive, device)
        loss = torch.zeros((), device=device)
        for y, share in ((dual, 1 - alpha), (head, alpha)):
            if y is not None:
                loss = loss + share * threshold_loss(y, held)
    else:
        labels = numpy.concatenate([gold.labels for gold in golds])
        loss = joint_loss(dual, head, to_device(labels, device), alpha)
    loss.backward()
    d_dual, d_head = (
        None if y is None or y.grad is None else cast(Floats2d, torch2xp(y.grad))
        for y in (dual, head)
    )
    return loss.item(), scores._replace(dual=d_dual, head=d_head)
