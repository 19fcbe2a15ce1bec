"""What a detector is made of: features, linear highway, gated cell, head, scorer, calibration.

Plain arrays and numbers, frozen. `model_file` writes and reads it, an engine runs it. C is the number of channels,
D of hidden dimensions, N of network inputs, G of the cell's gates, P the order of the highway, L the number of levels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vcedge.limits import EventRule, Tail, Usual, events_per_row
from vcedge.resemblance import Resemblance
from vcedge.schema import F32, F64, SensorSchema

PartKind = Literal["error", "horizon", "reconstruction"]
CellKind = Literal["vcgru", "vcrnn", "gru", "rnn"]
CELL_KINDS: tuple[CellKind, ...] = ("vcgru", "vcrnn", "gru", "rnn")
DENSE_KINDS: tuple[CellKind, ...] = ("gru", "rnn")
"""Kinds without a scheduler: one level, everything is updated at every step."""
GATES: Mapping[CellKind, int] = {"vcgru": 3, "vcrnn": 1, "gru": 3, "rnn": 1}
"""Blocks of weights of each kind: update, reset and candidate of a GRU, the candidate alone of an Elman RNN."""
ERROR_CAP = 400.0
"""Largest squared error of one channel, in squared spreads: one mad sensor must not drown the others."""
LEAST_PART = 1e-6
"""Smallest value of a part of the scorer over its usual one: its logarithm must not drown the others."""

SIZE_ERROR = 1e-9
"""How far a fraction of the hidden size may be from a whole number of dimensions."""
MAX_POWER = 700.0
"""Largest exponent in the map from `raw` to a score: exp of little more overflows."""


@dataclass(frozen=True)
class Features:
    """From a raw reading to network inputs: standardise, clip, and flag what is missing."""

    center: F64  # (C,) mean of each channel, in its unit
    scale: F64  # (C,) standard deviation of each channel, in its unit
    change_scale: F32  # (C,) spread of the change between two samples, in units of `scale`
    clip: float = 10.0
    flags: bool = False
    """Whether the missing flags are network inputs: only where the training data could teach their weights."""

    @property
    def inputs(self) -> int:
        """Number of network inputs N: the standardised channels and, with `flags`, as many flags."""
        return len(self.center) * (2 if self.flags else 1)


@dataclass(frozen=True)
class Highway:
    """Linear forecaster, ridge VAR(P) on standardised channels, and its held-out residuals."""

    weights: F32  # (1 + P*C, C) intercept first, then the samples `ahead`, `ahead` + 1, ... rows back
    bias: F32  # (C,) mean of the held-out residual, in units of `Features.scale`
    spread: F32  # (C,) standard deviation of the held-out residual, in units of `Features.scale`
    ridge: float = 10.0
    """Strength of the ridge it was fitted with, for fitting it again on another machine."""
    ahead: int = 1
    """How many rows ahead it forecasts."""

    @property
    def order(self) -> int:
        """How many past samples P the forecast uses."""
        return (len(self.weights) - 1) // len(self.bias)

    @property
    def reach(self) -> int:
        """Rows before the forecast one that it needs."""
        return self.order + self.ahead - 1


@dataclass(frozen=True)
class CellSpec:
    """Shape of the recurrent cell. `boundaries` (L,) are the leading dimensions k that each level updates."""

    kind: CellKind
    inputs: int
    hidden: int
    boundaries: tuple[int, ...]

    @property
    def levels(self) -> int:
        """Number of levels L; a dense kind has one."""
        return len(self.boundaries)

    @property
    def gates(self) -> int:
        """Number of blocks of weights G."""
        return GATES[self.kind]

    @property
    def reset_biases(self) -> int:
        """Size of `Cell.reset_bias`: D, or 0 where there is no reset gate."""
        return self.hidden if self.gates == 3 else 0

    def signals(self, channels: int) -> int:
        """Return the size of `Cell.gate_input`: N inputs, then size, change and residual of each channel."""
        return self.inputs + 3 * channels

    def thresholds(self) -> F64:
        """(L-1,) logits from which level 2, 3, ... is picked: no logistic on the device (PAPER.md, point 6).

        A level is taken where m D (eq. 7) is nearest to its k: the limit lies midway between two boundaries.
        """
        share = np.array(self.boundaries, np.float64) / self.hidden
        middle = (share[1:] + share[:-1]) / 2
        return np.asarray(np.log(middle / (1 - middle)))

    def macs(self, updated: float, channels: int) -> float:
        """Multiply-accumulates of cell, scheduler and head for `updated` dimensions (PAPER.md, convention)."""
        scheduler = 0 if self.levels == 1 else self.hidden + self.signals(channels)
        return self.gates * updated * (updated + self.inputs) + scheduler + channels * self.hidden


@dataclass(frozen=True)
class Cell:
    """Weights of the recurrent cell; gates in the order update z, reset r, candidate c (eq. 4 to 7).

    An RNN has the candidate alone (eq. 13), and no reset bias: the array is empty.
    """

    spec: CellSpec
    recurrent: F32  # (G, D, D) U
    input: F32  # (G, D, N) V
    bias: F32  # (G, D)
    reset_bias: F32  # (D,) or (0,); inside the reset product: c = tanh(V x + b + r * (U h + reset_bias))
    gate_hidden: F32  # (D,) u of eq. 7
    gate_input: F32  # (N + 3 C,) v of eq. 7 for the inputs, then |z|, |change| and |residual| of each channel
    gate_bias: float


@dataclass(frozen=True)
class Head:
    """From the hidden state to the highway's next residual, shrunk per channel by what held-out data allows."""

    weights: F32  # (C, D)
    bias: F32  # (C,)
    shrink: F32  # (C,) in [0, 1]; 0: the network does not help on this channel
    error_scale: F32  # (C,) root mean square of the smaller held-out error, in spreads

    @property
    def shrunk(self) -> tuple[F32, F32]:
        """Weights (C, D) and bias (C,) with the shrinkage folded in: their output is the correction itself."""
        return self.shrink[:, None] * self.weights, self.shrink * self.bias


