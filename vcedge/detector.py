"""Defines the parts of a detector: features, linear highway, gated cell, head and scorer.

They are plain arrays and numbers, frozen. `model_file` writes and reads them, an engine runs them. C is the number of
channels, D of hidden dimensions, N of network inputs, G of the cell's gates, P the order of the highway, L the number
of levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vcedge.limits import Calibration
from vcedge.resemblance import Resemblance
from vcedge.schema import F32, F64, SensorSchema
from vcedge.scorer import Scorer
from vcedge.seen_range import SeenRange

CellKind = Literal["vcgru", "vcrnn", "gru", "rnn"]
CELL_KINDS: tuple[CellKind, ...] = ("vcgru", "vcrnn", "gru", "rnn")
DENSE_KINDS: tuple[CellKind, ...] = ("gru", "rnn")
"""Kinds without a scheduler: their one level updates everything at every step."""
GATES: Mapping[CellKind, int] = {"vcgru": 3, "vcrnn": 1, "gru": 3, "rnn": 1}
"""Blocks of weights of each kind: update, reset and candidate of a GRU, the candidate alone of an Elman RNN."""
SIZE_ERROR = 1e-9
"""Largest distance of a fraction of the hidden size from an integer."""


@dataclass(frozen=True)
class Features:
    """Turns a raw reading into network inputs: standardises, clips, and flags missing values."""

    center: F64  # (C,) mean of each channel, in its unit
    scale: F64  # (C,) standard deviation of each channel, in its unit
    change_scale: F32  # (C,) spread of the change between two samples, in units of `scale`
    clip: float = 10.0
    flags: bool = False
    """True if missing flags are network inputs: the training data had enough missing values to learn their weights."""

    @property
    def inputs(self) -> int:
        """Number of network inputs N: the standardised channels and, with `flags`, a flag for each."""
        return len(self.center) * (2 if self.flags else 1)


@dataclass(frozen=True)
class Highway:
    """Forecasts linearly, by ridge VAR(P) on standardised channels; holds the statistics of its held-out residuals."""

    weights: F32  # (1 + P*C, C) intercept first, then the samples `ahead`, `ahead` + 1, ... rows back
    bias: F32  # (C,) mean of the held-out residual, in units of `Features.scale`
    spread: F32  # (C,) standard deviation of the held-out residual, in units of `Features.scale`
    ridge: float = 10.0
    """Strength of the ridge that it was fitted with, for fitting it again on another machine."""
    ahead: int = 1
    """Number of rows ahead that it forecasts."""

    @property
    def order(self) -> int:
        """Number of past samples P that the forecast uses."""
        return (len(self.weights) - 1) // len(self.bias)

    @property
    def reach(self) -> int:
        """Number of rows before the forecast one that it needs."""
        return self.order + self.ahead - 1


@dataclass(frozen=True)
class CellSpec:
    """Describes the shape of the cell; `boundaries` (L,) are the leading dimensions k that each level updates."""

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
        """Size of `Cell.reset_bias`: D, or 0 without a reset gate."""
        return self.hidden if self.gates == 3 else 0

    def signals(self, channels: int) -> int:
        """Return the size of `Cell.gate_input`: N inputs, then size, change and residual of each channel."""
        return self.inputs + 3 * channels

    def thresholds(self) -> F64:
        """Return the logits (L-1,) from which level 2, 3, ... is picked, so that devices need no logistic function.

        The level is the one whose k is nearest to m D (eq. 7): a limit lies midway between two boundaries.
        """
        share = np.array(self.boundaries, np.float64) / self.hidden
        middle = (share[1:] + share[:-1]) / 2
        return np.asarray(np.log(middle / (1 - middle)))

    def macs(self, updated: float, channels: int) -> float:
        """Return the multiply-accumulates of cell, scheduler and head for `updated` dimensions.

        Element-wise operations are not counted, as in Jernite et al. 2017.
        """
        scheduler = 0 if self.levels == 1 else self.hidden + self.signals(channels)
        return self.gates * updated * (updated + self.inputs) + scheduler + channels * self.hidden


@dataclass(frozen=True)
class Cell:
    """Holds the weights of the recurrent cell; gates in the order update z, reset r, candidate c (eq. 4 to 7).

    An RNN has only the candidate (eq. 13), and an empty reset bias. Equations are those of Jernite et al. 2017.
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
    """Maps the hidden state to the highway's next residual, shrunk for each channel as held-out data suggests."""

    weights: F32  # (C, D)
    bias: F32  # (C,)
    shrink: F32  # (C,) in [0, 1]; 0 where the network does not help
    error_scale: F32  # (C,) root mean square of the smaller held-out error, in spreads

    @property
    def shrunk(self) -> tuple[F32, F32]:
        """Weights (C, D) and bias (C,) with the shrinkage folded in: their output is the correction itself."""
        return self.shrink[:, None] * self.weights, self.shrink * self.bias


