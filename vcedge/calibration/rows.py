"""Selects the usable rows of a recording for calibration and training, and no more than are needed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.split import Ranges, Split, clip_ranges
from vcedge.errors import DataError
from vcedge.history import Recording
from vcedge.schema import F64, SensorSchema

MOST_VALUES = 4_000_000
"""Most values (rows times channels) that are used: a longer recording is reduced to evenly spaced stretches."""
STRETCHES = 40
LEAST_PRESENT = 10
"""Fewest values of a channel among the fitted rows."""


def usable_rows(recording: Recording, most_values: int = MOST_VALUES) -> tuple[F64, Ranges, NDArray[np.int64]]:
    """Return the rows with at least one value, in memory (N, C), their sequences, and their row numbers (N,).

    Rows without any value are left out, as in a stream; a sequence is cut where that makes a pause longer than the
    largest gap.
    """
    pieces, places, sequences, at = [], [], [], 0
    for start, stop in _stretches(recording, most_values):
        values = np.array(recording.values[start:stop])
        kept = np.isfinite(values).any(axis=1)
        time_ns = recording.time_ns[start:stop][kept]
        pieces.append(values[kept])
        places.append(start + np.flatnonzero(kept))
        cuts = np.flatnonzero(np.diff(time_ns) > recording.schema.max_gap_ns) + 1
        borders = [0, *cuts.tolist(), len(time_ns)]
        sequences += [(at + a, at + b) for a, b in pairwise(borders) if a < b]
        at += len(time_ns)
    return np.concatenate(pieces), tuple(sequences), np.concatenate(places)


def judged_rows(recording: Recording, places: NDArray[np.int64]) -> Ranges:
    """Return the ranges of usable rows that people judged as false alarms; `places` are their row numbers (N,)."""
    found = (np.searchsorted(places, rows).tolist() for rows in recording.must_not_alarm)
    return tuple((start, stop) for start, stop in found if start < stop)


def check_channels(values: F64, split: Split, schema: SensorSchema) -> None:
    """Raise DataError if a channel has almost no values (N, C) among the fitted rows."""
    present = sum(np.isfinite(values[a:b]).sum(axis=0) for a, b in split.fitted)
    for name, count in zip(schema.names, np.asarray(present).tolist(), strict=True):
        if count < LEAST_PRESENT:
            raise DataError(
                f"channel '{name}' has {count} values in the first 80% of the rows, expected at least {LEAST_PRESENT}: "
                "leave it out or use other rows"
            )


def _stretches(recording: Recording, most_values: int) -> Ranges:
    """Return all sequences, or evenly spaced parts of them if together they are too long."""
    most, total = most_values // len(recording.schema.channels), len(recording.values)
    if total <= most:
        return recording.sequences
    length = most // STRETCHES
    starts = np.linspace(0, total - length, STRETCHES).astype(int).tolist()
    return tuple(part for start in starts for part in clip_ranges(recording.sequences, start, start + length))
