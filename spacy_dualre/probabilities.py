"""Probabilities: from the scores of a pair to the probability of each predicate."""

import torch
from torch import Tensor

PREDICT_WITH = ("dual", "head", "mean")


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


def to_probabilities(
    scores: Tensor | None, logits: Tensor, predict_with: str
) -> Tensor:
    """Turn scores into probabilities.

    scores (Optional[Tensor]): z, (n, R + 1), -inf where a description was not scored.
        Where none of a pair was, because the auxiliary head was sure, the most probable
        predicate of the head has the probability 1.
    logits (Tensor): l, (n, R + 1), -inf where a predicate is not allowed.
    predict_with (str): "dual": the softmax of z. "head": that of l. "mean": the mean of
        both.
    RETURNS (Tensor): The probabilities, (n, R + 1).
    """
    head = logits.softmax(dim=1)
    if predict_with == "head" or scores is None:
        return head
    sure = torch.isneginf(scores).all(dim=1, keepdim=True)
    best = torch.zeros_like(head).scatter(1, logits.argmax(dim=1, keepdim=True), 1.0)
    dual = torch.where(sure, best, scores.softmax(dim=1))
    return dual if predict_with == "dual" else (dual + head) / 2
