"""Reduces long series for charts: means and extremes of stretches, and the liveliest stretch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.schema import F64, NS_PER_S

STRETCHES = 240
"""Points of a drawn series: a chart has no more columns of pixels than these."""
_UNITS = (("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))


@dataclass(frozen=True)
class Stretches:
    """Summarises a series (M,) in B stretches of nearly equal length."""

    edges: F64  # (B + 1,) first row of each stretch, and the row after the last
    mean: F64  # (B,)
    low: F64  # (B,)
    high: F64  # (B,)


def stretches(values: F64, count: int = STRETCHES) -> Stretches:
    """Return mean and extremes of values (M,), M at least 1, over `count` stretches, at most one for each row."""
    edges = np.linspace(0, len(values), min(count, len(values)) + 1).astype(np.int64)
    starts = edges[:-1]
    return Stretches(
        edges.astype(np.float64),
        np.add.reduceat(values, starts) / np.diff(edges),
        np.minimum.reduceat(values, starts),
        np.maximum.reduceat(values, starts),
    )


def time_unit(rows: int, period_ns: int) -> tuple[str, float]:
    """Return the unit of time that suits this many rows, and the duration of one row in it."""
    seconds = period_ns / NS_PER_S
    name, size = next((unit for unit in _UNITS if rows * seconds >= 2 * unit[1]), _UNITS[-1])
    return name, seconds / size


def liveliest(values: F64, length: int) -> slice:
    """Return the `length` rows of values (M,) with the largest variance, or all rows if there are fewer."""
    if len(values) <= length:
        return slice(0, len(values))
    # Steps of a quarter of the length are enough: the position need not be exact.
    starts = np.arange(0, len(values) - length + 1, max(length // 4, 1))
    sums = np.concatenate(([0.0], np.cumsum(values)))
    squares = np.concatenate(([0.0], np.cumsum(values**2)))
    mean = (sums[starts + length] - sums[starts]) / length
    variance = (squares[starts + length] - squares[starts]) / length - mean**2
    start = int(starts[variance.argmax()])
    return slice(start, start + length)
