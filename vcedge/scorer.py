"""Defines the statistic: what a detector reads from the errors, values and cycles of a row, and its maps to nats.

C is the number of channels, S of sensors among them, K of centroids, M of blocks of a cycle. Arrays over channels hold
zeros for commands and constants, which are context of the forecasts and have no errors of their own. A nat is a
natural logarithm: a reading that one normal row in e^n exceeds has n nats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from vcedge.schema import F32, F64

if TYPE_CHECKING:
    from vcedge.detector import Highway

ErrorKind = Literal["whitened", "single", "ahead", "window"]
KINDS: tuple[ErrorKind, ...] = ("whitened", "single", "ahead", "window")
"""Whitened and single one-step errors, errors of a forecast some rows ahead, and what principal components of the last
rows do not explain."""
ERROR_CAP = 1e6
"""Largest squared error of one channel, in squared spreads: one broken sensor must not mask the others."""
Amount = Literal["roots", "rms", "sum", "none"]


class Track(NamedTuple):
    """Describes one exponentially weighted mean of each channel's squared errors, and what is read from it.

    Its amount is the mean root over sensors, the root mean square, or the sum. Its rarity is one plus the power mean
    over sensors of the nats of each sensor's own tail.
    """

    kind: ErrorKind
    factor: float
    """Span in units of `Scorer.span`."""
    amount: Amount
    power: int
    """Exponent of the power mean: bursts of single channels count more with 4 than with 2."""


TRACKS = (
    Track("whitened", 0.25, "roots", 2),
    Track("whitened", 1.0, "roots", 2),
    Track("whitened", 8.0, "none", 2),
    Track("single", 0.25, "rms", 4),
    Track("single", 1.0, "rms", 4),
    Track("single", 8.0, "none", 4),
    Track("ahead", 1.0, "roots", 2),
    Track("window", 0.5, "sum", 4),
)
READINGS = sum(1 + (track.amount != "none") for track in TRACKS) + 1
"""For each track its amount, if it has one, and its rarity; the novelty is the last."""
LOW_NATS, HIGH_NATS = 0.693, 4.605
"""Nats of the median (ln 2) and of the 99% quantile (ln 100)."""
MOST_RARE = 30.0
"""Most nats of a single channel."""
LEAST_SMOOTH = 1e-12
"""Least smoothed error, for its logarithm."""
LEAST_RATIO = 1e-6
"""Least ratio of a reading to its usual value: its logarithm must not mask the others."""
LEAST_NATS, MOST_NATS = -20.0, 200.0
"""Bounds of the readings' nats."""
MOST_GROUP_NATS = 60.0
"""Most nats of the distance and of the cycle."""
NOVELTY_SPAN = 20.0
"""Rows that the novelty is smoothed over."""
NOVELTY_REST = 0.05
"""Reading of the novelty while every channel is within the range of training."""
LEAST_DISTANCE = 1e-9
"""Least distance, or deviation of a cycle, for its logarithm."""
SPREAD_OFFSET = 0.02
"""Added to the spread of a cycle before its logarithm, in standard deviations of the channel."""


def span_of(track: Track, span: float) -> float:
    """Return the number of rows that a track smooths over; `span` is `Scorer.span`."""
    return max(track.factor * span, 1.0)


def alpha_of(span: float) -> float:
    """Return the weight of the present row in an exponentially weighted mean over `span` rows."""
    return 2.0 / (span + 1.0)


@dataclass(frozen=True)
class Line:
    """Maps the logarithm of a reading to nats."""

    offset: float
    gain: float

    def nats(self, logarithm: F64, low: float, high: float) -> F64:
        """Return the nats of logarithms, cut at two bounds."""
        return np.clip(self.offset + self.gain * logarithm, low, high)

    def excess(self, logarithm: float) -> float:
        """Return the nats beyond HIGH_NATS of a logarithm: what the distance and the cycle add to the statistic."""
        return max(0.0, min(max(self.offset + self.gain * logarithm, 0.0), MOST_GROUP_NATS) - HIGH_NATS)


