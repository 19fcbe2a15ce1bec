"""Scores rows by ridge VAR, a linear one-step forecaster. Smoothed, it is the strongest baseline on most data sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.baselines.interface import Cost, ResidualScale, StandardisedBaseline, features_of, standardised
from vcedge.calibration.highway import fit_weights
from vcedge.calibration.split import Ranges
from vcedge.schema import F64

ORDER, RIDGE, CLIP = 5, 10.0, 10.0


@dataclass(frozen=True)
class RidgeVar(StandardisedBaseline):
    """Scores squared errors of the forecast from the last rows, in units of their spread on the fitted rows."""

    weights: F64  # (1 + P C, C)
    scale: ResidualScale

    @classmethod
    def fit(cls, values: F64, ranges: Ranges, order: int = ORDER, ridge: float = RIDGE) -> RidgeVar:
        """See `Fit`."""
        features = features_of(values, ranges, CLIP)
        weights = fit_weights(values, features, ranges, order, ridge)
        residuals = [_residual(z, weights, order) for z in standardised(values, features, ranges)]
        return cls(features, weights, ResidualScale.of(np.concatenate(residuals)))

    @property
    def order(self) -> int:
        """Number of past rows that the forecast uses."""
        return (len(self.weights) - 1) // len(self.features.center)

    @property
    def cost(self) -> Cost:
        """Cost in numbers: weights, features, residual scale and the last rows."""
        channels = len(self.features.center)
        return Cost(self.order * channels**2, self.weights.size + (4 + self.order) * channels, rows=self.order + 1)

    def score_range(self, z: F64, values: F64) -> F64:
        """See `StandardisedBaseline.score_range`; a channel missing in a row or the one before has no error there."""
        measured = np.isfinite(values)
        known = (measured[1:] & measured[:-1])[self.order - 1 :]
        return self.scale.error(_residual(z, self.weights, self.order), known)


def _residual(z: F64, weights: F64, order: int) -> F64:
    """Return the forecast errors (N - P, C) of standardised rows (N, C); no rows if there are too few."""
    rows = max(len(z) - order, 0)
    forecast = np.tile(weights[0], (rows, 1))
    channels = z.shape[1]
    for lag in range(1, order + 1):
        block = weights[1 + (lag - 1) * channels : 1 + lag * channels]
        forecast += z[order - lag : order - lag + rows] @ block
    return np.asarray(z[order : order + rows] - forecast)
