"""Times the detector's step, from features to scorer, in each installed engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vcedge.bench.timing import TimedCall
from vcedge.detector import Detector
from vcedge.runtime.engine.interface import ComputePolicy, Engine
from vcedge.runtime.engine.registry import ENGINES
from vcedge.schema import F64

NEVER = -1e30
"""Bias with which the scheduler never opens, so that the level is the minimum level."""


def detector_runs(detector: Detector) -> list[TimedCall]:
    """Return each engine at the lowest and the highest level, on samples around the channels' means."""
    values = quiet_samples(detector)
    runs = []
    for name, load in ENGINES.items():
        engine = load(detector)
        for level in sorted({1, detector.levels}):
            share = 1.0 if detector.cell is None else detector.boundaries[level - 1] / detector.hidden
            row = {"engine": name, "level": share, "streams": 1, "where": "python", "step": "detector"}
            runs.append(TimedCall(row, step_of(engine, values, level)))
    return runs


def quiet_samples(detector: Detector) -> F64:
    """Return samples (64, C) around the channels' means."""
    noise = np.random.default_rng(0).standard_normal((64, detector.channels))
    return np.asarray(detector.features.center + 0.1 * detector.features.scale * noise)


def step_of(engine: Engine, values: F64, level: int) -> Callable[[], Any]:
    """Return a function that steps at a level through the samples (M, C), repeated without end."""
    state, turn = engine.new_state(), 0
    rows = list(values)

    def step() -> Any:
        nonlocal turn
        turn = (turn + 1) % len(rows)
        return engine.step(rows[turn], state, ComputePolicy(level, NEVER))

    return step
