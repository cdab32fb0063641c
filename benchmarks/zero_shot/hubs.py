"""Hubs: descriptions that score high with any pair, and what taking that off brings."""

from collections.abc import Iterable, Iterator
from itertools import product

import numpy

from benchmarks.zero_shot.pairs import Pairs

# What is taken off the scores of each predicate: nothing; the mean over the corpus' own
# pairs, whose labels are not looked at, or over a bank of so many other pairs.
# "-spread": they are divided by the standard deviation too.
HUBS = ("none", "own", "own-spread", "bank64", "bank64-spread")


def correct_hubs(
    z: numpy.ndarray, others: numpy.ndarray, spread: bool
) -> numpy.ndarray:
    """Take off what a predicate scores with any pair. "no_relation" stays as it is, and
    so do the mean and the spread over all predicates.

    z (ndarray): Scores, (P, R + 1).
    others (ndarray): Scores of other pairs, or the same, (Q, R + 1).
    spread (bool): Whether the predicates are given the same standard deviation too.
    RETURNS (ndarray): The corrected scores.
    """
    columns = [column[numpy.isfinite(column)] for column in others.T[1:]]
    means = numpy.asarray([c.mean() if len(c) else numpy.nan for c in columns])
    spreads = numpy.asarray(
        [c.std() or numpy.nan if len(c) else numpy.nan for c in columns]
    )
    middle, common = numpy.nanmean(means), numpy.nanmean(spreads)
    means = numpy.nan_to_num(means, nan=middle)
    factor = numpy.nan_to_num(common / spreads, nan=1.0) if spread else 1.0
    corrected = z.copy()
    corrected[:, 1:] = (z[:, 1:] - means) * factor + middle
    return corrected


def variants_of(
    pairs: Pairs,
    banks: dict[int, Pairs],
    joins: Iterable[str],
    hubs: Iterable[str],
    signatures: bool = False,
) -> Iterator[tuple[str, str, numpy.ndarray]]:
    """Score the same pairs in several ways.

    pairs (Pairs): The pairs.
    banks (Dict[int, Pairs]): Other pairs against the same predicates, by their number.
    joins (Iterable[str]): Of `JOINS`.
    hubs (Iterable[str]): Of `HUBS`.
    signatures (bool): Whether predicates that do not fit are left out.
    YIELDS (Tuple[str, str, ndarray]): How descriptions are joined, how hubs are
        corrected, and z, (P, R + 1).
    """
    for how, hub in product(joins, hubs):
        z = pairs.join(how, signatures)
        source, _, spread = hub.partition("-")
        if source == "own":
            z = correct_hubs(z, z, bool(spread))
        elif source != "none":
            bank = banks[int(source.removeprefix("bank"))].join(how)
            z = correct_hubs(z, bank, bool(spread))
        yield how, hub, z
