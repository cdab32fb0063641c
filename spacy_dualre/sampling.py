"""Sampling: which pairs and descriptions a training step learns from."""

from collections.abc import Iterator

import numpy

from .instances import LEVITATED, N_MARKERS, Pairs

TRAIN_DESCRIPTIONS = ("all", "mixed", "hard", "random")
# Those that need a trained auxiliary head.
RANKED_BY_HEAD = ("mixed", "hard")


def sample_pairs(gold: numpy.ndarray, negative_ratio: float | None) -> numpy.ndarray:
    """Choose the training pairs of a batch.

    gold (ndarray): The gold predicate of each pair, 0 for no relation, int, (P,).
    negative_ratio (Optional[float]): Pairs without relation that are kept for each pair
        with one (for one, where there is none), at random. None: all.
    RETURNS (ndarray): Row numbers, in order, int, (n,).
    """
    if negative_ratio is None:
        return numpy.arange(len(gold))
    positive, negative = numpy.flatnonzero(gold), numpy.flatnonzero(gold == 0)
    n = int(numpy.ceil(negative_ratio * max(len(positive), 1)))
    kept = numpy.random.permutation(negative)[:n]
    return numpy.sort(numpy.concatenate([positive, kept]))


def choose_descriptions(
    allowed: numpy.ndarray, gold: numpy.ndarray, which: str, n_others: int
) -> numpy.ndarray:
    """Choose the descriptions that training pairs are scored against.

    allowed (ndarray): The predicates that each pair may have, bool, (P, R + 1).
    gold (ndarray): The gold predicate of each pair, int, (P,).
    which (str): "all"; "random": gold, "no_relation" and `n_others` at random; "hard":
        gold and "no_relation", to which the model adds those its head ranks highest;
        "mixed": all for pairs with a relation, as "hard" for the others.
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
    if which == "random":
        order = numpy.random.random(allowed.shape)
        order[wanted | ~allowed] = numpy.inf
        chosen = order.argsort(axis=1)[:, :n_others]
        numpy.put_along_axis(wanted, chosen, True, axis=1)
    return wanted & allowed


def split_pairs(
    pairs: Pairs,
    rows: numpy.ndarray,
    n_descriptions: numpy.ndarray,
    description_length: int,
    max_tokens: int,
    levitated_markers: str | None = None,
) -> Iterator[numpy.ndarray]:
    """Split training pairs into parts that fit in memory, longest instances first.

    pairs (Pairs): The pairs.
    rows (ndarray): Which of them, int, (n,).
    n_descriptions (ndarray): How many descriptions each pair is scored against, (P,).
    description_length (int): Wordpieces of the longest description, without its spans.
    max_tokens (int): Wordpieces that a part may hold. One larger pair is a part of its
        own.
    levitated_markers (Optional[str]): Which pairs share one reading of their text: see
        `InstanceBuilder.shared_instances`. None: none.
    YIELDS (ndarray): Row numbers of a part.
    """
    spans = (pairs.spans[:, 1::2] - pairs.spans[:, ::2]).sum(axis=1)
    lengths = pairs.window[:, 1] - pairs.window[:, 0] + N_MARKERS + 2
    window = pairs.window[rows]
    rows = rows[numpy.lexsort((window[:, 1], window[:, 0], -lengths[rows]))]
    read = lengths[rows]
    if levitated_markers:
        n_solid = LEVITATED[levitated_markers]
        text = numpy.column_stack([pairs.window[rows], pairs.spans[rows, :n_solid]])
        same = (text[1:] == text[:-1]).all(axis=1)
        read[1:][same] = N_MARKERS - n_solid  # only the levitated markers
    tokens = read + n_descriptions[rows] * (spans[rows] + description_length)
    part = numpy.cumsum(tokens) // max_tokens
    yield from numpy.split(rows, numpy.flatnonzero(numpy.diff(part)) + 1)
