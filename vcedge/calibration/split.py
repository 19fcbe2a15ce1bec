"""The time-ordered split of a recording: fit, validation, and a held-out tail for calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vcedge.errors import DataError

FIT_SHARE, VALIDATION_SHARE = 0.65, 0.15
Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Split:
    """Row ranges [start, stop) in order of time. Weights see `fit`, early stopping `validation`, limits `tail`."""

    fit: Ranges
    validation: Ranges
    tail: Ranges
    starts: frozenset[int]
    """First rows of the sequences: nothing is carried over from the row before one, however near its number."""

    @property
    def fitted(self) -> Ranges:
        """What the linear parts are fitted on: they have no early stopping, so validation rows serve them too."""
        return self.fit + self.validation

    @property
    def all(self) -> Ranges:
        """Every row in order."""
        return self.fit + self.validation + self.tail


def rows_in(ranges: Ranges) -> int:
    """Number of rows in some ranges."""
    return sum(stop - start for start, stop in ranges)


def clip_ranges(sequences: Sequence[tuple[int, int]], start: int, stop: int) -> Ranges:
    """The parts of the sequences between two rows."""
    cut = ((max(a, start), min(b, stop)) for a, b in sequences)
    return tuple((a, b) for a, b in cut if a < b)


def split_by_time(sequences: Sequence[tuple[int, int]], least_rows: int) -> Split:
    """Cut at 65% and 80% of all rows; a sequence that spans a cut is cut there.

    Raises DataError where a part would have fewer than `least_rows` rows.
    """
    total = sum(b - a for a, b in sequences)
    borders = (_row_at(sequences, FIT_SHARE * total), _row_at(sequences, (FIT_SHARE + VALIDATION_SHARE) * total))
    first, last = sequences[0][0], sequences[-1][1]
    split = Split(
        clip_ranges(sequences, first, borders[0]),
        clip_ranges(sequences, borders[0], borders[1]),
        clip_ranges(sequences, borders[1], last),
        frozenset(start for start, _ in sequences),
    )
    smallest = min(rows_in(split.fit), rows_in(split.validation), rows_in(split.tail))
    if smallest < least_rows:
        raise DataError(f"{total} usable rows are too few: the smallest part has {smallest}, needed are {least_rows}")
    return split


def _row_at(sequences: Sequence[tuple[int, int]], count: float) -> int:
    """The row before which `count` rows of the sequences lie."""
    left = int(count)
    for start, stop in sequences:
        if left <= stop - start:
            return start + left
        left -= stop - start
    return sequences[-1][1]
