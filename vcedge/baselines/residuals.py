"""Turns forecast errors into one score a row, the same way for every forecaster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.highway import SPREAD_FLOOR
from vcedge.detector import ERROR_CAP
from vcedge.schema import F64


@dataclass(frozen=True)
class ResidualScale:
    """Holds mean and floored standard deviation of each channel's residual on the fitted rows."""

    mean: F64  # (C,)
    spread: F64  # (C,)

    @classmethod
    def of(cls, residual: F64) -> ResidualScale:
        """Measure residuals (N, C)."""
        return cls(residual.mean(axis=0), np.maximum(residual.std(axis=0), SPREAD_FLOOR))

    def error(self, residual: F64, known: NDArray[np.bool_]) -> F64:
        """Return the mean squared residual (N,) in spreads over the known channels; 0 if none is known."""
        squared = np.minimum(((residual - self.mean) / self.spread) ** 2, ERROR_CAP)
        return np.asarray(np.where(known, squared, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))
