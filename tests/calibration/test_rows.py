"""Which rows are used, how they are split in time, and what counts as stuck."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.detectors import recording, recording_of
from vcedge.calibration.rows import usable_rows
from vcedge.calibration.split import cut_blocks, merge_ranges, rows_in, split_by_time
from vcedge.calibration.stuck import longest_run, stuck_limits
from vcedge.errors import DataError


def test_split_is_in_order_of_time_and_complete() -> None:
    sequences = ((0, 130), (130, 400), (450, 1000))
    split = split_by_time(sequences, 5)
    assert rows_in(split.all) == 950
    assert sorted(split.all) == list(split.all)
    assert rows_in(split.tail) == pytest.approx(190, abs=1)
    assert split.starts == {0, 130, 450}
    assert max(b for _, b in split.fit) <= min(a for a, _ in split.validation)
    assert max(b for _, b in split.validation) <= min(a for a, _ in split.tail)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match="100 usable rows in 1 stretches are too few: for validation 15 are left"):
        split_by_time(((0, 100),), 5)
    with pytest.raises(DataError, match="nowhere more than 5 without a gap"):
        split_by_time(tuple((start, start + 4) for start in range(0, 4000, 4)), 5)
    mixed = split_by_time(((0, 3), (3, 400), (400, 404)), 5)
    assert mixed.all[0][0] == 3
    assert mixed.all[-1][1] == 400


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 20)), min_size=1, max_size=10), st.integers(1, 6))
def test_blocks_hold_every_row_once_in_order_and_are_equally_long(pieces: list[tuple[int, int]], count: int) -> None:
    ranges, at = [], 0
    for length, pause in pieces:
        ranges.append((at, at + length))
        at += length + pause
    blocks = cut_blocks(tuple(ranges), count)
    assert len(blocks) == count
    rows = [row for block in blocks for start, stop in block for row in range(start, stop)]
    assert rows == [row for start, stop in ranges for row in range(start, stop)]
    sizes = [rows_in(block) for block in blocks]
    assert max(sizes) - min(sizes) <= 1


def test_ranges_that_touch_are_joined_unless_a_sequence_starts_there() -> None:
    ranges = ((0, 10), (10, 20), (20, 30), (40, 50))
    assert merge_ranges(ranges, frozenset({0, 20, 40})) == ((0, 20), (20, 30), (40, 50))


def test_longest_run_and_stuck_limits() -> None:
    assert longest_run(np.array([1.0, 1.0, 1.0, 2.0, np.nan, 2.0])) == 2
    assert longest_run(np.array([np.nan])) == 0
    values = recording(1, 1000, 3)
    values[:, 0] = 7.0  # a set point that never moves
    values[100:120, 1] = 3.0
    assert stuck_limits(values, ((0, 1000),)) == (0, 57, 30)


def test_rows_without_values_are_left_out_and_long_runs_cut() -> None:
    values = recording(9, 600, 3)
    values[100:103] = np.nan
    values[300:330] = np.nan
    rows, sequences, places = usable_rows(recording_of(values))
    assert len(rows) == 567
    assert sequences == ((0, 297), (297, 567))
    assert np.array_equal(rows, values[places])


def test_long_recordings_are_thinned_and_keep_their_gaps() -> None:
    source = recording_of(recording(9, 5000, 3), gap_at=2500)
    values, sequences, places = usable_rows(source, most_values=3000)
    assert np.array_equal(values, source.values[places])
    assert 900 <= len(values) <= 1000
    assert sequences[0][0] == 0
    assert sequences[-1][1] == len(values)
    assert all(b == c for (_, b), (c, _) in pairwise(sequences))
    whole, kept, _ = usable_rows(source)
    assert kept == source.sequences
    assert np.array_equal(whole, source.values)