@dataclass(frozen=True)
class ScorerPart:
    """One named part of the scorer: an exponentially weighted mean of squared errors of each channel.

    `error`: of the forecast of this row, whitened; root mean over channels. `horizon`: of a forecast made some rows
    ago; root mean over channels. `reconstruction`: of the last rows put together from their principal components.
    """

    name: str
    kind: PartKind
    span: float
    """Rows that are smoothed over: the mean's weights fall by 2 / (span + 1) each row."""
    weight: float
    """Exponent in the weighted geometric mean of the parts; all weights sum to 1."""
    usual: float = 1.0
    """Mean of the part on held-out normal rows: what it is divided by."""

    @property
    def alpha(self) -> float:
        """Weight of the present row in the exponentially weighted mean."""
        return 2.0 / (self.span + 1.0)

    @property
    def initial(self) -> float:
        """Value that the mean starts from: the usual one, so that the first rows bring neither bias nor noise.

        The root of the mean is what counts, except for a reconstruction.
        """
        return self.usual if self.kind == "reconstruction" else self.usual**2


@dataclass(frozen=True)
class Reconstruction:
    """Principal components of the last rows, each K samples `lags` rows back: what is usual of channels and of time."""

    lags: tuple[int, ...]
    mean: F32  # (K*C,)
    components: F32  # (M, K*C) orthonormal rows


@dataclass(frozen=True)
class Scorer:
    """From errors to the statistic: the weighted geometric mean of the parts, each over its usual value."""

    parts: tuple[ScorerPart, ...]
    whiten: F32  # (C, C) symmetric: one-step residuals in spreads, times this, are uncorrelated of variance 1
    horizon: Highway
    reconstruction: Reconstruction

    @property
    def reach(self) -> int:
        """Rows before the present one that are needed."""
        return max(self.horizon.reach, *self.reconstruction.lags)

    @property
    def span(self) -> float:
        """The longest span."""
        return max(part.span for part in self.parts)

    def fuse(self, values: F64) -> F64:
        """The statistic `raw` (...,) of the values of the parts (..., parts)."""
        usual = np.array([part.usual for part in self.parts])
        weights = np.array([part.weight for part in self.parts])
        return np.asarray(np.exp(np.log(np.maximum(values / usual, LEAST_PART)) @ weights))

    def macs(self) -> int:
        """Multiply-accumulates of a step: whitening, the second forecast, projection and its way back."""
        channels = len(self.whiten)
        return channels**2 * (1 + self.horizon.order) + 2 * self.reconstruction.components.size


