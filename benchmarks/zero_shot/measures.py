"""Decisions about scored pairs, and their precision, recall and F1."""

from dataclasses import dataclass
from typing import Any

import numpy

from benchmarks.zero_shot.pairs import Pairs

DECISIONS = ("default", "threshold")


@dataclass(frozen=True)
class Best:
    """The best predicate of each pair.

    r (ndarray): The predicate, never "no_relation", int, (P,).
    probability (ndarray): Its probability, (P,).
    margin (ndarray): By how much it scores above "no_relation", (P,).
    """

    r: numpy.ndarray
    probability: numpy.ndarray
    margin: numpy.ndarray

    @classmethod
    def of(cls, z: numpy.ndarray) -> "Best":
        """RETURNS (Best): The best predicates by z, (P, R + 1)."""
        r = z[:, 1:].argmax(axis=1) + 1
        best = z[numpy.arange(len(z)), r]
        highest = numpy.maximum(best, z[:, 0])
        share = numpy.exp(z - highest[:, None]).sum(axis=1)
        return cls(r, numpy.exp(best - highest) / share, best - z[:, 0])

    def decide(self, threshold: float | None) -> numpy.ndarray:
        """Decide which pairs are related.

        threshold (Optional[float]): The lowest probability. None: above that of
            "no_relation".
        RETURNS (ndarray): The predicate of each pair, 0 for none, int, (P,).
        """
        if threshold is None:
            return numpy.where(self.margin > 0, self.r, 0)
        return numpy.where(self.probability >= threshold, self.r, 0)

    def choose(self, pairs: Pairs) -> float:
        """RETURNS (float): The threshold with the best micro F1."""
        right = pairs.positive[numpy.arange(len(self.r)), self.r] & pairs.known
        judged = pairs.known & numpy.isfinite(self.margin)
        values = self.probability[judged].astype("float64")
        return best_cutoff(values, right[judged], int(pairs.totals[1:].sum()))


def best_cutoff(values: numpy.ndarray, right: numpy.ndarray, total: int) -> float:
    """Find above which value answers give the best F1.

    values (ndarray): How sure each answer is, (n,).
    right (ndarray): Whether it is right, bool, (n,).
    total (int): How many right answers there are.
    RETURNS (float): The value, between two of those given.
    """
    order = numpy.argsort(-values, kind="stable")
    values, right = values[order], right[order]
    f1 = 2 * right.cumsum() / (numpy.arange(1, len(values) + 1) + total)
    # Equal values are all above or none.
    f1[:-1][values[:-1] == values[1:]] = 0.0
    best = int(f1.argmax())
    return float(values[best : best + 2].mean())


def measure(
    pairs: Pairs, best: Best, related: numpy.ndarray, single_direction: bool
) -> dict[str, Any]:
    """Score decisions. Every annotated relation counts.

    pairs (Pairs): The pairs.
    best (Best): The best predicate of each.
    related (ndarray): The predicate of each pair, 0 for none, int, (P,).
    single_direction (bool): Whether of two directions the more probable one is kept.
    RETURNS (Dict[str, Any]): Micro and macro precision, recall and F1, over the labels
        that are annotated; the share of unrelated pairs, of those that fit a signature,
        that are given a relation; and right, wrong and missed relations by label.
    """
    related = numpy.where(pairs.known, related, 0)
    if single_direction:
        row, mirror = numpy.arange(len(related)), pairs.mirror
        p, other = best.probability, best.probability[mirror]
        loses = (other > p) | ((other == p) & (mirror < row))
        related = numpy.where((mirror >= 0) & (related[mirror] > 0) & loses, 0, related)
    rows = numpy.flatnonzero(related)
    right = pairs.positive[rows, related[rows]]
    n = len(pairs.totals)
    tp = numpy.bincount(related[rows[right]], minlength=n)[1:]
    fp = numpy.bincount(related[rows[~right]], minlength=n)[1:]
    fn = pairs.totals[1:] - tp
    micro = prf(tp.sum(), fp.sum(), fn.sum())
    each = numpy.asarray(prf(tp, fp, fn))[:, tp + fn > 0]
    macro = each.mean(axis=1).tolist()
    unrelated = pairs.known & pairs.positive[:, 0] & pairs.fits[:, 1:].any(axis=1)
    labels = [predicate.label for predicate in pairs.predicates[1:]]
    counts = numpy.stack([tp, fp, fn], axis=1).tolist()
    return {
        **{f"micro_{x}": float(value) for x, value in zip("prf", micro)},
        **{f"macro_{x}": float(value) for x, value in zip("prf", macro)},
        "unrelated_found": float((related[unrelated] > 0).mean()),
        "n_related": int(pairs.totals.sum()),
        "n_unrelated": int(unrelated.sum()),
        "counts": {x: own for x, own in zip(labels, counts) if any(own)},
    }


def prf(tp: Any, fp: Any, fn: Any) -> tuple[Any, Any, Any]:
    """RETURNS (Tuple): Precision, recall and F1 of numbers or arrays; 0 where there is
    nothing to divide by.
    """
    p, r, f = (
        numpy.divide(a, numpy.maximum(b, 1))
        for a, b in ((tp, tp + fp), (tp, tp + fn), (2 * tp, 2 * tp + fp + fn))
    )
    return p, r, f


def n_way(z: numpy.ndarray, gold: numpy.ndarray) -> tuple[float, float, float]:
    """Score the choice of the best of N predicates.

    z (ndarray): Scores, without "no_relation", (P, N).
    gold (ndarray): The right one, int, (P,).
    RETURNS (Tuple[float, float, float]): Precision and recall, averaged over the
        predicates, and the F1 of these averages.
    """
    chosen, n = z.argmax(axis=1), z.shape[1]
    tp = numpy.bincount(gold[chosen == gold], minlength=n)
    fp = numpy.bincount(chosen[chosen != gold], minlength=n)
    fn = numpy.bincount(gold[chosen != gold], minlength=n)
    p, r, _ = (float(numpy.mean(values)) for values in prf(tp, fp, fn))
    return p, r, 2 * p * r / ((p + r) or 1.0)
