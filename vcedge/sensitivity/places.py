"""Where on the held-out tail faults are injected: normal stretches, and the engine's state just before them."""

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
"""So many rows at most are run before a stretch, so that the state is that of long operation."""


@dataclass(frozen=True)
class Place:
    """A stretch of normal rows that raises no alarm by itself."""

    before: F64  # (L, C) the rows before it, as many as it is long where the recording holds them
    rows: F64  # (L, C) the stretch
    state: State  # the engine's just before it


def find_starts(trace: Trace, split: Split, detector: Detector, length: int, count: int) -> list[int]:
    """First rows of up to `count` stretches of the tail, evenly spread; they may overlap.

    Each has `length` rows without a gap, a settled detector, and no row that is above the threshold without a fault.
    """
    tail = trace.within(split.tail)
    if len(tail.rows) < length:
        return []
    calm = (tail.raw <= detector.calibration.threshold) & (tail.since >= detector.calibration.warmup_rows)
    calm[1:] &= (np.diff(tail.rows) == 1) & (tail.since[1:] > 0)
    # A stretch's first row may follow what it likes; the row before it only has to be of the same sequence.
    restless = np.concatenate(([0], np.cumsum(~calm)))
    firsts = np.flatnonzero(restless[length:] == restless[:-length])
    chosen = firsts[np.unique(np.linspace(0, len(firsts) - 1, min(count, len(firsts))).round().astype(int))]
    return [int(row) for row in tail.rows[chosen]]


def prepare(engine: Engine, values: F64, split: Split, start: int, length: int) -> Place:
    """Run the engine over the rows before `start` of values (N, C), from the sequence's first or LEAD_ROWS before."""
    sequence = max((first for first in split.starts if first <= start), default=0)
    state = engine.new_state()
    for row in range(max(sequence, start - LEAD_ROWS), start):
        if np.isfinite(values[row]).any():
            engine.step(values[row], state)
    return Place(values[max(0, start - length) : start], values[start : start + length], state)
