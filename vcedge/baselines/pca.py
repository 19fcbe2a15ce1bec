"""Principal components: process monitoring's T² and Q, and the reconstruction of whole windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.baselines.interface import Cost, features_of, spread_over, standardised
from vcedge.calibration.split import Ranges
from vcedge.detector import Features
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
    """Orthogonal directions of most variance."""

    mean: F64  # (d,)
    directions: F64  # (k, d)
    variance: F64  # (k,)

    @classmethod
    def of(cls, rows: F64) -> Components:
        """The fewest components of rows (N, d) that explain at least KEPT of their variance."""
        mean = rows.mean(axis=0)
        variance, directions = np.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
        falling = np.maximum(variance[::-1], 0.0)
        explained = np.cumsum(falling) / max(float(falling.sum()), 1e-12)
        count = min(int(np.searchsorted(explained, KEPT)) + 1, len(falling))
        return cls(mean, directions[:, ::-1][:, :count].T, np.maximum(falling[:count], 1e-9))

    def project(self, rows: F64) -> tuple[F64, F64]:
        """Coordinates (N, k) of rows (N, d), and the squared distance (N,) from what they reconstruct."""
        centred = rows - self.mean
        inside = centred @ self.directions.T
        outside = (centred**2).sum(axis=1) - (inside**2).sum(axis=1)
        return inside, np.maximum(outside, 0.0)


@dataclass(frozen=True)
class Pca:
    """The larger of T² and Q, each over its 99% quantile where it was fitted."""

    features: Features
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
        """Components, their variances, and the features."""
        return Cost(self.components.directions.size, _numbers(self.components) + 2 * len(self.features.center) + 2)

    def score(self, values: F64, ranges: Ranges) -> F64:
        """See `Fitted.score`."""
        pieces = []
        for z in standardised(values, self.features, ranges):
            within, without = _t2_and_q(z, self.components)
            pieces.append(np.maximum(within / self.limits[0], without / self.limits[1]))
        return spread_over(len(values), ranges, pieces)


@dataclass(frozen=True)
class WindowPca:
    """How badly the last WINDOW rows together are reconstructed; 0 until there are as many."""

    features: Features
    components: Components

    @classmethod
    def fit(cls, values: F64, ranges: Ranges) -> WindowPca:
        """See `Fit`. Raises DataError where no range is as long as a window."""
        features = features_of(values, ranges, WINDOW_CLIP)
        views = [_windows(z) for z in standardised(values, features, ranges) if len(z) >= WINDOW]
        if not views:
            raise DataError(f"window-PCA: no stretch of {WINDOW} rows without a gap, needed is at least one")
        step = max(1, sum(map(len, views)) // FITTED_WINDOWS)
        return cls(features, Components.of(np.concatenate([_flat(view[::step]) for view in views])))

    @property
    def cost(self) -> Cost:
        """Components, features, and the rows of the window."""
        channels = len(self.features.center)
        state = (2 + WINDOW) * channels
        return Cost(self.components.directions.size, _numbers(self.components) + state, rows=WINDOW)

    def score(self, values: F64, ranges: Ranges) -> F64:
        """See `Fitted.score`."""
        pieces = [self._range(z) for z in standardised(values, self.features, ranges)]
        return spread_over(len(values), ranges, pieces)

    def _range(self, z: F64) -> F64:
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
    """Views (N - WINDOW + 1, C, WINDOW) of all windows of rows (N, C); nothing is copied."""
    return np.lib.stride_tricks.sliding_window_view(z, WINDOW, axis=0)


def _flat(windows: F64) -> F64:
    return windows.reshape(len(windows), -1)
