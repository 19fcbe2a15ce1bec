"""Defines the interface of a baseline: fitted once on normal rows, it scores each row causally and states its cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.highway import SPREAD_FLOOR, fit_features, standardise
from vcedge.calibration.split import Ranges
from vcedge.detector import Features
from vcedge.schema import F64

ERROR_CAP = 400.0
"""Largest squared residual of a channel, in squared spreads."""
FLOAT_BYTES = 4
"""Weights and state are counted in single precision, as the detector's are."""


@dataclass(frozen=True)
class Cost:
    """Counts the cost of one row in a stream."""

    macs: float
    """Multiply-accumulates of matrix products, as for the detector; comparisons for trees."""
    numbers: int
    """Number of weights and state values."""
    rows: int = 1
    """Rows that one score depends on, including the newest."""

    @property
    def bytes(self) -> int:
        """Memory of weights and state in single precision."""
        return FLOAT_BYTES * self.numbers


class Fitted(Protocol):
    """Scores rows after the fit. Scores are finite; higher ones are more anomalous."""

    @property
    def cost(self) -> Cost:
        """Cost of one row."""
        ...

    def score(self, values: F64, ranges: Ranges) -> F64:
        """Return scores (N,) of values (N, C), NaN where missing: causal within each range, 0 outside of them."""
        ...


Fit = Callable[[F64, Ranges], Fitted]
"""Fits a baseline to the rows of values (N, C) in some ranges, each a stretch without a gap."""


@dataclass(frozen=True)
class Smoothed:
    """Smooths another baseline's scores by an exponentially weighted mean that restarts in each range."""

    plain: Fitted
    span: float

    @property
    def cost(self) -> Cost:
        """Cost of the other baseline, and one more number of state."""
        return replace(self.plain.cost, numbers=self.plain.cost.numbers + 1)

    def score(self, values: F64, ranges: Ranges) -> F64:
        """See `Fitted.score`."""
        scores = self.plain.score(values, ranges)
        for start, stop in ranges:
            scores[start:stop] = ewma(scores[start:stop], self.span)
        return scores


def ewma(values: F64, span: float) -> F64:
    """Return the exponentially weighted mean (N,) that starts at the first value; a span of 1 changes nothing."""
    alpha, smooth = 2.0 / (span + 1.0), np.empty(len(values))
    state = float(values[0]) if len(values) else 0.0
    for row, value in enumerate(values.tolist()):
        state += alpha * (value - state)
        smooth[row] = state
    return smooth


def features_of(values: F64, ranges: Ranges, clip: float) -> Features:
    """Fit centre and scale of each channel; standardised values are clipped at `clip` on both sides."""
    return replace(fit_features(values, ranges, flags=False), clip=clip)


def standardised(values: F64, features: Features, ranges: Ranges) -> list[F64]:
    """Standardise the rows of each range; a missing value holds the last one of its range, or the mean before any."""
    return [standardise(values[start:stop], features) for start, stop in ranges]


@dataclass(frozen=True)
class StandardisedBaseline(ABC):
    """Scores the standardised rows of each range by themselves."""

    features: Features

    @abstractmethod
    def score_range(self, z: F64, values: F64) -> F64:
        """Return the scores of the last of some consecutive rows: standardised z (N, C), raw values (N, C)."""

    def score(self, values: F64, ranges: Ranges) -> F64:
        """See `Fitted.score`; if a range has fewer scores than rows, its first rows score 0."""
        scores = np.zeros(len(values))
        for z, (start, stop) in zip(standardised(values, self.features, ranges), ranges, strict=True):
            piece = self.score_range(z, values[start:stop])
            scores[stop - len(piece) : stop] = piece
        return scores


@dataclass(frozen=True)
class ResidualScale:
    """Turns forecast errors into scores by mean and floored standard deviation of each channel's residual."""

    mean: F64  # (C,)
    spread: F64  # (C,)

    @classmethod
    def of(cls, residual: F64) -> ResidualScale:
        """Measure residuals (N, C) of the fitted rows."""
        return cls(residual.mean(axis=0), np.maximum(residual.std(axis=0), SPREAD_FLOOR))

    def error(self, residual: F64, known: NDArray[np.bool_]) -> F64:
        """Return the mean squared residual (N,) in spreads over the known channels; 0 if none is known."""
        squared = np.minimum(((residual - self.mean) / self.spread) ** 2, ERROR_CAP)
        return np.asarray(np.where(known, squared, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))
