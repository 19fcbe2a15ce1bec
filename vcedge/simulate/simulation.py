"""A run of the simulated rig: readings, labels and faults, from a seed."""

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
from vcedge.simulate.faults import BATCH_KINDS, COMMON_KINDS, KINDS, Fault, Scene, freeze
from vcedge.simulate.operation import operate
from vcedge.simulate.placement import Run, place
from vcedge.simulate.sensors import NAMES, SENSORS, losses, measure

START_NS = 1_767_592_800 * NS_PER_S  # 2026-01-05T06:00:00Z, a Monday's first shift
MOST_ROWS = 10_000_000


@dataclass(frozen=True)
class Simulation:
    """One recording and the truth about it."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    time_ns: NDArray[np.int64]  # (N,)
    values: F64  # (N, C), NaN where a reading was lost
    anomaly: NDArray[np.int8]  # (N,), 1 within a fault
    faults: tuple[Fault, ...]


def simulate(
    hours: float = 6.0,
    faults: int = 0,
    seed: int = 0,
    period_s: float = 1.0,
    start_ns: int = START_NS,
    kinds: Sequence[str] | None = None,
    batches: bool = False,
) -> Simulation:
    """Run the pump rig for `hours`, a reading of all sensors every `period_s`.

    The same arguments give the same numbers. Faults change nothing before the first of them, and a longer run
    without faults begins with the shorter one. `kinds` are taken in random order, each once before one comes
    again; absent, they are `faults.COMMON_KINDS`. With `batches` the rig follows a recipe in place of an operator, and
    absent kinds are `faults.BATCH_KINDS`.

    Raises:
        UsageError: an argument is out of its range, or the run is too short for so many faults.
    """
    rows = _rows(hours, faults, seed, period_s)
    # One generator for each purpose: what faults draw must not shift what anything else draws.
    streams = [np.random.default_rng(sequence) for sequence in np.random.SeedSequence(seed).spawn(5)]
    operating, disturbing, measuring, losing, failing = streams

    operation = (follow_recipe if batches else operate)(rows, period_s, operating)
    if kinds is None:
        kinds = tuple(BATCH_KINDS) if batches else COMMON_KINDS
    disturbances = rig.disturb(rows, period_s, start_ns, disturbing)
    condition = rig.Condition.healthy(rows)
    truth = rig.run(operation, disturbances, condition, period_s)
    scene = Scene(truth, operation, condition, period_s, failing)
    labelled = []
    for kind, at in place(faults, kinds, Run(operation, truth, period_s, failing)):
        channels, text = (KINDS | BATCH_KINDS)[kind].act(at, scene)
        labelled.append(Fault(kind, at.start, at.stop, channels, text))
    if labelled:
        truth = rig.run(operation, disturbances, condition, period_s)

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
        time_ns=start_ns + np.round(np.arange(rows) * (period_s * NS_PER_S)).astype(np.int64),
        values=values,
        anomaly=anomaly,
        faults=tuple(labelled),
    )


def _rows(hours: float, faults: int, seed: int, period_s: float) -> int:
    """Number of rows, once all arguments are known to make sense."""
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
