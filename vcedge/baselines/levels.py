"""Detectors without a model of time: the largest deviation of a channel, and the size of the last change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.baselines.interface import Cost, features_of, spread_over, standardised
from vcedge.baselines.residuals import ResidualScale
from vcedge.calibration.split import Ranges
from vcedge.detector import Features
from vcedge.schema import F64


@dataclass(frozen=True)
class MaxAbsZ:
    """Scores a row by the largest distance of a channel from its mean, in standard deviations."""

    features: Features

    @classmethod
    def fit(cls, values: F64, ranges: Ranges) -> MaxAbsZ:
        """See `Fit`."""
        return cls(features_of(values, ranges, clip=np.inf))

    @property
    def cost(self) -> Cost:
        """Cost in numbers: centre and scale of each channel."""
        return Cost(0.0, 2 * len(self.features.center))

    def score(self, values: F64, ranges: Ranges) -> F64:
        """See `Fitted.score`."""
        pieces = [np.abs(z).max(axis=1) for z in standardised(values, self.features, ranges)]
        return spread_over(len(values), ranges, pieces)


@dataclass(frozen=True)
class Persistence:
    """Forecasts that nothing changes, and scores squared changes in units of their size on the fitted rows."""

    features: Features
    scale: ResidualScale

    @classmethod
    def fit(cls, values: F64, ranges: Ranges) -> Persistence:
        """See `Fit`."""
        features = features_of(values, ranges, clip=np.inf)
        changes = [np.diff(z, axis=0) for z in standardised(values, features, ranges)]
        return cls(features, ResidualScale.of(np.concatenate(changes)))

    @property
    def cost(self) -> Cost:
        """Cost in numbers: centre, scale, mean and size of change, and the last row."""
        return Cost(0.0, 5 * len(self.features.center), rows=2)

    def score(self, values: F64, ranges: Ranges) -> F64:
        """See `Fitted.score`."""
        pieces = [
            self.scale.error(np.diff(z, axis=0), np.isfinite(values[start + 1 : stop]))
            for z, (start, stop) in zip(standardised(values, self.features, ranges), ranges, strict=True)
        ]
        return spread_over(len(values), ranges, pieces)
