"""Fits the linear models of a detector to some rows, and measures squared errors of all kinds on others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.highway import fit_features, fit_highway, forecast_errors, intervals, standardise
from vcedge.calibration.split import Ranges
from vcedge.detector import Features, Highway
from vcedge.schema import F32, F64
from vcedge.scorer import ERROR_CAP, ErrorKind, Reconstruction, fill_matrix

AHEAD = 5
"""Rows that the second forecast looks ahead: it models changes over several rows, not from one to the next."""
LAGS = (0, 1, 2, 4)
"""Lags of the rows that components reconstruct: doubling steps cover the same window at a quarter of the size."""
KEPT_VARIANCE = 0.85
COVARIANCE_RIDGE = 0.05
"""Added to the residuals' variances before whitening, so that nearly equal channels do not divide by almost 0."""
MOST_ROWS = 8000
"""Most rows that components are fitted to, evenly spaced."""


@dataclass(frozen=True)
class Rows:
    """Holds the rows of a recording and what is known of its channels."""

    values: F64  # (N, C) NaN where missing
    starts: frozenset[int]
    """First rows of the sequences: no state is carried over from the row before one."""
    sensors: NDArray[np.bool_]  # (C,) channels that are forecast
    live: NDArray[np.bool_]  # (C,) channels that moved

    @property
    def measured(self) -> NDArray[np.bool_]:
        """True (N, C) where a value was measured, in the row and in the one before."""
        measured = np.isfinite(self.values)
        measured[1:] &= measured[:-1]
        return measured


@dataclass(frozen=True)
class LinearModel:
    """Holds the linear models that were fitted to some rows."""

    features: Features
    highway: Highway
    horizon: Highway
    whiten: F32  # (C, C)
    reconstruction: Reconstruction

    def standardised(self, rows: Rows) -> F64:
        """Return the rows (N, C) standardised, with the holes filled as the engine does."""
        z = standardise(rows.values, self.features, rows.starts)
        missing = ~np.isfinite(rows.values)
        if missing.any():
            self._fill(z, missing, rows)
        return z

    def _fill(self, z: F64, missing: NDArray[np.bool_], rows: Rows) -> None:
        """Replace held values of sensors in z (N, C) by forecasts, row after row."""
        highway = self.highway
        weights, fill = highway.weights.astype(np.float64), fill_matrix(self.whiten)
        borders, clip = np.array(sorted(rows.starts)), self.features.clip
        holes = np.flatnonzero((missing & rows.sensors).any(axis=1))
        first = borders[np.searchsorted(borders, holes, side="right") - 1]
        for row in holes[holes - first >= highway.order].tolist():
            past = z[row - highway.order : row][::-1].ravel()
            forecast = weights[0] + past @ weights[1:] + highway.bias
            known = np.where(missing[row] | ~rows.sensors, 0.0, (z[row] - forecast) / highway.spread)
            likely = np.clip(forecast + highway.spread * (fill @ known), -clip, clip)
            z[row] = np.where(missing[row] & rows.sensors, likely, z[row])

    def squares(self, z: F64, ranges: Ranges, rows: Rows) -> dict[ErrorKind, F64]:
        """Return the squared errors (n, C) by kind on some ranges of z (N, C); NaN without enough rows before."""
        near = self._errors(z, ranges, rows, self.highway)
        far = self._errors(z, ranges, rows, self.horizon)
        kinds: dict[ErrorKind, F64] = {
            "whitened": (near @ self.whiten) ** 2,
            "single": near**2,
            "ahead": far**2,
            "window": self._window(z, ranges, rows),
        }
        return {kind: np.minimum(squared, ERROR_CAP) for kind, squared in kinds.items()}

    def _errors(self, z: F64, ranges: Ranges, rows: Rows, highway: Highway) -> F64:
        """Return the errors (n, C) of a forecaster in spreads."""
        kept = intervals(ranges, rows.starts, highway.reach)
        errors = forecast_errors(z, kept, highway.weights.astype(np.float64), rows.sensors, highway.ahead)
        return _padded((errors - highway.bias) / highway.spread, kept, ranges)

    def _window(self, z: F64, ranges: Ranges, rows: Rows) -> F64:
        """Return the squares (n, C) of what components leave of the last rows, summed over the lags."""
        model = self.reconstruction
        kept = intervals(ranges, rows.starts, model.lags[-1])
        windows = np.concatenate([windows_of(z, a, b, model.lags) for a, b in kept]) - model.mean
        left = windows - (windows @ model.components.T) @ model.components
        squares = (left**2).reshape(len(left), len(model.lags), -1).sum(axis=1) * rows.sensors
        return _padded(squares, kept, ranges)


