"""What every baseline looks like: fitted once on normal rows, then a causal score for each row, and its cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from vcedge.calibration.highway import fit_features, standardise
from vcedge.calibration.split import Ranges
from vcedge.detector import Features
from vcedge.schema import F64

FLOAT_BYTES = 4
"""A device holds weights and state in single precision, as the detector's own are."""


@dataclass(frozen=True)
class Cost:
    """What one row costs in a stream."""

    macs: float
    """Multiply-accumulates of the products with matrices, as the detector's are counted; comparisons for trees."""
    numbers: int
    """Weights and state together."""
    rows: int = 1
    """How many rows, the newest included, one score looks at."""

    @property
    def bytes(self) -> int:
        """Memory of weights and state in single precision."""
        return FLOAT_BYTES * self.numbers


class Fitted(Protocol):
    """A baseline that was fitted. Higher scores are more anomalous; they are finite."""

    @property
    def cost(self) -> Cost:
        """What one row costs."""
        ...

    def score(self, values: F64, ranges: Ranges) -> F64:
        """Scores (N,) of values (N, C) with NaN where missing, causal within each range; 0 outside them."""
        ...


Fit = Callable[[F64, Ranges], Fitted]
"""Fits values (N, C) on the rows of some ranges, each a stretch without a gap."""


@dataclass(frozen=True)
class Smoothed:
    """Another baseline's scores as an exponentially weighted mean, started anew in each range."""

    plain: Fitted
    span: float

    @property
    def cost(self) -> Cost:
        """That of the other, and one number more to remember."""
        return replace(self.plain.cost, numbers=self.plain.cost.numbers + 1)

    def score(self, values: F64, ranges: Ranges) -> F64:
        """See `Fitted.score`."""
        scores = self.plain.score(values, ranges)
        for start, stop in ranges:
            scores[start:stop] = ewma(scores[start:stop], self.span)
        return scores


def ewma(values: F64, span: float) -> F64:
    """Exponentially weighted mean (N,) that starts at the first value; a span of 1 changes nothing."""
    alpha, smooth = 2.0 / (span + 1.0), np.empty(len(values))
    state = float(values[0]) if len(values) else 0.0
    for row, value in enumerate(values.tolist()):
        state += alpha * (value - state)
        smooth[row] = state
    return smooth


def features_of(values: F64, ranges: Ranges, clip: float) -> Features:
    """Centre and scale of each channel; standardised values are cut at `clip` on both sides."""
    return replace(fit_features(values, ranges, flags=False), clip=clip)


def standardised(values: F64, features: Features, ranges: Ranges) -> list[F64]:
    """The rows of each range, standardised; a missing value holds the last one of its range, or the mean before any."""
    return [standardise(values[start:stop], features) for start, stop in ranges]


def spread_over(rows: int, ranges: Ranges, pieces: list[F64]) -> F64:
    """The scores of each range put back among all rows (N,); what a range has too few of is missing at its start."""
    scores = np.zeros(rows)
    for (_, stop), piece in zip(ranges, pieces, strict=True):
        scores[stop - len(piece) : stop] = piece
    return scores
