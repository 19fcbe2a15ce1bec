"""Models the rig's sensors: noise, the steps of their converters, and lost readings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcedge.schema import F64, Channel


@dataclass(frozen=True)
class Sensor:
    """Describes one sensor: standard deviation of its noise, step of its converter, and range, in its unit."""

    name: str
    unit: str
    noise: float
    step: float
    low: float
    high: float

    @property
    def decimals(self) -> int:
        """Number of decimals that a multiple of the step needs."""
        return len(f"{self.step:g}".partition(".")[2])

    @property
    def channel(self) -> Channel:
        """The sensor as a schema and a training configuration describe it."""
        return Channel(self.name, self.unit, self.low, self.high)


SENSORS = (
    Sensor("Pressure", "bar", 0.006, 0.0025, -1.0, 10.0),
    Sensor("Flow", "m3/h", 0.06, 0.0125, -1.0, 50.0),
    Sensor("Current", "A", 0.02, 0.005, -1.0, 20.0),
    Sensor("MotorTemperature", "degC", 0.04, 0.05, -20.0, 150.0),
    Sensor("BearingTemperature", "degC", 0.04, 0.05, -20.0, 150.0),
    Sensor("Vibration", "mm/s", 0.012, 0.005, 0.0, 25.0),
    Sensor("Speed", "rpm", 1.2, 1.0, -10.0, 3600.0),
    Sensor("ValvePosition", "%", 0.06, 0.1, -5.0, 105.0),
)
NAMES = tuple(sensor.name for sensor in SENSORS)

# One reading in a thousand is lost: alone, a few in a row of one sensor, or all sensors at once.
LOSS_STARTS = 0.0005
LONG_SHARE = 0.2
LONGEST_LOSS = 6
ALL_START = 0.0001
LONGEST_ALL = 3


def measure(truth: F64, rng: np.random.Generator) -> F64:
    """Return the readings (N, C) of true values (N, C): noise, then the nearest step of each converter."""
    noise = np.array([sensor.noise for sensor in SENSORS])
    noisy = truth + noise * rng.standard_normal(truth.shape)
    for column, sensor in enumerate(SENSORS):
        steps = np.round(np.clip(noisy[:, column], sensor.low, sensor.high) / sensor.step)
        # Rounding again gives the double nearest to the decimal number, so that a text round trip is exact.
        noisy[:, column] = np.round(steps * sensor.step, sensor.decimals) + 0.0
    return noisy


def losses(rows: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return the mask of lost readings (N, C), about 0.1% of them as in a normal plant."""
    width = len(SENSORS) + 1  # the last column: the whole row
    draws = rng.random((rows, width, 2))
    begins = np.full(width, LOSS_STARTS)
    begins[-1] = ALL_START
    lost = np.zeros((rows, width), np.bool_)
    for row, column in np.argwhere(draws[:, :, 0] < begins):
        lost[row : row + _length(float(draws[row, column, 1]), whole_row=column == width - 1), column] = True
    return lost[:, :-1] | lost[:, -1:]


def _length(uniform: float, *, whole_row: bool) -> int:
    """Return the rows that a loss lasts, from a uniform number: mostly one."""
    if whole_row:
        return 1 + int(uniform * LONGEST_ALL)
    if uniform >= LONG_SHARE:
        return 1
    return 2 + int(uniform / LONG_SHARE * (LONGEST_LOSS - 1))
