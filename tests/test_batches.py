"""Ragged inputs and their grouping by length."""

import numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spacy_dualre.encoding.batches import Inputs, by_length, gather_ranges

PAD = -1
ENOUGH = 256


def make_inputs(rows):
    return Inputs(
        numpy.asarray([i for row in rows for i in row], dtype="int64"),
        numpy.asarray([len(row) for row in rows], dtype="int64"),
        numpy.asarray([0 for _ in rows], dtype="int64"),
        numpy.asarray([len(row) - 1 for row in rows], dtype="int64"),
    )


def as_lists(inputs):
    parts = numpy.split(inputs.ids, inputs.lengths.cumsum())
    return [part.tolist() for part in parts[:-1]]


ROWS = st.lists(
    st.lists(st.integers(0, 30_000), min_size=1, max_size=9), min_size=1, max_size=8
)


@st.composite
def inputs_and_rows(draw):
    rows = draw(ROWS)
    chosen = draw(st.lists(st.integers(0, len(rows) - 1), max_size=8))
    return rows, numpy.asarray(chosen, dtype="int64")


@given(case=inputs_and_rows())
def test_select_takes_rows_in_any_order(case):
    rows, chosen = case
    selected = make_inputs(rows).select(chosen)
    assert as_lists(selected) == [rows[i] for i in chosen]
    assert selected.lengths.tolist() == [len(rows[i]) for i in chosen]
    assert selected.object_at.tolist() == [len(rows[i]) - 1 for i in chosen]
    assert len(selected) == len(chosen)


@given(rows=ROWS)
def test_keys_are_equal_exactly_where_the_wordpieces_are(rows):
    keys = make_inputs(rows).keys()
    assert len(keys) == len(rows)
    for i, key in enumerate(keys):
        for j, other in enumerate(keys):
            assert (key == other) == (rows[i] == rows[j])


@given(case=inputs_and_rows())
def test_padded_fills_up_to_the_longest_of_the_rows(case):
    rows, chosen = case
    ids, mask = make_inputs(rows).padded(chosen, PAD).values()
    longest = max((len(rows[i]) for i in chosen), default=0)
    assert ids.tolist() == [rows[i] + [PAD] * (longest - len(rows[i])) for i in chosen]
    assert mask.tolist() == (ids != PAD).tolist()


@st.composite
def ranges(draw):
    pool = draw(arrays("int64", st.integers(1, 20), elements=st.integers(0, 99)))
    n, k = draw(st.integers(0, 6)), draw(st.integers(1, 4))
    bounds = draw(
        arrays(
            "int64", (2, n, k), elements=st.integers(0, len(pool)), fill=st.nothing()
        )
    )
    return pool, bounds.min(axis=0), bounds.max(axis=0)


@given(case=ranges())
def test_gather_ranges_joins_what_a_loop_joins(case):
    pool, starts, ends = case
    rows, begins = [], []
    for row_starts, row_ends in zip(starts, ends):
        row, begin = [], []
        for start, end in zip(row_starts, row_ends):
            begin.append(len(row))
            row.extend(pool[start:end].tolist())
        rows.append(row)
        begins.append(begin)
    joined, lengths, within = gather_ranges(pool, starts, ends)
    assert joined.tolist() == [i for row in rows for i in row]
    assert lengths.tolist() == [len(row) for row in rows]
    assert within.tolist() == begins


LENGTHS = arrays("int64", st.integers(0, 60), elements=st.integers(1, 300))


@given(lengths=LENGTHS, max_tokens=st.integers(1, 3000))
def test_groups_cover_every_row_once(lengths, max_tokens):
    groups = list(by_length(lengths, max_tokens, ENOUGH))
    assert sorted(i for rows in groups for i in rows) == list(range(len(lengths)))


@given(lengths=LENGTHS, max_tokens=st.integers(1, 3000))
def test_a_group_holds_at_most_max_tokens_with_its_padding(lengths, max_tokens):
    for rows in by_length(lengths, max_tokens, ENOUGH):
        assert len(rows) == 1 or len(rows) * lengths[rows].max() <= max_tokens


@given(lengths=LENGTHS)
def test_groups_go_from_long_to_short(lengths):
    in_order = [lengths[i] for rows in by_length(lengths, 1000, ENOUGH) for i in rows]
    assert in_order == sorted(in_order, reverse=True)


def test_few_short_inputs_are_not_split_for_the_sake_of_padding():
    (rows,) = by_length(numpy.asarray([3, 40, 12, 25]), 4096, ENOUGH)
    assert rows.tolist() == [1, 3, 2, 0]


def test_inputs_of_one_length_fill_the_groups():
    sizes = [len(rows) for rows in by_length(numpy.full(100, 10), 300, ENOUGH)]
    assert sizes == [30, 30, 30, 10]


def test_little_is_padding_where_there_is_much_to_group():
    lengths = numpy.random.default_rng(0).integers(5, 250, 2000)
    held = sum(len(r) * lengths[r].max() for r in by_length(lengths, 4096, ENOUGH))
    in_order_of_arrival = sum(
        len(part) * part.max() for part in numpy.array_split(lengths, 125)
    )
    waste = held - lengths.sum()
    assert waste < 0.1 * (in_order_of_arrival - lengths.sum())
