"""Fits the linear highway, ridge VAR(P), in closed form, and measures its spread by cross-fitting.

Blocks of the fitted rows are left out in turn and forecast by the fit on the others; the fit on all of them forecasts
the tail. A spread measured on the fitted rows would be too small, one of the short tail alone not representative.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vcedge.calibration.split import Ranges, Split, rows_in
from vcedge.detector import Features, Highway
from vcedge.imputation import hold_last
from vcedge.schema import F32, F64

FOLDS = 5
SPREAD_FLOOR = 0.05
"""Smallest spread, in standard deviations of the channel: an almost noiseless channel must not dominate the sum."""
CONSTANT = 1e-12
"""A channel whose standard deviation is below this share of its mean is constant."""
CHUNK_ROWS = 20_000


@dataclass(frozen=True)
class CrossFit:
    """Holds the highway, and each row's residual, in spreads, of a fit without that row; NaN where unknown."""

    highway: Highway
    residual: F32  # (N, C)


def fit_features(values: F64, ranges: Ranges, *, flags: bool) -> Features:
    """Measure centre, scale and size of change of each channel over some rows of values (N, C)."""
    rows = np.concatenate([values[a:b] for a, b in ranges])
    present = np.isfinite(rows).sum(axis=0)
    center = np.nansum(rows, axis=0) / np.maximum(present, 1)
    variance = np.nansum((rows - center) ** 2, axis=0) / np.maximum(present, 1)
    spread = np.sqrt(variance)
    # Relative to the value: a vacuum gauge's 1e-10 mbar is a signal, the rounding of a constant 1e5 is not.
    scale = np.where(spread > CONSTANT * np.maximum(np.abs(center), 1e-300), spread, 1.0)
    change = np.concatenate([np.diff(values[a:b], axis=0) for a, b in ranges]) / scale
    seen = np.maximum(np.isfinite(change).sum(axis=0), 1)
    change_scale = np.sqrt(np.nansum(change**2, axis=0) / seen)
    return Features(center, scale, np.maximum(change_scale, 1e-3).astype(np.float32), flags=flags)


def standardise(values: F64, features: Features) -> F64:
    """Return rows (N, C) standardised and clipped; a missing value holds the last one, or the mean before any."""
    z = np.clip((values - features.center) / features.scale, -features.clip, features.clip)
    missing = ~np.isfinite(values)
    return hold_last(z, missing, 0.0) if missing.any() else np.asarray(z)


def cross_fit(values: F64, features: Features, split: Split, order: int, ridge: float, ahead: int = 1) -> CrossFit:
    """Fit a forecaster to the rows before the tail and measure its residuals on rows that the fit did not use.

    It forecasts each row of values (N, C) from `order` rows, the last of them `ahead` rows before it. Missing values
    are NaN and have no residual.
    """
    channels = values.shape[1]
    blocks = _blocks(split.fitted, FOLDS)
    lags = range(ahead, ahead + order)
    grams = [_gram(values, features, block, split.starts, lags) for block in blocks]
    left = np.sum([gram[0] for gram in grams], axis=0)
    right = np.sum([gram[1] for gram in grams], axis=0)
    weights = _solve(left, right, ridge)
    residual = np.full(values.shape, np.nan, np.float32)
    for block, gram in zip(blocks, grams, strict=True):
        others = _solve(left - gram[0], right - gram[1], ridge)
        _residuals(values, _design(values, features, block, split.starts, lags), others, residual)
    _residuals(values, _design(values, features, split.tail, split.starts, lags), weights, residual)
    bias, spread = residual_spread(residual)
    highway = Highway(weights.astype(np.float32), bias, spread, ridge, ahead)
    assert highway.weights.shape == (1 + order * channels, channels)
    return CrossFit(highway, (residual - bias) / spread)


