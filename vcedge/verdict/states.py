"""Measures whether a recording covers the operating states of its machine: whether its last part shows new ones."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from vcedge.schema import F64

PARTS = 4
"""The last of so many equal parts in time is compared with the others."""
LEVEL_ROWS = 20
"""Rows of the moving mean that stands for the operating state."""
BEYOND = 1.0
"""A row is new if the level of any channel is so many standard deviations beyond the range of the other parts."""
LEAST_ROWS = 5 * LEVEL_ROWS
"""Least rows of a part."""


def share_of_new_states(values: F64) -> float | None:
    """Return the share of rows (N, C) in the last part that show a state that the others lack; None if it is too short.

    Where the last part is new, the rows after the recording will mostly be, too.
    """
    cut = len(values) * (PARTS - 1) // PARTS
    if len(values) - cut < LEAST_ROWS:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a channel without any value
        spread = np.nanstd(values[:cut], axis=0)
    live = np.isfinite(spread) & (spread > 0)
    if not live.any():
        return None
    levels = _moving_mean(values[:, live] / spread[live])
    earlier, last = levels[: cut - LEVEL_ROWS + 1], levels[cut:]
    low, high = np.nanmin(earlier, axis=0), np.nanmax(earlier, axis=0)
    new = (last > high + BEYOND) | (last < low - BEYOND)
    return float(new.any(axis=1).mean())


def _moving_mean(values: F64) -> F64:
    """Return the means (N - LEVEL_ROWS + 1, C) over LEVEL_ROWS rows of values less the first, NaN if none is known."""
    known = np.isfinite(values)
    zeros = np.zeros((1, values.shape[1]))
    sums = np.concatenate((zeros, np.cumsum(np.where(known, values - _first(values, known), 0.0), axis=0)))
    counts = np.concatenate((zeros, np.cumsum(known, axis=0)))
    count = counts[LEVEL_ROWS:] - counts[:-LEVEL_ROWS]
    total = sums[LEVEL_ROWS:] - sums[:-LEVEL_ROWS]
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _first(values: F64, known: NDArray[np.bool_]) -> F64:
    """Return the first known value of each channel, which keeps the sums small."""
    return np.asarray(values[known.argmax(axis=0), np.arange(values.shape[1])])