def fit_linear_model(
    rows: Rows, ranges: Ranges, order: int, ridge: float, *, flags: bool = False, full: LinearModel | None = None
) -> LinearModel:
    """Fit the linear models to some ranges; a channel that stands still there keeps the scale of the `full` model."""
    features = fit_features(rows.values, ranges, flags=flags, usual=None if full is None else full.features.scale)
    z = standardise(rows.values, features, rows.starts)
    measured = rows.measured
    near = intervals(ranges, rows.starts, order)
    highway, residual = fit_highway(z, measured, near, rows.sensors, (order, ridge, 1))
    far = intervals(ranges, rows.starts, order + AHEAD - 1)
    horizon, _ = fit_highway(z, measured, far, rows.sensors, (order, ridge, AHEAD))
    return LinearModel(features, highway, horizon, _whitening(residual, rows.sensors), _components(z, ranges, rows))


def windows_of(z: F64, start: int, stop: int, lags: tuple[int, ...]) -> F64:
    """Return the rows `lags` back side by side (stop - start, lags * C)."""
    return np.hstack([z[start - lag : stop - lag] for lag in lags])


def _padded(found: F64, kept: Ranges, ranges: Ranges) -> F64:
    """Return rows found on the intervals `kept` of some ranges, with NaN in front of each for those cut off."""
    stops = {stop: stop - start for start, stop in kept}
    padded, at = [], 0
    for start, stop in ranges:
        count = stops.get(stop, 0)
        padded += [np.full((stop - start - count, found.shape[1]), np.nan), found[at : at + count]]
        at += count
    return np.concatenate(padded)


def _whitening(residual: F64, sensors: NDArray[np.bool_]) -> F32:
    """Return the symmetric root (C, C) of the inverse covariance of residuals in spreads (n, C), 0 for other channels.

    The symmetric root keeps each whitened error closest to its own channel, so that it can be attributed to it.
    """
    whiten = np.zeros((len(sensors),) * 2, np.float32)
    if not sensors.any():
        return whiten
    known = residual[:, sensors]
    covariance = known.T @ known / max(len(known), 1) + COVARIANCE_RIDGE * np.eye(known.shape[1])
    values, vectors = np.linalg.eigh(covariance)
    whiten[np.ix_(sensors, sensors)] = (vectors / np.sqrt(values)) @ vectors.T
    return whiten


def _components(z: F64, ranges: Ranges, rows: Rows) -> Reconstruction:
    """Fit the principal components that hold KEPT_VARIANCE of the variance of windows of the sensors."""
    kept = intervals(ranges, rows.starts, LAGS[-1])
    windows = np.concatenate([windows_of(z * rows.sensors, a, b, LAGS) for a, b in kept])
    windows = windows[:: max(1, len(windows) // MOST_ROWS)]
    mean = windows.mean(axis=0)
    power, vectors = np.linalg.eigh((windows - mean).T @ (windows - mean))
    power, vectors = np.maximum(power[::-1], 0.0), vectors[:, ::-1]
    kept_parts = min(int(np.searchsorted(np.cumsum(power), KEPT_VARIANCE * power.sum())) + 1, len(power))
    components = np.ascontiguousarray(vectors[:, :kept_parts].T, np.float32)
    return Reconstruction(LAGS, mean.astype(np.float32), components * np.tile(rows.sensors, len(LAGS)))
