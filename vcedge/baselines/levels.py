"""Detectors without a model of time: largest deviation of a channel, size of the last change, trivial scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.baselines.interface import Cost, ResidualScale, StandardisedBaseline, features_of, standardised
from vcedge.calibration.split import Ranges
from vcedge.schema import F64


@dataclass(frozen=True)
class MaxAbsZ(StandardisedBaseline):
    """Scores a row by the largest distance of a channel from its mean, in standard deviations."""

    @classmethod
    def fit(cls, values: F64, ranges: Ranges) -> MaxAbsZ:
        """See `Fit`."""
        return cls(features_of(values, ranges, clip=np.inf))

    @property
    def cost(self) -> Cost:
        """Cost in numbers: centre and scale of each channel."""
        return Cost(0.0, 2 * len(self.features.center))

    def score_range(self, z: F64, values: F64) -> F64:
        """See `StandardisedBaseline.score_range`."""
        return np.asarray(np.abs(z).max(axis=1))


@dataclass(frozen=True)
class Persistence(StandardisedBaseline):
    """Forecasts that nothing changes, and scores squared changes in units of their size on the fitted rows."""

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

    def score_range(self, z: F64, values: F64) -> F64:
        """See `StandardisedBaseline.score_range`."""
        return self.scale.error(np.diff(z, axis=0), np.isfinite(values[1:]))


@dataclass(frozen=True)
class Random:
    """Scores rows with independent random numbers in [0, 1)."""

    seed: int = 0
    cost = Cost(0.0, 0)

    def score(self, values: F64, ranges: Ranges) -> F64:
        """See `Fitted.score`."""
        return np.random.default_rng(self.seed).random(len(values))


@dataclass(frozen=True)
class AllOnes:
    """Gives every row the same score."""

    cost = Cost(0.0, 0)

    def score(self, values: F64, ranges: Ranges) -> F64:
        """See `Fitted.score`."""
        return np.ones(len(values))
