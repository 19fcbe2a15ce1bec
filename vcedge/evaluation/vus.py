"""Computes VUS-PR, the volume under the range-PR surface (Paparrizos et al. 2022, as defined for TSB-AD).

For each buffer width w = 0..window the label gets a square-root ramp of w // 2 rows on both sides of every event,
recall is multiplied by the share of buffered events that are hit, and average precision is taken over 250 rank-spaced
thresholds; the result is the mean over w. Only rows near an event change with w, so only they are recounted. A ramp is
at least sqrt(1/2) where it is not 0, so a row that two ramps reach has the label 1: the two nearest events suffice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vcedge.imputation import hold_last
from vcedge.schema import F64

THRESHOLDS = 250
MAX_LAG, SHORTEST, LONGEST, DEFAULT_PERIOD = 400, 3, 300, 125
"""Lags that are searched for a period, the range of valid periods, and the period if none is found."""
PERIOD_ROWS = 20_000
I64 = NDArray[np.int64]


def segments(labels: ArrayLike) -> list[tuple[int, int]]:
    """Return (first row, row after the last) of each run of ones in labels (N,)."""
    edges = np.diff(np.concatenate(([0], np.asarray(labels).astype(np.int8), [0])))
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))


def vus_pr(score: ArrayLike, labels: ArrayLike, window: int, thresholds: int = THRESHOLDS) -> float:
    """Compute VUS-PR in O(window * rows near events).

    Args:
        score: finite scores (N,), higher for more anomalous rows.
        labels: labels (N,) of 0 and 1.
        window: widest buffer in rows, usually `dominant_period` of the input.
        thresholds: number of thresholds.

    Returns:
        A number from 0 to 1; NaN without any event.

    Raises:
        ValueError: scores that are not finite, or shapes that differ.
    """
    values, inside, parts = _checked(score, labels)
    if not parts:
        return float("nan")
    rows, positive = len(values), int(inside.sum())
    falling = np.sort(values)[::-1]
    limits = falling[np.linspace(0, rows - 1, thresholds).astype(int)]  # (T,) not increasing
    predicted = np.searchsorted(-falling, -limits, side="right")  # (T,) rows at or above each, ties included
    hits = np.cumsum(np.bincount(_first_limit(values[inside], limits), minlength=thresholds))  # (T,) inside events
    halo = _Halo(values, parts, limits, window // 2)
    hit_share = _HitEvents(values, parts, limits)
    area = 0.0
    for width in range(window + 1):
        buffered = halo.labels_above(width)  # (T,)
        recall = np.minimum((hits + buffered) / ((2 * positive + buffered) / 2), 1) * hit_share.share(width // 2)
        precision = (hits + buffered) / predicted
        area += float(np.sum(np.diff(np.concatenate(([0.0], recall))) * precision))
    return area / (window + 1)


def dominant_period(signal: ArrayLike) -> int:
    """Return the strongest period in rows of a signal (N,) from its autocorrelation; 125 without any (TSB-AD's rule).

    A missing value holds the last one.
    """
    x = np.asarray(signal, np.float64).ravel()[:PERIOD_ROWS]
    known = np.isfinite(x)
    x = hold_last(x, ~known, float(x[np.argmax(known)]) if known.any() else 0.0)
    x = x - x.mean() if len(x) else x
    if len(x) < MAX_LAG + 2 or x.std() == 0:
        return DEFAULT_PERIOD
    spectrum = np.fft.rfft(x, 2 ** int(np.ceil(np.log2(2 * len(x)))))
    correlation = np.fft.irfft(spectrum * np.conj(spectrum))[: MAX_LAG + 1]
    correlation = (correlation / correlation[0])[SHORTEST:]
    inner = correlation[1:-1]
    peaks = np.flatnonzero((inner > correlation[:-2]) & (inner > correlation[2:])) + 1
    if not len(peaks):
        return DEFAULT_PERIOD
    best = int(peaks[np.argmax(correlation[peaks])])
    return DEFAULT_PERIOD if best < SHORTEST or best > LONGEST else best + SHORTEST


class _Halo:
    """Holds the rows outside events that a ramp can reach, sorted by their distance from the nearest event."""

    def __init__(self, values: F64, parts: list[tuple[int, int]], limits: F64, reach: int) -> None:
        self._thresholds = len(limits)
        near = _near_rows(parts, reach, len(values))
        first, second = _two_distances(near, parts)
        order = np.argsort(first, kind="stable")
        self._first: I64 = first[order]  # (R,) distance to the event whose ramp is highest
        self._second: I64 = second[order]  # (R,) distance to the next one
        self._limit = _first_limit(values[near], limits)[order]  # (R,) the highest threshold that the row reaches

    def labels_above(self, width: int) -> F64:
        """Sum the ramps of a buffer width over the rows at or above each threshold (T,)."""
        count = int(np.searchsorted(self._first, width // 2, side="right"))
        if count == 0:
            return np.zeros(self._thresholds)
        ramp = np.sqrt(1 - self._first[:count] / width)
        label = np.where(self._second[:count] <= width // 2, 1.0, ramp)
        return np.cumsum(np.bincount(self._limit[:count], label, minlength=self._thresholds))


class _HitEvents:
    """Computes the share of buffered events in which a row reaches a threshold; buffers that meet make one event."""

    def __init__(self, values: F64, parts: list[tuple[int, int]], limits: F64) -> None:
        self._values, self._limits = values, limits
        self._starts, self._stops = (np.array(side) for side in zip(*parts, strict=True))
        self._reach = 0
        self._largest = np.array([values[a:b].max() for a, b in parts])  # (events,) within the reach so far

    def share(self, reach: int) -> F64:
        """Return the share (T,) for buffers of `reach` rows on each side; calls must not decrease `reach`."""
        while self._reach < reach:
            self._reach += 1
            before = self._values[np.maximum(self._starts - self._reach, 0)]
            after = self._values[np.minimum(self._stops - 1 + self._reach, len(self._values) - 1)]
            self._largest = np.maximum(self._largest, np.maximum(before, after))
        apart = self._stops[:-1] - 1 + reach < self._starts[1:] - reach
        groups = np.concatenate(([0], np.flatnonzero(apart) + 1))
        largest = np.sort(np.maximum.reduceat(self._largest, groups))
        return np.asarray((len(largest) - np.searchsorted(largest, self._limits, side="left")) / len(largest))


def _checked(score: ArrayLike, labels: ArrayLike) -> tuple[F64, NDArray[np.bool_], list[tuple[int, int]]]:
    """Return scores, labels and events; raise ValueError for scores that are not finite or labels of another shape."""
    values, inside = np.asarray(score, np.float64), np.asarray(labels).astype(bool)
    if values.shape != inside.shape or values.ndim != 1:
        raise ValueError(f"scores {values.shape} and labels {inside.shape}, expected (N,) and (N,)")
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite")
    return values, inside, segments(inside)


def _first_limit(values: F64, limits: F64) -> I64:
    """Return the index of the first of the falling limits (T,) that each value reaches; the last is the minimum."""
    return np.asarray(np.searchsorted(-limits, -values, side="left"))


def _near_rows(parts: list[tuple[int, int]], reach: int, rows: int) -> I64:
    """Return the rows outside every event, but within `reach` of one."""
    marks = np.zeros(rows + 1, np.int64)
    inside = np.zeros(rows, bool)
    for start, stop in parts:
        marks[max(start - reach, 0)] += 1
        marks[min(stop + reach, rows)] -= 1
        inside[start:stop] = True
    return np.flatnonzero((np.cumsum(marks[:-1]) > 0) & ~inside)


def _two_distances(rows: I64, parts: list[tuple[int, int]]) -> tuple[I64, I64]:
    """Return the distances of rows outside events to the nearest and the second nearest event, before or after."""
    far = np.iinfo(np.int64).max // 2
    last = np.array([-far, -far, *(stop - 1 for _, stop in parts)])
    first = np.array([*(start for start, _ in parts), far, far])
    before = np.searchsorted(last, rows)  # events that end before the row, and 2
    after = before - 2
    distances = np.sort(
        [rows - last[before - 1], rows - last[before - 2], first[after] - rows, first[after + 1] - rows], 0
    )
    return distances[0], distances[1]
