"""The rows of a recording that calibration and training work on: usable, and not more than needed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.split import Ranges, Split, clip_ranges
from vcedge.errors import DataError
from vcedge.history import Recording
from vcedge.schema import F64, SensorSchema

MOST_VALUES = 4_000_000
"""Rows times channels that are worked on; of a longer recording evenly spaced stretches are taken."""
STRETCHES = 40
LEAST_PRESENT = 10
"""Fewest values of a channel among the rows fitted on."""


def usable_rows(recording: Recording, most_values: int = MOST_VALUES) -> tuple[F64, Ranges, NDArray[np.int64]]:
    """Rows with at least one value, in memory (N, C), their sequences, and where they stand in the recording (N,).

    Rows without any are left out, as the stream leaves them out: where that makes a pause longer than the largest
    gap, the sequence is cut.
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


def check_channels(values: F64, split: Split, schema: SensorSchema) -> None:
    """Raise DataError for a channel that has next to no values (N, C) among the rows that are fitted on."""
    present = sum(np.isfinite(values[a:b]).sum(axis=0) for a, b in split.fitted)
    for name, count in zip(schema.names, np.asarray(present).tolist(), strict=True):
        if count < LEAST_PRESENT:
            raise DataError(
                f"channel '{name}' has {count} values in the first 80% of the rows, needed are {LEAST_PRESENT}: "
                "leave it out or use other rows"
            )


def _stretches(recording: Recording, most_values: int) -> Ranges:
    """All sequences, or where they are too long together, evenly spaced parts of them."""
    most, total = most_values // len(recording.schema.channels), len(recording.values)
    if total <= most:
        return recording.sequences
    length = most // STRETCHES
    starts = np.linspace(0, total - length, STRETCHES).astype(int).tolist()
    return tuple(part for start in starts for part in clip_ranges(recording.sequences, start, start + length))
