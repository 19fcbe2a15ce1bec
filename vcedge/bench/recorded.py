"""The whole detector's step on a recording, with the levels that the scheduler picks there, and with all dimensions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vcedge.bench.timing import Run
from vcedge.detector import Detector
from vcedge.errors import DataError
from vcedge.history import open_rows
from vcedge.history.as_trained import reading_config
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.engine.registry import ENGINES
from vcedge.schema import F64

MAX_ROWS = 20_000
"""Of a longer recording its first rows are walked again and again."""
ROWS_A_CALL = 64


def read_values(detector: Detector, path: Path) -> F64:
    """The first rows (N, C) of a recording, as `vcedge score` reads them.

    Raises InputNotFound or DataError as that does, and DataError for a recording without rows.
    """
    blocks, rows = [], 0
    for block in open_rows([path], detector.schema, reading_config(detector)):
        blocks.append(block.values)
        rows += len(block.values)
        if rows >= MAX_ROWS:
            break
    if rows == 0:
        raise DataError(f"{path}: no rows, expected a recording")
    return np.ascontiguousarray(np.concatenate(blocks)[:MAX_ROWS])


def recorded_runs(detector: Detector, values: F64) -> list[Run]:
    """Each engine on rows (N, C), once with the scheduler's levels and once with the full level on every row."""
    runs = []
    for name, load in ENGINES.items():
        engine = load(detector)
        for policy, floor in (("auto", 1), ("full", detector.levels)):
            share = updated_share(engine, values) if policy == "auto" else 1.0
            row = {"engine": name, "level": share, "streams": 1, "where": "python", "step": "recording"}
            runs.append(Run({**row, "policy": policy}, _walk(engine, values, floor), ROWS_A_CALL))
    return runs


def updated_share(engine: Engine, values: F64) -> float:
    """Mean share of the hidden dimensions that the scheduler updates over rows (N, C); 1 for a model without levels."""
    cell = engine.detector.cell
    if cell is None or engine.detector.levels == 1:
        return 1.0
    state = engine.new_state()
    levels = [engine.step(row, state)[1] for row in values]
    return float(np.array(cell.spec.boundaries)[np.array(levels) - 1].mean() / cell.spec.hidden)


def _walk(engine: Engine, values: F64, floor: int) -> Callable[[], Any]:
    """The next rows of the recording, and its first again after the last; the state goes on."""
    state, rows, at = engine.new_state(), list(values), 0

    def walk() -> None:
        nonlocal at
        for _ in range(ROWS_A_CALL):
            engine.step(rows[at], state, floor)
            at = at + 1 if at + 1 < len(rows) else 0

    return walk
