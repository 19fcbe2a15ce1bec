"""Selects normal stretches of the held-out tail to inject faults into, with the engine's state just before them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.calibration.split import Split
from vcedge.calibration.trace import Trace
from vcedge.detector import Detector
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.engine.state import State
from vcedge.schema import F64

LEAD_ROWS = 1000
"""Most rows that the engine steps before a stretch, so that the state is that of long operation."""


@dataclass(frozen=True)
class Place:
    """Holds a stretch of normal rows that raises no alarm by itself."""

    before: F64  # (L, C) the rows before it, as many as it is long where the recording holds them
    rows: F64  # (L, C) the stretch
    state: State  # of the engine just before it


def find_starts(detector: Detector, tail: Trace, length: int, count: int) -> list[int]:
    """Return the first rows of up to `count` stretches of the tail, evenly spread; they may overlap.

    In each of its `length` rows there is no gap, the detector is past its warm-up, and the statistic is at or below the
    threshold.
    """
    if len(tail.rows) < length:
        return []
    calm = (tail.raw <= detector.calibration.threshold) & (tail.since >= detector.calibration.warmup_rows)
    calm[1:] &= (np.diff(tail.rows) == 1) & (tail.since[1:] > 0)
    # Only the rows within a stretch have to be consecutive; its first row may follow a gap.
    restless = np.concatenate(([0], np.cumsum(~calm)))
    firsts = np.flatnonzero(restless[length:] == restless[:-length])
    chosen = firsts[np.unique(np.linspace(0, len(firsts) - 1, min(count, len(firsts))).round().astype(int))]
    return [int(row) for row in tail.rows[chosen]]


def prepare(engine: Engine, values: F64, split: Split, start: int, length: int) -> Place:
    """Run the engine up to row `start` of values (N, C), from the sequence's first row or LEAD_ROWS before."""
    sequence = max((first for first in split.starts if first <= start), default=0)
    state = engine.new_state()
    for row in range(max(sequence, start - LEAD_ROWS), start):
        if np.isfinite(values[row]).any():
            engine.step(values[row], state)
    return Place(values[max(0, start - length) : start], values[start : start + length], state)
