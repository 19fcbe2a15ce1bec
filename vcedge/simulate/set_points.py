"""Draws the set points of an operator: speed and valve, in busy and quiet stretches.

A quiet stretch holds one set point for 10 to 27 minutes; a busy one changes it three to six times, every two to five
minutes. A detector with variable computation can learn to compute little in the first and much in the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.schema import F64
from vcedge.simulate.signals import hold

STANDSTILL_S = 30.0
SPEED_RPM = (1750, 2950)
VALVE_PERCENT = (40, 100)
QUIET_S = (600.0, 1620.0)
BUSY_S = (120.0, 300.0)

# An operator changes set points visibly, to round numbers.
SPEED_STEP_RPM = 25
VALVE_STEP_PERCENT = 5
LEAST_CHANGE_RPM = 150
LEAST_CHANGE_PERCENT = 15


@dataclass(frozen=True)
class SecondPass:
    """Describes the second pass of a batch: the valve opens at row `start`, the speed holds on rows [first, stop)."""

    start: int
    first: int
    stop: int
    other_rpm: float
    """The speed of the other product."""


@dataclass(frozen=True)
class SetPoints:
    """Holds the set points of a run: `speed_rpm` (N,), `valve_percent` (N,), and the rows at which either changes."""

    speed_rpm: F64
    valve_percent: F64
    changes: tuple[int, ...]
    passes: tuple[SecondPass, ...] = ()
    """Second passes, if the rig runs batches."""

    @property
    def rows(self) -> int:
        """Number of rows, N."""
        return len(self.speed_rpm)


def operate(rows: int, period_s: float, rng: np.random.Generator) -> SetPoints:
    """Draw the set points of a run of `rows` rows: standstill, start-up, then quiet and busy stretches.

    A longer run with the same generator begins with the same set points.
    """
    speed, valve = 2600.0, 75.0
    speeds = [(0, 0.0)]
    valves = [(0, valve)]
    at_s = STANDSTILL_S
    pending: list[float] = [_quiet(rng)]
    quiet = True
    while (row := round(at_s / period_s)) < rows:
        # A short period_s never makes two set points share a row; a very long one may, and the later one holds.
        speeds.append((row, speed))
        valves.append((row, valve))
        if not pending:
            quiet = not quiet
            pending = [_quiet(rng)] if quiet else [rng.uniform(*BUSY_S) for _ in range(rng.integers(3, 7))]
        at_s += pending.pop()
        speed, valve = _next_set_point(speed, valve, rng)
    changes = tuple(dict.fromkeys(row for row, _ in speeds[1:]))
    return SetPoints(hold(speeds, rows), hold(valves, rows), changes)


def _quiet(rng: np.random.Generator) -> float:
    return float(rng.uniform(*QUIET_S))


def _next_set_point(speed: float, valve: float, rng: np.random.Generator) -> tuple[float, float]:
    what = rng.uniform()
    if what < 0.75:
        speed = _another(speed, SPEED_RPM, SPEED_STEP_RPM, LEAST_CHANGE_RPM, rng)
    if what > 0.50:
        valve = _another(valve, VALVE_PERCENT, VALVE_STEP_PERCENT, LEAST_CHANGE_PERCENT, rng)
    return speed, valve


def _another(value: float, bounds: tuple[int, int], step: int, least: float, rng: np.random.Generator) -> float:
    """Return a round value within the bounds that differs from `value` by at least `least`."""
    choices = np.arange(bounds[0], bounds[1] + 1, step)
    far = choices[np.abs(choices - value) >= least]
    return float(far[int(rng.uniform() * len(far))])
