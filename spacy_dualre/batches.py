"""Batches: ragged wordpiece inputs, grouped by length so that little is padding."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy

# An input may be padded by a sixteenth of its length before a smaller group is opened,
# provided that the group is already large enough to keep the cores busy.
MAX_PADDING = 1 / 16
MIN_GROUP_TOKENS = 256


@dataclass
class Inputs:
    """The wordpieces of N encoder inputs, one after the other.

    ids (ndarray): Wordpiece ids, int64, (total wordpieces,).
    lengths (ndarray): Wordpieces of each input, int64, (N,).
    subject_at (ndarray): Where each input's subject marker opens, int64, (N,).
    object_at (ndarray): Where each input's object marker opens, int64, (N,).
    """

    ids: numpy.ndarray
    lengths: numpy.ndarray
    subject_at: numpy.ndarray
    object_at: numpy.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    def keys(self) -> list[bytes]:
        """RETURNS (List[bytes]): For each input its wordpieces, as a dictionary key."""
        data = self.ids.astype("<i4").tobytes()
        ends = (numpy.cumsum(self.lengths) * 4).tolist()
        return [data[a:b] for a, b in zip([0, *ends], ends)]

    def select(self, rows: numpy.ndarray) -> "Inputs":
        """RETURNS (Inputs): The inputs of these rows, in this order."""
        ends = numpy.cumsum(self.lengths)[rows]
        ids, lengths, _ = gather_ranges(
            self.ids, (ends - self.lengths[rows])[:, None], ends[:, None]
        )
        return Inputs(ids, lengths, self.subject_at[rows], self.object_at[rows])

    def padded(
        self, rows: numpy.ndarray, pad_id: int
    ) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Pad some of the inputs to the longest of them.

        rows (ndarray): The inputs to pad, int, (n,).
        pad_id (int): The padding wordpiece.
        RETURNS (Tuple[ndarray, ndarray]): Ids, int64, and mask, bool: (n, longest).
        """
        at, mask = pad_rows(self.lengths, rows)
        return numpy.where(mask, self.ids[at], pad_id), mask


@dataclass
class SharedInputs:
    """The wordpieces of G texts, each read once for several pairs: behind the text
    stand the levitated markers of each pair. All arrays are int64.

    ids (ndarray): Wordpiece ids, (total wordpieces,).
    positions (ndarray): The position in the text of each wordpiece; that of a levitated
        marker is that of the first or last wordpiece of its span, (total wordpieces,).
    owners (ndarray): 0 for the text, k for the levitated markers of its k-th pair,
        (total wordpieces,).
    lengths (ndarray): Wordpieces of each text with its markers, (G,).
    text_of (ndarray): The text of each of N pairs, (N,).
    subject_at (ndarray): Where each pair's subject marker opens, (N,).
    object_at (ndarray): Where each pair's object marker opens, (N,).
    """

    ids: numpy.ndarray
    positions: numpy.ndarray
    owners: numpy.ndarray
    lengths: numpy.ndarray
    text_of: numpy.ndarray
    subject_at: numpy.ndarray
    object_at: numpy.ndarray

    def padded(
        self, rows: numpy.ndarray, pad_id: int
    ) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
        """Pad some of the texts to the longest of them.

        rows (ndarray): The texts to pad, int, (n,).
        pad_id (int): The padding wordpiece.
        RETURNS (Tuple[ndarray, ndarray, ndarray]): Ids and positions, int64, (n,
            longest); and which wordpiece may attend to which, bool, (n, longest,
            longest): all of them to the text, a pair's markers also to each other.
        """
        at, mask = pad_rows(self.lengths, rows)
        owners = numpy.where(mask, self.owners[at], -1)
        own = (owners[:, :, None] == owners[:, None, :]) & mask[:, None, :]
        attends = (owners == 0)[:, None, :] | own
        ids = numpy.where(mask, self.ids[at], pad_id)
        return ids, numpy.where(mask, self.positions[at], 0), attends


def pad_rows(
    lengths: numpy.ndarray, rows: numpy.ndarray
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Lay out some ragged rows side by side.

    lengths (ndarray): The lengths of all rows, which lie one after the other, (N,).
    rows (ndarray): Which of them, int, (n,).
    RETURNS (Tuple[ndarray, ndarray]): Where each item lies, int64, and which are none,
        bool: (n, longest).
    """
    starts = (numpy.cumsum(lengths) - lengths)[rows]
    columns = numpy.arange(lengths[rows].max(initial=0))
    mask = columns[None, :] < lengths[rows][:, None]
    return numpy.where(mask, starts[:, None] + columns[None, :], 0), mask


def gather_ranges(
    pool: numpy.ndarray, starts: numpy.ndarray, ends: numpy.ndarray
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Make each row by joining k ranges of a pool.

    pool (ndarray): What to take from, (n_pool,).
    starts (ndarray): Starts of the ranges, int64, (n, k).
    ends (ndarray): Ends of the ranges, int64, (n, k).
    RETURNS (Tuple[ndarray, ndarray, ndarray]): The joined rows one after the other
        (total,), their lengths (n,), and where in its row each range begins (n, k).
    """
    lengths = (ends - starts).ravel()
    total = int(lengths.sum())
    begins = numpy.cumsum(lengths) - lengths
    at = numpy.arange(total) + numpy.repeat(starts.ravel() - begins, lengths)
    per_range = lengths.reshape(starts.shape)
    within = numpy.cumsum(per_range, axis=1) - per_range
    return pool[at], per_range.sum(axis=1), within


def by_length(lengths: numpy.ndarray, max_tokens: int) -> Iterator[numpy.ndarray]:
    """Group inputs of like length.

    lengths (ndarray): The lengths, int, (N,).
    max_tokens (int): What a group may hold, padding included. One longer input is a
        group of its own.
    YIELDS (ndarray): Row numbers of each group, longest inputs first, int, (n,).
    """
    order = numpy.argsort(-lengths, kind="stable")
    start = 0
    for i in range(1, len(order) + 1):
        longest = int(lengths[order[start]])
        held = (i - start) * longest
        if i < len(order):
            shorter = lengths[order[i]] < longest * (1 - MAX_PADDING)
            fits = held + longest <= max_tokens
            if fits and not (shorter and held >= MIN_GROUP_TOKENS):
                continue
        yield order[start:i]
        start = i
