"""Sampling: which pairs and descriptions a training step learns from."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy

from ..pairs.candidates import Candidates
from .gold import Gold

# Takes the candidates of each Doc of a batch and their gold predicates; returns the
# candidates that are learned from.
Sampler = Callable[[Sequence[Candidates], Sequence[Gold]], list[Candidates]]


class PairSampler:
    """What `build_sampler` returns. A class, so that it pickles."""

    def __init__(
        self,
        descriptions: Literal["all", "mixed", "random"],
        n_descriptions: int,
        n_foreign: int,
        negative_ratio: float | None,
    ) -> None:
        self.descriptions = descriptions
        self.n_descriptions = n_descriptions
        self.n_foreign = n_foreign
        self.negative_ratio = negative_ratio

    def __call__(
        self, batch: Sequence[Candidates], gold: Sequence[Gold]
    ) -> list[Candidates]:
        labels = numpy.concatenate([numpy.zeros(0, "int64"), *(g.labels for g in gold)])
        known = numpy.concatenate([numpy.zeros(0, bool), *(g.known for g in gold)])
        kept = choose_pairs(labels, known, self.negative_ratio)
        ends = numpy.cumsum([len(found.pairs) for found in batch])
        sampled: list[Candidates] = []
        for found, own, end in zip(batch, gold, ends):
            rows = kept[end - len(own.labels) : end].nonzero()[0]
            found = found.select(rows)
            asked = choose_descriptions(
                found.allowed & own.own,
                own.positive[rows],
                self.descriptions,
                self.n_descriptions,
            )
            n_hard = self.n_descriptions if self.descriptions == "mixed" else 0
            sampled.append(replace(found, asked=asked, n_hard=n_hard))
        if not self.n_foreign or all(own.own.all() for own in gold):
            return sampled
        # Those that the batch reads anyway. Where descriptions are read without spans
        # they cost next to nothing.
        read = numpy.logical_or.reduce([found.asked.any(axis=0) for found in sampled])
        for i, (found, own) in enumerate(zip(sampled, gold)):
            foreign = _draw(found.allowed & read & ~own.own, self.n_foreign)
            sampled[i] = replace(found, asked=found.asked | foreign)
        return sampled


def build_sampler(
    descriptions: Literal["all", "mixed", "random"] = "all",
    n_descriptions: int = 2,
    n_foreign: int = 0,
    negative_ratio: float | None = None,
) -> Sampler:
    """Build a function that chooses what a training step learns from.

    descriptions (str): Which descriptions a pair is scored against. "all". "mixed": all
        for pairs with a relation; for the others "no_relation" and `n_descriptions`
        others, those which the auxiliary head ranks highest. "random": the gold
        predicate, "no_relation" and `n_descriptions` others, any.
    n_descriptions (int): See `descriptions`.
    n_foreign (int): In Docs that say with which labels they were annotated, how many of
        the other predicates a pair is scored against too: any of those that others of
        the batch are. They do not hold.
    negative_ratio (Optional[float]): Pairs without relation that are kept in a batch
        for each pair with one, chosen at random. None: all.
    RETURNS (Sampler): The function.
    RAISES (ValueError): If a number is negative.
    """
    if negative_ratio is not None and negative_ratio < 0:
        raise ValueError(f"negative_ratio can't be negative: {negative_ratio}.")
    for name, n in (("n_descriptions", n_descriptions), ("n_foreign", n_foreign)):
        if n < 0:
            raise ValueError(f"{name} can't be negative: {n}.")
    return PairSampler(descriptions, n_descriptions, n_foreign, negative_ratio)


def choose_pairs(
    gold: numpy.ndarray, known: numpy.ndarray, negative_ratio: float | None
) -> numpy.ndarray:
    """Choose the training pairs of a batch.

    gold (ndarray): The gold predicate of each pair, 0 for no relation, int, (P,).
    known (ndarray): The pairs that the annotation decides, bool, (P,).
    negative_ratio (Optional[float]): Pairs without relation that are kept for each pair
        with one (for one, where there is none), at random. None: all.
    RETURNS (ndarray): Which are kept, bool, (P,).
    """
    kept = known & (gold > 0)
    if negative_ratio is None:
        return known
    negative = numpy.flatnonzero(known & ~kept)
    n = int(numpy.ceil(negative_ratio * max(int(kept.sum()), 1)))
    kept[numpy.random.permutation(negative)[:n]] = True
    return kept


def choose_descriptions(
    allowed: numpy.ndarray,
    positive: numpy.ndarray,
    which: Literal["all", "mixed", "random"],
    n_others: int,
) -> numpy.ndarray:
    """Choose the descriptions that training pairs are scored against.

    allowed (ndarray): The predicates that each pair may have, bool, (P, R + 1).
    positive (ndarray): The gold predicates of each pair, bool, (P, R + 1).
    which (str): "all"; "random": gold, "no_relation" and `n_others` at random; "mixed":
        all for pairs with a relation, "no_relation" for the others, to which the model
        adds those that its head ranks highest.
    n_others (int): See `which`.
    RETURNS (ndarray): The choice, bool, (P, R + 1).
    """
    if which == "all":
        return allowed
    wanted = positive.copy()
    wanted[:, 0] = True
    if which == "mixed":
        wanted[~positive[:, 0]] = True
        return wanted & allowed
    return (wanted & allowed) | _draw(allowed & ~wanted, n_others)


def _draw(drawn_from: numpy.ndarray, n: int) -> numpy.ndarray:
    """Draw n of the columns that are True in each row, bool, (P, R + 1)."""
    order = numpy.where(drawn_from, numpy.random.random(drawn_from.shape), numpy.inf)
    drawn = numpy.zeros_like(drawn_from)
    numpy.put_along_axis(drawn, order.argsort(axis=1)[:, :n], True, axis=1)
    return drawn & drawn_from
