"""Scored pairs: every pair against every description."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy

from spacy_dualre.predicates import Predicate

# "first": only the first description of each predicate is asked.
JOINS = ("max", "mean", "first")


class Pairs(NamedTuple):
    """Scored pairs. P pairs, D descriptions, R + 1 predicates, "no_relation" first.

    predicates (Tuple[Predicate, ...]): The predicates.
    of (ndarray): The predicate of each description, int, (D,).
    z (ndarray): The scores, without type signatures, (P, D); -inf where a predicate is
        not asked for.
    fits (ndarray): What the signatures admit, bool, (P, R + 1).
    positive (ndarray): What is annotated, bool, (P, R + 1).
    known (ndarray): The pairs that the annotation decides, bool, (P,).
    mirror (ndarray): The row of the same pair the other way round, or -1, int, (P,).
    totals (ndarray): The annotated relations of each predicate, int, (R + 1,).
    """

    predicates: tuple[Predicate, ...]
    of: numpy.ndarray
    z: numpy.ndarray
    fits: numpy.ndarray
    positive: numpy.ndarray
    known: numpy.ndarray
    mirror: numpy.ndarray
    totals: numpy.ndarray

    def join(self, how: str, signatures: bool = False) -> numpy.ndarray:
        """Join the scores of several descriptions.

        how (str): One of `JOINS`.
        signatures (bool): Whether predicates that do not fit are left out.
        RETURNS (ndarray): z, (P, R + 1).
        """
        z = numpy.full(self.fits.shape, -numpy.inf, dtype="float32")
        for r in range(len(self.predicates)):
            own = self.z[:, self.of == r]
            if how == "first":
                own = own[:, :1]
            if own.size:
                z[:, r] = own.mean(axis=1) if how == "mean" else own.max(axis=1)
        if signatures:
            z[~self.fits] = -numpy.inf
        return z


def select(
    pairs: Pairs, rows: numpy.ndarray | None, predicates: Sequence[int]
) -> Pairs:
    """Select pairs and predicates.

    pairs (Pairs): The pairs.
    rows (Optional[ndarray]): Which are kept, bool, (P,). None: all.
    predicates (Sequence[int]): Which predicates are kept, beside "no_relation".
    RETURNS (Pairs): Those pairs. They have no mirror.
    """
    kept = [0, *predicates]
    chosen = numpy.ones(len(pairs.z), dtype=bool) if rows is None else rows
    columns = numpy.isin(pairs.of, kept)
    positive = pairs.positive[chosen][:, kept]
    return Pairs(
        tuple(pairs.predicates[r] for r in kept),
        numpy.searchsorted(kept, pairs.of[columns]),
        pairs.z[chosen][:, columns],
        pairs.fits[chosen][:, kept],
        positive,
        pairs.known[chosen],
        numpy.full(len(positive), -1),
        positive.sum(axis=0),
    )


def split_descriptions(
    predicates: Sequence[Predicate],
) -> tuple[tuple[Predicate, ...], numpy.ndarray]:
    """Make each description a predicate, so that each has its own score.

    predicates (Sequence[Predicate]): R + 1 predicates, "no_relation" first.
    RETURNS (Tuple[Tuple[Predicate, ...], ndarray]): D predicates without signature, and
        which each was made from, int, (D,).
    """
    single, of = [], []
    for r, predicate in enumerate(predicates):
        for d, text in enumerate(predicate.descriptions):
            label = predicate.label if d == 0 else f"{predicate.label} ({d})"
            single.append(Predicate(label, (text,), symmetric=predicate.symmetric))
            of.append(r)
    return tuple(single), numpy.asarray(of)
