"""Sampling: which pairs and descriptions a training step learns from."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy

from ..pairs.candidates import Candidates

# Takes the candidates of each Doc of a batch, and the gold predicate of each pair, int,
# (P,); returns the candidates that are learned from.
Sampler = Callable[[Sequence[Candidates], Sequence[numpy.ndarray]], list[Candidates]]


class PairSampler:
    """What `build_sampler` returns. A class, so that it pickles."""

    def __init__(
        self,
        descriptions: Literal["all", "mixed", "random"],
        n_descriptions: int,
        negative_ratio: float | None,
    ) -> None:
        self.descriptions = descriptions
        self.n_descriptions = n_descriptions
        self.negative_ratio = negative_ratio

    def __call__(
        self, batch: Sequence[Candidates], gold: Sequence[numpy.ndarray]
    ) -> list[Candidates]:
        labels = numpy.concatenate([numpy.zeros(0, dtype="int64"), *gold])
        kept = choose_pairs(labels, self.negative_ratio)
        ends = numpy.cumsum([len(found.pairs) for found in batch])
        sampled = []
        for found, own, end in zip(batch, gold, ends):
            rows = kept[end - len(own) : end].nonzero()[0]
            found = found.select(rows)
            asked = choose_descriptions(
                found.allowed, own[rows], self.descriptions, self.n_descriptions
            )
            n_hard = self.n_descriptions if self.descriptions == "mixed" else 0
            sampled.append(replace(found, asked=asked, n_hard=n_hard))
        return sampled


def build_sampler(
    descriptions: Literal["all", "mixed", "random"] = "all",
    n_descriptions: int = 2,
    negative_ratio: float | None = None,
) -> Sampler:
    """Build a function that chooses what a training step learns from.

    descriptions (str): Which descriptions a pair is scored against. "all". "mixed": all
        for pairs with a relation; for the others "no_relation" and `n_descriptions`
        others, those which the auxiliary head ranks highest. "random": the gold
        predicate, "no_relation" and `n_descriptions` others, any.
    n_descriptions (int): See `descriptions`.
    negative_ratio (Optional[float]): Pairs without relation that are kept in a batch
        for each pair with one, chosen at random. None: all.
    RETURNS (Sampler): The function.
    RAISES (ValueError): If a number is negative.
    """
    if negative_ratio is not None and negative_ratio < 0:
        raise ValueError(f"negative_ratio can't be negative: {negative_ratio}.")
    if n_descriptions < 0:
        raise ValueError(f"n_descriptions can't be negative: {n_descriptions}.")
    return PairSampler(descriptions, n_descriptions, negative_ratio)


def choose_pairs(gold: numpy.ndarray, negative_ratio: float | None) -> numpy.ndarray:
    """Choose the training pairs of a batch.

    gold (ndarray): The gold predicate of each pair, 0 for no relation, int, (P,).
    negative_ratio (Optional[float]): Pairs without relation that are kept for each pair
        with one (for one, where there is none), at random. None: all.
    RETURNS (ndarray): Which are kept, bool, (P,).
    """
    kept = gold > 0
    if negative_ratio is None:
        return numpy.ones_like(kept)
    negative = numpy.flatnonzero(~kept)
    n = int(numpy.ceil(negative_ratio * max(int(kept.sum()), 1)))
    kept[numpy.random.permutation(negative)[:n]] = True
    return kept


def choose_descriptions(
    allowed: numpy.ndarray,
    gold: numpy.ndarray,
    which: Literal["all", "mixed", "random"],
    n_others: int,
) -> numpy.ndarray:
    """Choose the descriptions that training pairs are scored against.

    allowed (ndarray): The predicates that each pair may have, bool, (P, R + 1).
    gold (ndarray): The gold predicate of each pair, int, (P,).
    which (str): "all"; "random": gold, "no_relation" and `n_others` at random; "mixed":
        all for pairs with a relation, "no_relation" for the others, to which the model
        adds those that its head ranks highest.
    n_others (int): See `which`.
    RETURNS (ndarray): The choice, bool, (P, R + 1).
    """
    if which == "all":
        return allowed
    wanted = numpy.zeros_like(allowed)
    wanted[:, 0] = True
    wanted[numpy.arange(len(gold)), gold] = True
    if which == "mixed":
        wanted[gold > 0] = True
    else:
        order = numpy.random.random(allowed.shape)
        order[wanted | ~allowed] = numpy.inf
        chosen = order.argsort(axis=1)[:, :n_others]
        numpy.put_along_axis(wanted, chosen, True, axis=1)
    return wanted & allowed
