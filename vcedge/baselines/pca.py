"""Scores rows by principal components: T² and Q of process monitoring, and the reconstruction error of windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.baselines.interface import Cost, StandardisedBaseline, features_of, standardised
from vcedge.calibration.split import Ranges
from vcedge.errors import DataError
from vcedge.schema import F64

KEPT = 0.9
"""Share of the variance that the components explain."""
LIMIT_QUANTILE = 0.99
CLIP, WINDOW_CLIP = 20.0, 10.0
WINDOW, FITTED_WINDOWS = 20, 4000
CHUNK_ROWS = 5000


@dataclass(frozen=True)
class Components:
    """Holds the orthogonal directions of largest variance."""

    mean: F64  # (d,)
    directions: F64  # (k, d)
    variance: F64  # (k,)

    @classmethod
    def of(cls, rows: F64) -> Components:
        """Fit the fewest components of rows (N, d) that explain at least KEPT of their variance."""
        mean = rows.mean(axis=0)
        variance, directions = np.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
        falling = np.maximum(variance[::-1], 0.0)
        explained = np.cumsum(falling) / max(float(falling.sum()), 1e-12)
        count = min(int(np.searchsorted(explained, KEPT)) + 1, len(falling))
        return cls(mean, directions[:, ::-1][:, :count].T, np.maximum(falling[:count], 1e-9))

    def project(self, rows: F64) -> tuple[F64, F64]:
        """Return the coordinates (N, k) of rows (N, d), and their squared reconstruction error (N,)."""
        centred = rows - self.mean
        inside = centred @ self.directions.T
        outside = (centred**2).sum(axis=1) - (inside**2).sum(axis=1)
        return inside, np.maximum(outside, 0.0)


@dataclass(frozen=True)
class Pca(StandardisedBaseline):
    """Scores the larger of T² and Q, each divided by its 99% quantile on the fitted rows."""

    components: Components
    limits: tuple[float, float]

    @classmethod
    def fit(cls, values: F64, ranges: Ranges) -> Pca:
        """See `Fit`."""
        features = features_of(values, ranges, CLIP)
        rows = np.concatenate(standardised(values, features, ranges))
        components = Components.of(rows)
        within, without = _t2_and_q(rows, components)
        limits = np.quantile(within, LIMIT_QUANTILE) + 1e-9, np.quantile(without, LIMIT_QUANTILE) + 1e-3
        return cls(features, components, (float(limits[0]), float(limits[1])))

    @property
    def cost(self) -> Cost:
        """Cost in numbers: components, their variances and the features."""
        return Cost(self.components.directions.size, _numbers(self.components) + 2 * len(self.features.center) + 2)

    def score_range(self, z: F64, values: F64) -> F64:
        """See `StandardisedBaseline.score_range`."""
        within, without = _t2_and_q(z, self.components)
        return np.maximum(within / self.limits[0], without / self.limits[1])


@dataclass(frozen=True)
class WindowPca(StandardisedBaseline):
    """Scores the reconstruction error of the last WINDOW rows together; 0 until there are as many."""

    components: Components

    @classmethod
    def fit(cls, values: F64, ranges: Ranges) -> WindowPca:
        """See `Fit`; raise DataError if no range is as long as a window."""
        features = features_of(values, ranges, WINDOW_CLIP)
        views = [_windows(z) for z in standardised(values, features, ranges) if len(z) >= WINDOW]
        if not views:
            raise DataError(f"window-PCA: expected at least one stretch of {WINDOW} rows without a gap, found none")
        step = max(1, sum(map(len, views)) // FITTED_WINDOWS)
        return cls(features, Components.of(np.concatenate([_flat(view[::step]) for view in views])))

    @property
    def cost(self) -> Cost:
        """Cost in numbers: components, features and the rows of the window."""
        channels = len(self.features.center)
        state = (2 + WINDOW) * channels
        return Cost(self.components.directions.size, _numbers(self.components) + state, rows=WINDOW)

    def score_range(self, z: F64, values: F64) -> F64:
        """See `StandardisedBaseline.score_range`."""
        if len(z) < WINDOW:
            return np.zeros(0)
        view = _windows(z)
        chunks = range(0, len(view), CHUNK_ROWS)
        return np.concatenate([self.components.project(_flat(view[at : at + CHUNK_ROWS]))[1] for at in chunks])


def _t2_and_q(rows: F64, components: Components) -> tuple[F64, F64]:
    inside, outside = components.project(rows)
    return np.asarray((inside**2 / components.variance).sum(axis=1)), outside


def _numbers(components: Components) -> int:
    return components.directions.size + components.mean.size + components.variance.size


def _windows(z: F64) -> F64:
    """Return a view (N - WINDOW + 1, C, WINDOW) of all windows of rows (N, C)."""
    return np.lib.stride_tricks.sliding_window_view(z, WINDOW, axis=0)


def _flat(windows: F64) -> F64:
    return windows.reshape(len(windows), -1)
