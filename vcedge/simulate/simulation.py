"""Simulates a run of the rig from a seed: readings, labels and faults."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcedge.errors import UsageError
from vcedge.schema import F64, NS_PER_S
from vcedge.simulate import rig
from vcedge.simulate.batches import follow_recipe
from vcedge.simulate.faults import BATCH_KINDS, COMMON_KINDS, KINDS, Scene, SimulatedFault, freeze
from vcedge.simulate.placement import HealthyRun, place
from vcedge.simulate.sensors import NAMES, SENSORS, losses, measure
from vcedge.simulate.set_points import operate

START_NS = 1_767_592_800 * NS_PER_S  # 2026-01-05T06:00:00Z, a Monday's first shift
MOST_ROWS = 10_000_000


@dataclass(frozen=True)
class Simulation:
    """Holds one recording with its labels and faults."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    time_ns: NDArray[np.int64]  # (N,)
    values: F64  # (N, C), NaN where a reading was lost
    anomaly: NDArray[np.int8]  # (N,), 1 within a fault
    faults: tuple[SimulatedFault, ...]


def simulate(
    hours: float = 6.0,
    faults: int = 0,
    seed: int = 0,
    period_s: float = 1.0,
    *,
    kinds: Sequence[str] | None = None,
    batches: bool = False,
) -> Simulation:
    """Run the pump rig, from START_NS on.

    The same arguments give the same numbers. Nothing changes before the first fault, and a longer run without faults
    begins with the shorter one.

    Args:
        hours: length of the run.
        faults: number of faults.
        seed: seed of all random numbers.
        period_s: time between two readings of all sensors.
        kinds: kinds of fault, used in random order, each once before any is used again; by default
            `faults.COMMON_KINDS`, with `batches` `faults.BATCH_KINDS`.
        batches: the rig follows a recipe instead of an operator.

    Raises:
        UsageError: an argument is out of its range, or the run is too short for so many faults.
    """
    rows = _rows(hours, faults, seed, period_s)
    # One generator for each purpose: the draws of faults must not shift any other draws.
    streams = [np.random.default_rng(sequence) for sequence in np.random.SeedSequence(seed).spawn(5)]
    operating, disturbing, measuring, losing, failing = streams

    set_points = (follow_recipe if batches else operate)(rows, period_s, operating)
    if kinds is None:
        kinds = tuple(BATCH_KINDS) if batches else COMMON_KINDS
    disturbances = rig.disturb(rows, period_s, START_NS, disturbing)
    condition = rig.Condition.healthy(rows)
    truth = rig.run(set_points, disturbances, condition, period_s)
    scene = Scene(truth, set_points, condition, period_s, failing)
    labelled = []
    for kind, at in place(faults, kinds, HealthyRun(set_points, truth, period_s, failing)):
        channels, text = (KINDS | BATCH_KINDS)[kind].act(at, scene)
        labelled.append(SimulatedFault(kind, at.start, at.stop, channels, text))
    if labelled:
        truth = rig.run(set_points, disturbances, condition, period_s)

    values = measure(truth.table(), measuring)
    anomaly = np.zeros(rows, np.int8)
    for fault in labelled:
        anomaly[fault.start : fault.stop] = 1
        if fault.kind == "stuck_sensor":
            freeze(values, fault)
    values[losses(rows, losing)] = np.nan
    return Simulation(
        names=NAMES,
        units=tuple(sensor.unit for sensor in SENSORS),
        time_ns=START_NS + np.round(np.arange(rows) * (period_s * NS_PER_S)).astype(np.int64),
        values=values,
        anomaly=anomaly,
        faults=tuple(labelled),
    )


def _rows(hours: float, faults: int, seed: int, period_s: float) -> int:
    """Return the number of rows. Raises UsageError for an argument that is out of its range."""
    if not (math.isfinite(period_s) and 0.001 <= period_s <= 60.0):
        raise UsageError(f"period_s: got {period_s:g}, expected 0.001 to 60 seconds")
    most = MOST_ROWS * period_s / 3600.0
    if not (math.isfinite(hours) and 0.0 < hours <= most):
        raise UsageError(f"hours: got {hours:g}, expected more than 0 and at most {most:g}")
    if seed < 0:
        raise UsageError(f"seed: got {seed}, expected 0 or more")
    if faults < 0:
        raise UsageError(f"faults: got {faults}, expected 0 or more")
    rows = round(hours * 3600.0 / period_s)
    if rows < 1:
        raise UsageError(f"hours: got {hours:g}, expected at least one period of {period_s:g} s")
    return rows
