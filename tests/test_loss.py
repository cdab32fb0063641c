"""The loss: what its terms are, and what they do not count."""

import pytest
import torch
import torch.nn.functional as F

from spacy_dualre.training.loss import joint_loss, threshold_loss

INF = torch.inf
SCORES = torch.tensor([[0.5, 1.0, -1.0], [2.0, 0.0, -INF]])
LOGITS = torch.tensor([[0.1, 0.2, 0.3], [-0.3, 0.4, 0.5]])
GOLD = torch.tensor([1, 0])


@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0])
def test_both_cross_entropies_are_weighted(alpha):
    expected = alpha * F.cross_entropy(LOGITS, GOLD)
    expected += (1 - alpha) * F.cross_entropy(SCORES, GOLD)
    assert joint_loss(SCORES, LOGITS, GOLD, alpha) == pytest.approx(expected.item())


def test_a_predicate_that_the_head_does_not_know_teaches_it_nothing():
    logits = LOGITS.clone().requires_grad_()
    unknown = torch.tensor([[False, True, False], [False, True, False]])
    loss = joint_loss(None, logits.masked_fill(unknown, -INF), GOLD, 1.0)
    loss.backward()
    assert loss.isfinite()
    assert not logits.grad[0].any()
    assert logits.grad[1].any()


def positives(*labels):
    positive = torch.zeros((len(labels), 4), dtype=torch.bool)
    for row, own in enumerate(labels):
        positive[row, list(own) or [0]] = True
    return positive


def naive_threshold_loss(scores, labels):
    """Equation 5 of arXiv 2010.11304, pair by pair."""
    losses = []
    for row, own in zip(scores, labels):
        loss = torch.zeros(())
        above = [*own, 0]
        for label in own:
            loss = loss - (row[label] - row[above].logsumexp(dim=0))
        others = [r for r in range(len(row)) if r not in own]
        losses.append(loss - (row[0] - row[others].logsumexp(dim=0)))
    return torch.stack(losses).mean()


LABELS = [(1, 3), (), (2,)]


def test_the_threshold_loss_is_that_of_its_publication():
    torch.manual_seed(0)
    scores = torch.randn((3, 4))
    loss = threshold_loss(scores, positives(*LABELS))
    assert loss.item() == pytest.approx(naive_threshold_loss(scores, LABELS).item())


def test_predicates_that_were_not_scored_do_not_count_in_the_threshold_loss():
    torch.manual_seed(0)
    scores = torch.randn((3, 4))
    scores[1, 2] = -INF
    scores.requires_grad_()
    loss = threshold_loss(scores, positives(*LABELS))
    loss.backward()
    assert loss.item() == pytest.approx(naive_threshold_loss(scores, LABELS).item())
    assert scores.grad.isfinite().all()


def test_a_predicate_above_the_threshold_lowers_the_loss():
    scores = torch.tensor([[0.0, 5.0, -5.0, -5.0]])
    right = threshold_loss(scores, positives((1,)))
    assert right < 0.1 < threshold_loss(scores, positives((2,)))