@dataclass(frozen=True)
class Detector:
    """Holds everything in a model.vcedge. Without `cell` and `head` it is the linear detector alone."""

    asset: str
    schema: SensorSchema
    features: Features
    highway: Highway
    cell: Cell | None
    head: Head | None
    scorer: Scorer
    seen: SeenRange
    calibration: Calibration
    reading: Mapping[str, Any] = field(default_factory=dict)
    """Settings that the training files were read with (`time`, `table`); the default for files to score."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Data files with SHA-256, configuration, library versions, seed."""
    resemblance: Resemblance | None = None
    """Kinds of faults to compare events with; None if too few injected faults raised events, or none were injected."""

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return len(self.schema.channels)

    @property
    def depth(self) -> int:
        """Number of past rows that a state keeps."""
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

    @property
    def sensors(self) -> NDArray[np.bool_]:
        """Channels (C,) that are forecast: all but commands and constants."""
        return np.array([channel.role == "sensor" for channel in self.schema.channels])

    @property
    def live(self) -> NDArray[np.bool_]:
        """Channels (C,) that moved in training: all but constants."""
        return np.array([channel.role != "constant" for channel in self.schema.channels])

    def without_network(self) -> Detector:
        """Return the detector with the network switched off: highway and scorer only."""
        return replace(self, cell=None, head=None)

    def macs(self, updated: float) -> float:
        """Return the multiply-accumulates of a step that updates this many dimensions, with highway and scorer."""
        network = 0.0 if self.cell is None else self.cell.spec.macs(updated, self.channels)
        return network + self.highway.order * self.channels**2 + self.scorer.macs()


def boundaries_of(levels: int | list[float], hidden: int) -> tuple[int, ...]:
    """Return the leading dimensions that each level updates, ending at `hidden`.

    `levels` is a number of equal steps, or an increasing list of fractions that ends at 1. Raises ValueError if the
    hidden size cannot be divided that way: the trained model must be the one that runs, so only the binary error of a
    fraction (0.29 of 100) is rounded off.
    """
    if isinstance(levels, int):
        if levels < 1 or hidden % levels:
            raise ValueError(f"hidden_size {hidden} is not a multiple of levels {levels}")
        return tuple(hidden * j // levels for j in range(1, levels + 1))
    sizes = [fraction * hidden for fraction in levels]
    if not sizes or sizes[-1] != hidden or sizes[0] <= 0 or any(b <= a for a, b in pairwise(sizes)):
        raise ValueError(f"levels {levels} must increase and end at 1")
    boundaries = tuple(round(size) for size in sizes)
    if any(abs(size - k) > SIZE_ERROR for size, k in zip(sizes, boundaries, strict=True)):
        raise ValueError(f"levels {levels} of hidden_size {hidden} are not whole numbers of dimensions")
    if boundaries[0] < 1 or any(b <= a for a, b in pairwise(boundaries)):
        raise ValueError(f"levels {levels} of hidden_size {hidden} must differ by at least one dimension")
    return boundaries


def scheduler_inputs(schema: SensorSchema, *, flags: bool) -> tuple[str, ...]:
    """Return the names of the values that `Cell.gate_input` weighs, in its order, as reasons why the gate opened."""
    names = schema.names
    raw = tuple(f"{name} level" for name in names)
    missing = tuple(f"{name} missing" for name in names) if flags else ()
    size = tuple(f"{name} size" for name in names)
    return (*raw, *missing, *size, *(f"{name} change" for name in names), *(f"{name} error" for name in names))


def all_finite(array: NDArray[Any]) -> bool:
    """Return whether an array holds neither NaN nor infinity."""
    return bool(np.isfinite(array).all())
