"""Marked text: the text of a pair, cut where its markers go, and with them in it."""

import numpy

from .markers import N_MARKERS, N_SPECIAL, gaps_in_spans, sort_edges
from .wordpieces import Pairs


def markers_of(pairs: Pairs, rows: numpy.ndarray) -> numpy.ndarray:
    """Where in the pool the four markers of each pair are, (n, 4)."""
    of_type = N_MARKERS * pairs.types[pairs.surfaces[rows]]
    return of_type[:, [0, 0, 1, 1]] + numpy.arange(N_MARKERS)


def text_ranges(
    pairs: Pairs, rows: numpy.ndarray
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Cut the text of each pair at its markers, and what is left out of it.

    pairs (Pairs): The pairs.
    rows (ndarray): Which of them, int, (n,).
    RETURNS (Tuple[ndarray, ndarray, ndarray]): Starts and ends of eight ranges of the
        pool, (n, 8) each: what comes before the first marker, then behind each marker
        but the last a head and a tail, then what comes behind the last; and the order
        of the markers as in `sort_edges`.
    """
    spans, window = pairs.spans[rows], pairs.window[rows]
    edges, order = sort_edges(spans)
    keep = edges[:, 1:] - edges[:, :-1]  # how much of each gap between markers
    room = pairs.max_length - N_SPECIAL
    for row in numpy.flatnonzero(edges[:, 3] - edges[:, 0] > room):
        keep[row] = _shorten(keep[row], gaps_in_spans(order[row]), room)
    # Of each gap a head and a tail are read; only where it is too long do they leave
    # anything out.
    starts = numpy.empty((len(rows), 8), dtype="int64")
    ends = numpy.empty((len(rows), 8), dtype="int64")
    starts[:, 0], ends[:, 0] = window[:, 0], edges[:, 0]
    starts[:, 1:7:2] = edges[:, :-1]
    ends[:, 1:7:2] = edges[:, :-1] + (keep + 1) // 2
    starts[:, 2:7:2], ends[:, 2:7:2] = edges[:, 1:] - keep // 2, edges[:, 1:]
    starts[:, 7], ends[:, 7] = edges[:, 3], window[:, 1]
    return starts, ends, order


def with_markers(
    pairs: Pairs,
    rows: numpy.ndarray,
    starts: numpy.ndarray,
    ends: numpy.ndarray,
    order: numpy.ndarray,
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Put the markers and the special wordpieces between the ranges of a text.

    pairs (Pairs): The pairs.
    rows (ndarray): Which of them, int, (n,).
    starts (ndarray): Starts of the ranges, from `text_ranges`, (n, 8).
    ends (ndarray): Their ends, (n, 8).
    order (ndarray): The order of the markers, (n, 4).
    RETURNS (Tuple[ndarray, ndarray, ndarray]): Starts and ends, (n, 14) each; and the
        columns of the four markers in them, (n, 4).
    """
    marker = numpy.take_along_axis(markers_of(pairs, rows), order, axis=1)
    special = numpy.ones((len(rows), 2), dtype="int64")
    special *= [pairs.first_at, pairs.last_at]
    both = [
        numpy.insert(
            numpy.hstack([special[:, :1] + i, text, special[:, 1:] + i]),
            [2, 4, 6, 8],
            marker + i,
            axis=1,
        )
        for i, text in enumerate((starts, ends))
    ]
    return both[0], both[1], numpy.argsort(order, axis=1) * 3 + 2


def _shorten(gaps: numpy.ndarray, inside: numpy.ndarray, room: int) -> numpy.ndarray:
    """How much of each gap to keep so that all fit: the spans, then what is between."""
    keep = numpy.zeros_like(gaps)
    for part in (inside, ~inside):
        for n_left, i in enumerate(sorted(numpy.flatnonzero(part), key=gaps.item)):
            share = room // (int(part.sum()) - n_left)
            keep[i] = min(int(gaps[i]), share)
            room -= int(keep[i])
    return keep
