"""Gives trivial scores that any detector must exceed: random ones, and an alarm on every row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.baselines.interface import Cost
from vcedge.calibration.split import Ranges
from vcedge.schema import F64


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
