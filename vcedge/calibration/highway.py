"""Fits linear forecasters, ridge VAR(P), in closed form, and measures their errors."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.split import Ranges
from vcedge.detector import Features, Highway
from vcedge.imputation import hold_last
from vcedge.schema import F64

SPREAD_FLOOR = 0.05
"""Smallest spread, in standard deviations of the channel: an almost noiseless channel must not dominate the sum."""
CONSTANT = 1e-12
"""A channel whose standard deviation is below this share of its mean is constant."""
STANDS_STILL = 1e-3
"""A channel stands still in some rows if its standard deviation there is below this share of its usual one."""
CHUNK_ROWS = 20_000


def fit_features(values: F64, ranges: Ranges, *, flags: bool, usual: F64 | None = None) -> Features:
    """Measure centre, scale and size of change of each channel over some rows of values (N, C).

    A channel that stands still in these rows has the scale 1, or its `usual` one (C,).
    """
    rows = np.concatenate([values[a:b] for a, b in ranges])
    present = np.isfinite(rows).sum(axis=0)
    center = np.nansum(rows, axis=0) / np.maximum(present, 1)
    variance = np.nansum((rows - center) ** 2, axis=0) / np.maximum(present, 1)
    spread = np.sqrt(variance)
    # Relative to the value: a vacuum gauge's 1e-10 mbar is a signal, the rounding of a constant 1e5 is not.
    least = CONSTANT * np.maximum(np.abs(center), 1e-300)
    if usual is not None:
        least = np.maximum(least, STANDS_STILL * usual)
    scale = np.where(spread > least, spread, 1.0 if usual is None else usual)
    change = np.concatenate([np.diff(values[a:b], axis=0) for a, b in ranges]) / scale
    seen = np.maximum(np.isfinite(change).sum(axis=0), 1)
    change_scale = np.sqrt(np.nansum(change**2, axis=0) / seen)
    return Features(center, scale, np.maximum(change_scale, 1e-3).astype(np.float32), flags=flags)


def standardise(values: F64, features: Features, starts: frozenset[int] = frozenset()) -> F64:
    """Return rows (N, C) standardised and clipped.

    A missing value holds the last one of its sequence, or the mean before any; `starts` are the first rows of the
    sequences.
    """
    z = np.clip((values - features.center) / features.scale, -features.clip, features.clip)
    missing = ~np.isfinite(values)
    if not missing.any():
        return np.asarray(z)
    borders = [*sorted(starts | {0}), len(z)]
    parts = [hold_last(z[a:b], missing[a:b], 0.0) for a, b in pairwise(borders) if a < b]
    return np.concatenate(parts)


def intervals(ranges: Ranges, starts: frozenset[int], reach: int) -> Ranges:
    """Return the rows of some ranges that have `reach` rows before them in their sequence."""
    borders = sorted(starts)
    cut = ((max(a, borders[bisect_right(borders, a) - 1] + reach), b) for a, b in ranges)
    return tuple((a, b) for a, b in cut if a < b)


def lagged(z: F64, ranges: Ranges, lags: range) -> Iterator[tuple[int, F64]]:
    """Yield chunks of (first row, 1 and the rows `lags` back (n, 1 + P C)) of intervals of rows z (N, C)."""
    for start, stop in ranges:
        for first in range(start, stop, CHUNK_ROWS):
            last = min(first + CHUNK_ROWS, stop)
            past = [z[first - lag : last - lag] for lag in lags]
            yield first, np.hstack([np.ones((last - first, 1)), *past])


def fit_highway(
    z: F64, measured: NDArray[np.bool_], ranges: Ranges, sensors: NDArray[np.bool_], highway: tuple[int, float, int]
) -> tuple[Highway, F64]:
    """Fit a forecaster of the sensors to intervals of rows z (N, C).

    Args:
        z: Standardised rows without holes.
        measured: (N, C) true where a value was measured, now and one row before.
        ranges: Rows to fit to, each with enough rows before it.
        sensors: (C,) channels to forecast; the others are inputs alone.
        highway: Order, ridge, and rows ahead.

    Returns:
        The forecaster, and its residuals on these rows (n, C) in spreads, 0 where not measured.
    """
    order, ridge, ahead = highway
    weights = _solve(*_gram(z, ranges, range(ahead, ahead + order), sensors), ridge)
    error = forecast_errors(z, ranges, weights, sensors, ahead)
    known = np.concatenate([measured[a:b] for a, b in ranges])
    count = np.maximum(known.sum(axis=0), 1)
    bias = np.where(known, error, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, error - bias, 0.0) ** 2).sum(axis=0) / count)
    spread = np.where(sensors, np.maximum(spread, SPREAD_FLOOR), 1.0)
    bias = np.where(sensors, bias, 0.0)
    fitted = (weights.astype(np.float32), bias.astype(np.float32), spread.astype(np.float32))
    return Highway(*fitted, ridge, ahead), np.where(known, (error - bias) / spread, 0.0)


def forecast_errors(z: F64, ranges: Ranges, weights: F64, sensors: NDArray[np.bool_], ahead: int) -> F64:
    """Return the errors (n, C), in standard deviations, of forecasts of intervals of rows z (N, C)."""
    order = (len(weights) - 1) // z.shape[1]
    chunks = [
        z[first : first + len(design)] * sensors - design @ weights
        for first, design in lagged(z, ranges, range(ahead, ahead + order))
    ]
    return np.concatenate(chunks) if chunks else np.zeros((0, z.shape[1]))


def held_out_residual(
    z: F64, measured: NDArray[np.bool_], blocks: list[Ranges], sensors: NDArray[np.bool_], highway: Highway
) -> F64:
    """Return the residuals (N, C), in the spreads of a forecaster, of fits that have not seen the row.

    Each of the blocks (intervals of rows z (N, C)) is forecast by a fit to the others. NaN outside of the blocks, and
    where a value was not measured, now or one row before.
    """
    lags = range(highway.ahead, highway.ahead + highway.order)
    sums = [_gram(z, block, lags, sensors) for block in blocks]
    left, right = (np.sum(parts, axis=0) for parts in zip(*sums, strict=True))
    residual = np.full(z.shape, np.nan)
    for block, (block_left, block_right) in zip(blocks, sums, strict=True):
        weights = _solve(left - block_left, right - block_right, highway.ridge)
        errors = (forecast_errors(z, block, weights, sensors, highway.ahead) - highway.bias) / highway.spread
        rows = np.concatenate([np.arange(a, b) for a, b in block]) if block else np.zeros(0, int)
        residual[rows] = np.where(measured[rows], errors, np.nan)
    return residual


def fit_weights(values: F64, features: Features, ranges: Ranges, order: int, ridge: float) -> F64:
    """Fit ridge VAR weights (1 + P C, C) to all rows of some ranges, each a sequence of its own."""
    starts = frozenset(a for a, _ in ranges)
    z = standardise(values, features, starts)
    sensors = np.ones(values.shape[1], bool)
    return _solve(*_gram(z, intervals(ranges, starts, order), range(1, order + 1), sensors), ridge)


def _gram(z: F64, ranges: Ranges, lags: range, sensors: NDArray[np.bool_]) -> tuple[F64, F64]:
    """Sum A'A (1 + P C, 1 + P C) and A'T (1 + P C, C) over intervals of rows z (N, C)."""
    size = 1 + len(lags) * z.shape[1]
    left, right = np.zeros((size, size)), np.zeros((size, z.shape[1]))
    for first, design in lagged(z, ranges, lags):
        left += design.T @ design
        right += design.T @ (z[first : first + len(design)] * sensors)
    return left, right


def _solve(left: F64, right: F64, ridge: float) -> F64:
    return np.asarray(np.linalg.solve(left + ridge * np.eye(len(left)), right))