@dataclass(frozen=True)
class Reconstruction:
    """Holds principal components of windows of samples, `lags` rows back, over channels and time."""

    lags: tuple[int, ...]
    mean: F32  # (lags * C,)
    components: F32  # (components, lags * C) orthonormal rows


@dataclass(frozen=True)
class Distance:
    """Measures the distance of a row to the nearest centroid of the rows seen in training."""

    scale: F32  # (C,) factor on the standardised sample, 0 for constants
    centroids: F32  # (K, C) in scaled values
    line: Line
    weight: float
    """Factor on its nats: few rows show few of the operating states."""


@dataclass(frozen=True)
class Cycle:
    """Compares mean and spread of the last cycle of each channel with those of training.

    The cycle is `block` times `blocks` rows long, and is watched whenever a block is complete.
    """

    block: int
    blocks: int
    mean: F32  # (2, C) usual mean, and usual logarithm of the spread plus SPREAD_OFFSET, standardised
    scale: F32  # (2, C) 1 / standard deviation of both, 0 for constants
    line: Line

    @property
    def period(self) -> int:
        """Number of rows of a cycle."""
        return self.block * self.blocks


@dataclass(frozen=True)
class Scorer:
    """Maps errors, novelty, distance and cycles to the statistic in nats.

    The readings, each over its usual value, are combined by a weighted geometric mean, whose logarithm a line maps to
    nats. Distance and cycle add what exceeds their own 99% quantile.
    """

    span: float
    """Rows that the middle tracks smooth over."""
    whiten: F32  # (C, C) symmetric: residuals of sensors in spreads, times this, are uncorrelated of variance 1
    horizon: Highway
    reconstruction: Reconstruction
    initial: F32  # (len(KINDS), C) mean squared error of each kind, from which the means start
    intercept: F32  # (len(TRACKS), C) lines from the logarithm of a smoothed error to nats; 0 for other channels
    slope: F32  # (len(TRACKS), C)
    usual: F64  # (READINGS,)
    weights: F64  # (READINGS,) they sum to 1
    line: Line
    distance: Distance | None
    cycle: Cycle | None

    @property
    def reach(self) -> int:
        """Number of rows before the present one that are needed."""
        return max(self.horizon.reach, *self.reconstruction.lags)

    @property
    def alphas(self) -> F64:
        """Weights (len(TRACKS),) of the present row in the smoothed errors."""
        return np.array([alpha_of(span_of(track, self.span)) for track in TRACKS])

    @property
    def cycle_blocks(self) -> int:
        """Number of blocks of a cycle; 0 without one."""
        return 0 if self.cycle is None else self.cycle.blocks

    @property
    def fill(self) -> F32:
        """Matrix (C, C) from the known residuals of a row to the likeliest one of a missing sensor; `fill_matrix`."""
        return fill_matrix(self.whiten).astype(np.float32)

    def macs(self) -> int:
        """Return the multiply-accumulates of a step without a missing value, as the dense arrays are multiplied."""
        channels = len(self.whiten)
        smoothing, reading = len(TRACKS) * channels, 2 * len(TRACKS) * channels
        forecast = channels**2 * (1 + self.horizon.order) + 2 * self.reconstruction.components.size
        centroids = 0 if self.distance is None else self.distance.centroids.size
        return forecast + smoothing + reading + centroids + (0 if self.cycle is None else 4 * channels)


def fill_matrix(whiten: F32) -> F64:
    """Return the matrix (C, C) from known residuals of a row to the likeliest one of a missing sensor.

    With the inverse covariance Q it is -Q_mo / Q_mm: exact for one missing sensor of a normal distribution.
    """
    wide = whiten.astype(np.float64)
    inverse = wide @ wide
    diagonal = np.diag(inverse)
    fill = -inverse / np.where(diagonal > 0, diagonal, 1.0)[:, None]
    np.fill_diagonal(fill, 0.0)
    return np.asarray(fill)