@dataclass(frozen=True)
class Calibration:
    """Limits measured on held-out normal data."""

    threshold: float
    """Limit of the statistic `raw` above which a row is an alarm. A stream may adapt it: `runtime/adaptive.py`."""
    steepness: float
    """Exponent of the map from `raw` to a score in [0, 1]; the held-out median maps to 0.05."""
    surprise_limit: float
    """One-step error above which the full network is computed, whatever the scheduler says."""
    surprise_ticks: int
    """For how many ticks a surprise keeps the full level."""
    warmup_rows: int
    """Rows after a reset that raise no alarm."""
    stuck_rows: tuple[int, ...]
    """For each channel, a run of equal values longer than this is a stuck sensor; 0: never."""
    false_alarms_per_day: float
    rows: int
    """Held-out rows the limits were measured on."""
    target_share: float = 1.0
    """Mean share of the hidden dimensions that rows may update over time; see `runtime.budget`."""
    usual: Usual = field(default_factory=Usual)
    tail: Tail = field(default_factory=Tail)
    events: EventRule = field(default_factory=EventRule)

    def promising(self, false_alarms_per_day: float, period_ns: int) -> Calibration:
        """The same with the threshold that opens so many events a day, from the tail of the held-out rows."""
        threshold = self.tail.threshold(events_per_row(false_alarms_per_day, period_ns), self.rows)
        return replace(self, threshold=threshold, false_alarms_per_day=false_alarms_per_day)

    def score(self, raw: float, threshold: float | None = None) -> float:
        """Calibrated score in [0, 1] of the statistic: 0.5 at the threshold, monotone in `raw`.

        A `threshold` set by hand takes the place of the calibrated one.
        """
        limit = self.threshold if threshold is None else threshold
        if raw <= 0.0:
            return 0.0
        # (limit / raw) ** steepness by its logarithm, which neither overflows nor loses a tiny raw
        power = self.steepness * (math.log(limit) - math.log(raw))
        return 1.0 / (1.0 + math.exp(min(max(power, -MAX_POWER), MAX_POWER)))


@dataclass(frozen=True)
class Detector:
    """All that model.vcedge holds. With `cell` and `head` absent it is the linear detector alone."""

    asset: str
    schema: SensorSchema
    features: Features
    highway: Highway
    cell: Cell | None
    head: Head | None
    scorer: Scorer
    calibration: Calibration
    reading: Mapping[str, Any] = field(default_factory=dict)
    """How the training files were read (`time`, `table`), the default for files to be scored."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Data files with SHA-256, configuration, library versions, seed."""
    resemblance: Resemblance | None = None
    """What events are compared with; None where too few injected faults raised events, or none were tried."""

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return len(self.schema.channels)

    @property
    def depth(self) -> int:
        """Past rows that a state keeps."""
        return max(self.highway.reach, self.scorer.reach)

    @property
    def hidden(self) -> int:
        """Number of hidden dimensions D; 0 without a network."""
        return 0 if self.cell is None else self.cell.spec.hidden

    @property
    def levels(self) -> int:
        """Number of levels L of the compute policy; 1 without a scheduler."""
        return 1 if self.cell is None else self.cell.spec.levels

    @property
    def boundaries(self) -> tuple[int, ...]:
        """(L,) leading dimensions that each level updates; (0,) without a network."""
        return (0,) if self.cell is None else self.cell.spec.boundaries

    def without_network(self) -> Detector:
        """The same detector with the network switched off: highway and scorer only."""
        return replace(self, cell=None, head=None)

    def macs(self, updated: float) -> float:
        """Multiply-accumulates of one step that updates so many dimensions, highway and scorer included."""
        network = 0.0 if self.cell is None else self.cell.spec.macs(updated, self.channels)
        return network + self.highway.order * self.channels**2 + self.scorer.macs()


def boundaries_of(levels: int | list[float], hidden: int) -> tuple[int, ...]:
    """Leading dimensions of each level, ending at `hidden`.

    `levels` is a number of equal steps or an increasing list of fractions that ends at 1. Raises ValueError where
    the hidden size cannot be cut that way: what is trained must be what runs, so nothing is rounded but the error of
    a fraction in binary (0.29 of 100).
    """
    if isinstance(levels, int):
        if levels < 1 or hidden % levels:
            raise ValueError(f"hidden_size {hidden} is not a multiple of levels {levels}")
        return tuple(hidden * j // levels for j in range(1, levels + 1))
    sizes = [fraction * hidden for fraction in levels]
    if not sizes or sizes[-1] != hidden or sizes[0] <= 0 or any(b <= a for a, b in pairwise(sizes)):
        raise ValueError(f"levels {levels} must increase and end at 1")
    whole = tuple(round(size) for size in sizes)
    if any(abs(size - k) > SIZE_ERROR for size, k in zip(sizes, whole, strict=True)):
        raise ValueError(f"levels {levels} of hidden_size {hidden} are not whole numbers of dimensions")
    if whole[0] < 1 or any(b <= a for a, b in pairwise(whole)):
        raise ValueError(f"levels {levels} of hidden_size {hidden} must differ by at least one dimension")
    return whole


def scheduler_inputs(schema: SensorSchema, flags: bool) -> tuple[str, ...]:
    """Names of what `Cell.gate_input` weighs, in its order: they say why the gate woke."""
    names = schema.names
    raw = tuple(f"{name} level" for name in names)
    missing = tuple(f"{name} missing" for name in names) if flags else ()
    size = tuple(f"{name} size" for name in names)
    return (
        *raw,
        *missing,
        *size,
        *(f"{name} change" for name in names),
        *(f"{name} error" for name in names),
    )


def all_finite(array: NDArray[Any]) -> bool:
    """Whether an array holds neither NaN nor infinity."""
    return bool(np.isfinite(array).all())
