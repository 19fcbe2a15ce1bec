"""Times the detector's step on a recording, at the scheduler's levels and at the full level."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vcedge.bench.timing import TimedCall
from vcedge.detector import Detector
from vcedge.errors import DataError
from vcedge.history import open_rows
from vcedge.history.as_trained import reading_config
from vcedge.runtime.engine.interface import ComputePolicy, Engine
from vcedge.runtime.engine.registry import ENGINES
from vcedge.schema import F64

MAX_ROWS = 20_000
"""Most rows that are used: of a longer recording the first ones are repeated."""
ROWS_A_CALL = 64


def read_values(detector: Detector, path: Path) -> F64:
    """Return the first rows (N, C) of a recording, as `vcedge score` reads them.

    Raises:
        InputNotFound: There is no such file.
        DataError: The file cannot be read or has no rows.
    """
    blocks, rows = [], 0
    for block in open_rows([path], detector.schema, reading_config(detector)):
        blocks.append(block.values)
        rows += len(block.values)
        if rows >= MAX_ROWS:
            break
    if rows == 0:
        raise DataError(f"{path}: no rows, expected at least one")
    return np.ascontiguousarray(np.concatenate(blocks)[:MAX_ROWS])


def recorded_runs(detector: Detector, values: F64) -> list[TimedCall]:
    """Return each engine on rows (N, C), once at the scheduler's levels and once at the full level."""
    runs = []
    for name, load in ENGINES.items():
        engine = load(detector)
        for policy, floor in (("auto", 1), ("full", detector.levels)):
            share = updated_share(engine, values) if policy == "auto" else 1.0
            row = {"engine": name, "level": share, "streams": 1, "where": "python", "step": "recording"}
            runs.append(TimedCall({**row, "policy": policy}, _walk(engine, values, floor), ROWS_A_CALL))
    return runs


def updated_share(engine: Engine, values: F64) -> float:
    """Return the mean share of hidden dimensions that the scheduler updates over rows (N, C); 1 without levels."""
    detector, state = engine.detector, engine.new_state()
    if detector.levels == 1:
        return 1.0
    levels = [engine.step(row, state)[1] for row in values]
    return float(np.array(detector.boundaries)[np.array(levels) - 1].mean() / detector.hidden)


def _walk(engine: Engine, values: F64, floor: int) -> Callable[[], Any]:
    """Return a function that steps through the next rows of the recording, repeated without end."""
    state, rows, at = engine.new_state(), list(values), 0

    def walk() -> None:
        nonlocal at
        for _ in range(ROWS_A_CALL):
            engine.step(rows[at], state, ComputePolicy(floor))
            at = at + 1 if at + 1 < len(rows) else 0

    return walk