def fold_sums(values: F64, features: Features, split: Split, order: int) -> list[tuple[F64, F64, F64, int]]:
    """Return for each block of the rows before the tail A'A, A'T, the sum of squares of T (C,), and its rows."""
    sums = []
    for block in _blocks(split.fitted, FOLDS):
        left, right = _gram(values, features, block, split.starts, range(1, order + 1))
        chunks = _design(values, features, block, split.starts, range(1, order + 1))
        power = np.sum([(target**2).sum(axis=0) for _, _, target in chunks] or [np.zeros(values.shape[1])], axis=0)
        sums.append((left, right, power, int(left[0, 0])))
    return sums


def residual_spread(residual: F32) -> tuple[F32, F32]:
    """Return mean and floored standard deviation (C,) of residuals (N, C); NaN is skipped."""
    seen = np.maximum(np.isfinite(residual).sum(axis=0), 1)
    wide = residual.astype(np.float64)
    bias = np.nansum(wide, axis=0) / seen
    spread = np.sqrt(np.nansum((wide - bias) ** 2, axis=0) / seen)
    return bias.astype(np.float32), np.maximum(spread, SPREAD_FLOOR).astype(np.float32)


def fit_weights(values: F64, features: Features, ranges: Ranges, order: int, ridge: float) -> F64:
    """Fit ridge VAR weights (1 + P C, C) to all rows of some ranges."""
    return _solve(*_gram(values, features, ranges, frozenset(a for a, _ in ranges), range(1, order + 1)), ridge)


def _blocks(ranges: Ranges, folds: int) -> list[Ranges]:
    """Cut ranges into `folds` blocks of about equal length, in order of time."""
    total = rows_in(ranges)
    blocks: list[list[tuple[int, int]]] = [[] for _ in range(folds)]
    done = 0
    for start, stop in ranges:
        while start < stop:
            fold = min(done * folds // total, folds - 1)
            length = min(stop - start, -(-(fold + 1) * total // folds) - done)
            blocks[fold].append((start, start + length))
            start, done = start + length, done + length
    return [tuple(block) for block in blocks]


def _design(
    values: F64, features: Features, ranges: Ranges, starts: frozenset[int], lags: range
) -> Iterator[tuple[int, F64, F64]]:
    """Yield chunks of (first target row, lagged rows with intercept (n, 1 + P C), targets (n, C)).

    `lags` say how far back each lagged row is. `starts` are the first rows of the sequences: lags may reach back over
    the border of a range, but not over a gap.
    """
    borders, reach = sorted(starts), lags[-1]
    for start, stop in ranges:
        sequence = borders[bisect_right(borders, start) - 1]
        for first in range(max(start, sequence + reach), stop, CHUNK_ROWS):
            last = min(first + CHUNK_ROWS, stop)
            z = standardise(values[first - reach : last], features)
            past = [z[reach - lag : len(z) - lag] for lag in lags]
            yield first, np.hstack([np.ones((last - first, 1)), *past]), z[reach:]


def _gram(values: F64, features: Features, ranges: Ranges, starts: frozenset[int], lags: range) -> tuple[F64, F64]:
    """Sum A'A (1 + P C, 1 + P C) and A'T (1 + P C, C) over some rows."""
    channels = values.shape[1]
    size = 1 + len(lags) * channels
    left, right = np.zeros((size, size)), np.zeros((size, channels))
    for _, design, target in _design(values, features, ranges, starts, lags):
        left += design.T @ design
        right += design.T @ target
    return left, right


def _solve(left: F64, right: F64, ridge: float) -> F64:
    return np.asarray(np.linalg.solve(left + ridge * np.eye(len(left)), right))


def _residuals(values: F64, chunks: Iterator[tuple[int, F64, F64]], weights: F64, out: F32) -> None:
    """Write target - forecast of some rows into `out` (N, C); NaN where the target or the value before is missing."""
    for first, design, target in chunks:
        rows = slice(first, first + len(target))
        measured = np.isfinite(values[first - 1 : first + len(target)])
        out[rows] = np.where(measured[1:] & measured[:-1], target - design @ weights, np.nan)
