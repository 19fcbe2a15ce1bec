"""Forecasts rows by ridge regression on the last rows, and measures errors of four kinds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float64]
Ranges = list[tuple[int, int]]

AHEAD = 5
"""Rows that the second forecast looks ahead."""
OFFSETS = (0, 1, 2, 4)
"""Ages of the rows in the window that principal components reconstruct."""


def ewma(values: Array, span: float, initial: Array | float) -> Array:
    """Return the exponentially weighted mean of values (rows or rows x channels), started at initial."""
    gain = 2 / (span + 1)
    state = (1 - gain) * np.atleast_1d(initial)
    filtered = lfilter([gain], [1, gain - 1], values, axis=0, zi=state[None] if values.ndim > 1 else state)
    return np.asarray(filtered[0])


class Forecast:
    """Holds the roles and scales of the channels and the linear models, fitted on ranges of training rows."""

    def __init__(self, train: Array, ranges: Ranges, order: int, ridge: float, roles: Forecast | None = None) -> None:
        """Fit on train (rows x channels) within ranges; take the channels' roles from another fit if given."""
        rows = np.concatenate([train[a:b] for a, b in ranges])
        self.order, self.mean = order, rows.mean(0)
        deviation = rows.std(0)
        if roles is None:
            self.constant = np.ptp(rows, axis=0) == 0
            self.command = np.array(
                [not k and is_command(column) for k, column in zip(self.constant, rows.T, strict=True)]
            )
            self.scale = np.where(deviation > 1e-9, deviation, 1.0)
        else:  # a channel that stood still in these ranges keeps the scale of the full fit
            self.constant, self.command = roles.constant, roles.command
            self.scale = np.where(deviation > 1e-3 * roles.scale, deviation, roles.scale)
        self.live = ~self.constant
        self.sensor = self.live & ~self.command
        self.has_sensors = bool(self.sensor.any())
        if self.has_sensors:
            self._fit([self.standardize(train[a:b]) for a, b in ranges], ridge)

    def _fit(self, parts: list[Array], ridge: float) -> None:
        self.weights, errors = self._regress(parts, 1, ridge)
        self.bias, self.spread = errors.mean(0), np.maximum(errors.std(0), 0.05)
        errors = (errors - self.bias) / self.spread
        values, vectors = np.linalg.eigh(errors.T @ errors / len(errors) + 0.05 * np.eye(errors.shape[1]))
        self.whitening = (vectors / np.sqrt(values)) @ vectors.T
        self.ahead_weights, errors = self._regress(parts, AHEAD, ridge)
        self.ahead_bias, self.ahead_spread = errors.mean(0), np.maximum(errors.std(0), 0.05)
        windows = np.vstack([windows_of(z[:, self.sensor]) for z in parts if len(z) > 8])
        windows = windows[:: max(1, len(windows) // 8000)]
        self.window_mean = windows.mean(0)
        values, vectors = np.linalg.eigh((windows - self.window_mean).T @ (windows - self.window_mean))
        values, vectors = values[::-1], vectors[:, ::-1]
        kept = int(np.searchsorted(np.cumsum(values), 0.85 * values.sum())) + 1
        self.components = vectors[:, :kept]

    def standardize(self, rows: Array) -> Array:
        """Return rows in standard deviations, cut at 10, holes at the mean."""
        return np.clip(np.nan_to_num((rows - self.mean) / self.scale), -10, 10)

    def _lags(self, z: Array, ahead: int = 1) -> Array:
        p, n = self.order, len(z)
        past = [z[p - k - 1 : n - k - ahead, self.live] for k in range(p)]
        return np.c_[np.ones(n - p - ahead + 1), np.hstack(past)]

    def _regress(self, parts: list[Array], ahead: int, ridge: float) -> tuple[Array, Array]:
        """Return the weights of the forecast and its errors on the rows of the fit."""
        parts = [z for z in parts if len(z) > self.order + ahead + 5]
        inputs = np.vstack([self._lags(z, ahead) for z in parts])
        targets = np.vstack([z[self.order + ahead - 1 :, self.sensor] for z in parts])
        weights = np.linalg.solve(inputs.T @ inputs + ridge * np.eye(inputs.shape[1]), inputs.T @ targets)
        return weights, targets - inputs @ weights

    def errors(self, rows: Array) -> dict[str, Array]:
        """Return squared errors (rows x sensors) by kind; rows without enough past are NaN."""
        z = self.standardize(rows)
        count, sensors, p = len(z), int(self.sensor.sum()), self.order

        def pad(skipped: int, squares: Array) -> Array:
            return np.vstack([np.full((skipped, sensors), np.nan), np.minimum(squares, 1e6)])

        near = (z[p:, self.sensor] - self._lags(z) @ self.weights - self.bias) / self.spread
        far = z[p + AHEAD - 1 :, self.sensor] - self._lags(z, AHEAD) @ self.ahead_weights - self.ahead_bias
        far = far / self.ahead_spread
        windows = windows_of(z[:, self.sensor]) - self.window_mean
        windows = windows - (windows @ self.components) @ self.components.T
        return {
            "whitened": pad(p, (near @ self.whitening) ** 2),
            "single": pad(p, near**2),
            "ahead": pad(p + AHEAD - 1, far**2),
            "window": pad(4, (windows**2).reshape(count - 4, len(OFFSETS), sensors).sum(1)),
        }

    def fill(self, rows: Array) -> Array:
        """Return rows without holes.

        A sensor gets its forecast plus what the other residuals of the row say, any other channel its last value.
        """
        rows = rows.copy()
        missing = np.isnan(rows)
        sensors = np.flatnonzero(self.sensor)
        inverse = self.whitening @ self.whitening if self.has_sensors else None
        for i in np.flatnonzero(missing.any(1)):
            holes = missing[i]
            rows[i, holes] = rows[i - 1, holes] if i else self.mean[holes]
            if inverse is None or i < self.order or not holes[sensors].any():
                continue
            past = self.standardize(rows[i - self.order : i])[::-1][:, self.live].ravel()
            forecast = np.r_[1.0, past] @ self.weights + self.bias
            holed = holes[sensors]
            error = np.where(holed, 0.0, (self.standardize(rows[i])[sensors] - forecast) / self.spread)
            error[holed] = -np.linalg.solve(inverse[np.ix_(holed, holed)], inverse[holed] @ error)
            filled = (forecast + error * self.spread) * self.scale[sensors] + self.mean[sensors]
            rows[i, sensors[holed]] = filled[holed]
        return rows


def is_command(column: Array) -> bool:
    """Return True if a channel takes at most two values, all integers."""
    return len(np.unique(column)) <= 2 and bool(np.all(column == np.round(column)))


def windows_of(z: Array) -> Array:
    """Return the rows of OFFSETS side by side, for each row that has them."""
    return np.hstack([z[4 - k : len(z) - k] for k in OFFSETS])
