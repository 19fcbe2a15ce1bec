"""Describes the channels of a sensor stream and one sample of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
NS_PER_S = 1_000_000_000
LARGEST_READING = 1e30
"""Largest reading of a sensor: 3.4e38 and the like stand for "no value" in files and messages."""
Role = Literal["sensor", "command", "constant"]
"""A sensor is forecast and has errors; a command has at most two values, which an operator or a program sets, and is
context of the forecasts; a constant stood still in training, and only a new value of it counts."""


@dataclass(frozen=True)
class Channel:
    """Describes one sensor: its name in files and messages, its unit, and its plausible readings.

    A value outside `low`..`high` is a defect of the sensor, not of the machine, and counts as missing.
    """

    name: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    rate: float | None = None
    """Largest change a second, in the unit. A faster change is a defect, unless the next value confirms it."""
    role: Role = "sensor"


@dataclass(frozen=True)
class SensorSchema:
    """Describes a model's input: the channels in order, and the spacing of samples in time.

    `period_ns` is the usual time between two samples; more than `max_gap_ns` is a gap, which resets the state.
    """

    channels: tuple[Channel, ...]
    period_ns: int
    max_gap_ns: int

    @property
    def names(self) -> tuple[str, ...]:
        """Channel names in the order of every (C,) array."""
        return tuple(channel.name for channel in self.channels)

    def limits(self) -> tuple[F64, F64]:
        """Return the lowest and highest plausible value of each channel, (C,) and (C,); ±1e30 by default."""
        low = [-LARGEST_READING if c.low is None else c.low for c in self.channels]
        high = [LARGEST_READING if c.high is None else c.high for c in self.channels]
        return np.array(low, np.float64), np.array(high, np.float64)

    def rates(self) -> F64:
        """Return the largest change a second of each channel, (C,); infinite by default."""
        return np.array([np.inf if c.rate is None else c.rate for c in self.channels], np.float64)

    def to_json(self) -> dict[str, Any]:
        """Return the schema as it is in the manifest of a model file."""
        return {
            "channels": [
                {"name": c.name, "unit": c.unit, "low": c.low, "high": c.high, "role": c.role}
                | ({} if c.rate is None else {"rate": c.rate})
                for c in self.channels
            ],
            "period_ns": self.period_ns,
            "max_gap_ns": self.max_gap_ns,
        }


@dataclass(frozen=True)
class Sample:
    """Holds one reading of all channels: `time_ns` since 1970 in UTC, `values` (C,) with NaN where missing."""

    time_ns: int
    values: F64


def beyond_limits(values: F64, low: F64, high: F64) -> NDArray[np.bool_]:
    """Return where values (..., C) lie outside the limits (C,) and (C,) of their channel; NaN does not."""
    with np.errstate(invalid="ignore"):
        return np.asarray((values < low) | (values > high))


def schema_of(names: Sequence[str], period_s: float, max_gap_s: float) -> SensorSchema:
    """Return a schema of channels that have only a name."""
    channels = tuple(Channel(name) for name in names)
    return SensorSchema(channels, round(period_s * NS_PER_S), round(max_gap_s * NS_PER_S))
