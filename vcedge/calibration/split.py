"""Splits a recording in order of time: fit, validation, and a held-out tail to measure the network on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vcedge.errors import DataError

FIT_SHARE, VALIDATION_SHARE = 0.65, 0.15
LEAST_ROWS = 20
"""Fewest rows, each with enough rows before it, in each part of a split."""
BLOCKS = 4
"""Contiguous blocks for cross-fitting: each is scored by models of the others."""
Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Split:
    """Holds row ranges [start, stop) in order.

    Weights are fitted to `fit`, early stopping watches `validation`, and the network is measured on `tail`.
    """

    fit: Ranges
    validation: Ranges
    tail: Ranges
    starts: frozenset[int]
    """First rows of the sequences: no state is carried over from the row before one."""
    must_not_alarm: Ranges = ()
    """Rows that people judged as false alarms, in order; some may be in none of the three parts."""

    @property
    def fitted(self) -> Ranges:
        """Ranges that the linear parts are fitted to: they have no early stopping, so they use validation rows too."""
        return self.fit + self.validation

    @property
    def all(self) -> Ranges:
        """All ranges in order."""
        return self.fit + self.validation + self.tail


def rows_in(ranges: Ranges) -> int:
    """Count the rows in some ranges."""
    return sum(stop - start for start, stop in ranges)


def merge_ranges(ranges: Ranges, starts: frozenset[int]) -> Ranges:
    """Merge ranges that touch, unless a sequence starts there."""
    merged: list[tuple[int, int]] = []
    for start, stop in ranges:
        if merged and merged[-1][1] == start and start not in starts:
            merged[-1] = (merged[-1][0], stop)
        else:
            merged.append((start, stop))
    return tuple(merged)


def cut_blocks(ranges: Ranges, count: int = BLOCKS) -> list[Ranges]:
    """Cut ranges into `count` blocks of about equal length, in order of time."""
    total = rows_in(ranges)
    blocks: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    done = 0
    for start, stop in ranges:
        while start < stop:
            number = min(done * count // total, count - 1)
            length = min(stop - start, -(-(number + 1) * total // count) - done)
            blocks[number].append((start, start + length))
            start, done = start + length, done + length
    return [tuple(block) for block in blocks]


def all_but(blocks: Sequence[Ranges], left_out: int) -> Ranges:
    """Return the ranges of all blocks but one."""
    return tuple(part for number, block in enumerate(blocks) if number != left_out for part in block)


def clip_ranges(sequences: Sequence[tuple[int, int]], start: int, stop: int) -> Ranges:
    """Return the parts of the sequences between two rows."""
    cut = ((max(a, start), min(b, stop)) for a, b in sequences)
    return tuple((a, b) for a, b in cut if a < b)


def split_by_time(sequences: Sequence[tuple[int, int]], order: int) -> Split:
    """Split at 65% and 80% of all rows; a sequence that spans a border is cut there.

    Sequences of at most `order` rows are left out: none of their rows can be forecast.

    Raises:
        DataError: a part would have fewer than LEAST_ROWS rows that can be forecast.
    """
    long = [(a, b) for a, b in sequences if b - a > order]
    total = sum(b - a for a, b in sequences)
    if not long:
        raise DataError(f"{total} usable rows, but nowhere more than {order} without a gap, expected a longer stretch")
    used = sum(b - a for a, b in long)
    borders = (_row_at(long, FIT_SHARE * used), _row_at(long, (FIT_SHARE + VALIDATION_SHARE) * used))
    first, last = long[0][0], long[-1][1]
    split = Split(
        clip_ranges(long, first, borders[0]),
        clip_ranges(long, borders[0], borders[1]),
        clip_ranges(long, borders[1], last),
        frozenset(start for start, _ in long),
    )
    for name, part in (("fit", split.fit), ("validation", split.validation), ("calibration", split.tail)):
        rows = sum(b - max(a, a + order if a in split.starts else a) for a, b in part)
        if rows < LEAST_ROWS:
            raise DataError(
                f"{total} usable rows in {len(sequences)} stretches are too few: for {name} {rows} are left that have "
                f"{order} before them, expected at least {LEAST_ROWS}"
            )
    return split


def _row_at(sequences: Sequence[tuple[int, int]], count: float) -> int:
    """Return the row before which `count` rows of the sequences lie."""
    left = int(count)
    for start, stop in sequences:
        if left <= stop - start:
            return start + left
        left -= stop - start
    return sequences[-1][1]
