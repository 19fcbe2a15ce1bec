"""Measures how long a sensor may be constant before it counts as stuck."""

from __future__ import annotations

import numpy as np

from vcedge.calibration.split import Ranges, rows_in
from vcedge.schema import F64

FACTOR = 3
"""A sensor is stuck when it is constant this many times longer than it ever was in the recording."""
LEAST_RUN = 30
"""Smallest limit, in rows."""


def stuck_limits(values: F64, ranges: Ranges) -> tuple[int, ...]:
    """Return for each channel of values (N, C) the run of equal values that counts as stuck; 0 for no limit.

    A channel that was constant for more than a tenth of the recording, such as a switch or a set point, has no limit.
    """
    limits = []
    rows = rows_in(ranges)
    for channel in range(values.shape[1]):
        longest = max((longest_run(values[a:b, channel]) for a, b in ranges), default=0)
        limits.append(0 if longest > rows / 10 else max(FACTOR * longest, LEAST_RUN))
    return tuple(limits)


def longest_run(values: F64) -> int:
    """Return the length of the longest run of values (N,) that equal the one before; missing values are skipped."""
    present = values[np.isfinite(values)]
    changes = np.flatnonzero(np.diff(present) != 0)
    if len(present) < 2:
        return 0
    borders = np.concatenate(([-1], changes, [len(present) - 1]))
    return int(np.diff(borders).max()) - 1
