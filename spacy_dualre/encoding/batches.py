"""Batches: ragged wordpiece inputs, grouped by length so that little is padding."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy

# An input may be padded by a sixteenth of its length before a smaller group is opened,
# provided that the group is already large enough to keep the device busy.
MAX_PADDING = 1 / 16


@dataclass(frozen=True)
class Inputs:
    """The wordpieces of N encoder inputs, one after the other, and where in them the
    markers of n pairs are. All arrays are int64.

    ids (ndarray): Wordpiece ids, (total wordpieces,).
    lengths (ndarray): Wordpieces of each input, (N,).
    subject_at (ndarray): Where in its input each pair's subject marker opens, (n,).
    object_at (ndarray): Where in its input each pair's object marker opens, (n,).
    text_of (Optional[ndarray]): The input of each pair, (n,). None: each has its own.
    positions (Optional[ndarray]): The position that the encoder is told for each
        wordpiece, (total wordpieces,). None: its place in the input.
    owners (Optional[ndarray]): 0 for a wordpiece that all of its input attend to, k > 0
        for one that only others of the same k do, (total wordpieces,). None: all 0.
    """

    ids: numpy.ndarray
    lengths: numpy.ndarray
    subject_at: numpy.ndarray
    object_at: numpy.ndarray
    text_of: numpy.ndarray | None = None
    positions: numpy.ndarray | None = None
    owners: numpy.ndarray | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    def keys(self) -> list[bytes]:
        """RETURNS (List[bytes]): For each input its wordpieces, as a dictionary key."""
        data = self.ids.astype("<i4").tobytes()
        ends = (numpy.cumsum(self.lengths) * 4).tolist()
        return [data[a:b] for a, b in zip([0, *ends], ends)]

    def select(self, rows: numpy.ndarray) -> "Inputs":
        """Select some inputs that have a pair each.

        rows (ndarray): Which of them, int, (m,).
        RETURNS (Inputs): These inputs, in this order.
        """
        ends = numpy.cumsum(self.lengths)[rows]
        ids, lengths, _ = gather_ranges(
            self.ids, (ends - self.lengths[rows])[:, None], ends[:, None]
        )
        return Inputs(ids, lengths, self.subject_at[rows], self.object_at[rows])

    def padded(self, rows: numpy.ndarray, pad_id: int) -> dict[str, numpy.ndarray]:
        """Pad some of the inputs to the longest of them.

        rows (ndarray): The inputs to pad, int, (m,).
        pad_id (int): The padding wordpiece.
        RETURNS (Dict[str, ndarray]): What an encoder is given: "input_ids", int64, (m,
            longest); "attention_mask", int64, which of them are no padding, or where
            not all attend to all, (m, longest, longest), which attend to which; and
            with positions of their own "position_ids", counted from 0.
        """
        at, mask = pad_rows(self.lengths, rows)
        inputs = {"input_ids": numpy.where(mask, self.ids[at], pad_id)}
        if self.positions is not None:
            inputs["position_ids"] = numpy.where(mask, self.positions[at], 0)
        if self.owners is not None:
            owners = numpy.where(mask, self.owners[at], -1)
            own = (owners[:, :, None] == owners[:, None, :]) & mask[:, None, :]
            mask = (owners == 0)[:, None, :] | own
        inputs["attention_mask"] = mask.astype("int64")
        return inputs

    def pairs_of(self, rows: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Find the pairs that some inputs are read for.

        rows (ndarray): The inputs, int, (m,).
        RETURNS (Tuple[ndarray, ndarray]): The pairs, and for each which of the m inputs
            it is in.
        """
        if self.text_of is None:
            return rows, numpy.arange(len(rows))
        row_of = numpy.full(len(self), -1)
        row_of[rows] = numpy.arange(len(rows))
        pairs = numpy.flatnonzero(row_of[self.text_of] >= 0)
        return pairs, row_of[self.text_of[pairs]]


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


def by_length(
    lengths: numpy.ndarray, max_tokens: int, enough: int
) -> Iterator[numpy.ndarray]:
    """Group inputs of like length.

    lengths (ndarray): The lengths, int, (N,).
    max_tokens (int): What a group may hold, padding included. One longer input is a
        group of its own.
    enough (int): What keeps the device busy: a group of this many wordpieces is not
        filled up with inputs that would be padded much.
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
            if fits and not (shorter and held >= enough):
                continue
        yield order[start:i]
        start = i
