"""The whole detector's step, features to scorer, in each engine that is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vcedge.bench.timing import Run
from vcedge.detector import Detector
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.engine.registry import ENGINES
from vcedge.schema import F64

NEVER = -1e30
"""A bias that silences the scheduler: the level is the floor."""


def detector_runs(detector: Detector) -> list[Run]:
    """Each engine at the lowest and the highest level, on samples around the channels' means."""
    values = quiet_samples(detector)
    runs = []
    for name, load in ENGINES.items():
        engine = load(detector)
        for level in sorted({1, detector.levels}):
            share = 1.0 if detector.cell is None else detector.boundaries[level - 1] / detector.hidden
            row = {"engine": name, "level": share, "streams": 1, "where": "python", "step": "detector"}
            runs.append(Run(row, step_of(engine, values, level)))
    return runs


def quiet_samples(detector: Detector) -> F64:
    """Samples (64, C) around the channels' means."""
    noise = np.random.default_rng(0).standard_normal((64, detector.channels))
    return np.asarray(detector.features.center + 0.1 * detector.features.scale * noise)


def step_of(engine: Engine, values: F64, level: int) -> Callable[[], Any]:
    """One step at a level, on one of the samples (M, C) after the other."""
    state, turn = engine.new_state(), 0
    rows = list(values)

    def step() -> Any:
        nonlocal turn
        turn = (turn + 1) % len(rows)
        return engine.step(rows[turn], state, level, NEVER)

    return step
