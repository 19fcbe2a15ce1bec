"""Records what a detector computes along a recording, row by row, with the engine that scores."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.split import Ranges, Split, rows_in
from vcedge.runtime.engine.interface import ComputePolicy, Engine
from vcedge.runtime.stream.compute_budget import ComputeBudget
from vcedge.schema import F32, F64


@dataclass(frozen=True)
class Trace:
    """Holds what a detector computed for the M usable rows of some ranges, in order."""

    rows: NDArray[np.int64]  # (M,) row numbers in the recording
    since: NDArray[np.int64]  # (M,) rows since the last reset, 0 for the first
    z: F32  # (M, C) standardised sample, a likely value in the place of a missing one
    previous: F32  # (M, C) the sample before; the same sample if there is none
    missing: NDArray[np.bool_]  # (M, C)
    known: NDArray[np.bool_]  # (M, C) true where the channel has a residual
    residual: F32  # (M, C) the highway's residual, in spreads
    correction: F32  # (M, C) the network's forecast of `residual`, made before the row
    raw: F64  # (M,)
    updated: NDArray[np.int32]  # (M,) hidden dimensions updated

    @property
    def first(self) -> NDArray[np.bool_]:
        """True for each row (M,) before which the state was reset."""
        return np.asarray(self.since == 0)

    def within(self, ranges: Ranges) -> Trace:
        """Return the rows of the trace that lie in some ranges of the recording."""
        keep = np.zeros(len(self.rows), bool)
        for start, stop in ranges:
            keep |= (self.rows >= start) & (self.rows < stop)
        return Trace(**{field.name: getattr(self, field.name)[keep] for field in fields(self)})


@dataclass(frozen=True)
class TracedRows:
    """Holds the rows of a recording and what a calibrated detector computes on them, at least on the tail."""

    values: F64  # (N, C)
    split: Split
    trace: Trace

    @property
    def tail(self) -> Trace:
        """The trace of the held-out rows."""
        return self.trace.within(self.split.tail)


def run_engine(engine: Engine, values: F64, ranges: Ranges, starts: frozenset[int] = frozenset()) -> Trace:
    """Step an engine through some ranges of values (N, C), from a fresh state at the start of each.

    The state is carried over the border of ranges that touch, unless a sequence starts there (`starts`). The stream's
    compute budget applies here too, so that limits are measured on the network's errors under that budget.
    """
    detector = engine.detector
    count, channels, boundaries = rows_in(ranges), detector.channels, detector.boundaries
    sensors = detector.sensors
    trace = Trace(
        rows=np.zeros(count, np.int64),
        since=np.zeros(count, np.int64),
        z=np.zeros((count, channels), np.float32),
        previous=np.zeros((count, channels), np.float32),
        missing=np.zeros((count, channels), bool),
        known=np.zeros((count, channels), bool),
        residual=np.zeros((count, channels), np.float32),
        correction=np.zeros((count, channels), np.float32),
        raw=np.zeros(count),
        updated=np.zeros(count, np.int32),
    )
    state, at, last = engine.new_state(), 0, -1
    for start, stop in ranges:
        if start != last or start in starts:
            state.reset()
            budget = ComputeBudget(detector.calibration.target_share, boundaries[0] / max(detector.hidden, 1))
        for row in range(start, stop):
            missing = ~np.isfinite(values[row])
            if missing.all():
                continue  # as in the stream: a row without a usable value makes no step
            trace.rows[at], trace.since[at], trace.missing[at] = row, state.seen, missing
            trace.known[at] = ~missing & sensors & (state.seen >= detector.highway.order)
            trace.correction[at], trace.previous[at] = state.correction, state.lags[0]
            policy = ComputePolicy(logit_bias=budget.bias(in_event=False))
            trace.raw[at], level, _ = engine.step(values[row], state, policy)
            trace.updated[at] = boundaries[level - 1]
            if detector.levels > 1:
                budget.spend(boundaries[level - 1] / detector.hidden, in_event=False)
            trace.z[at], trace.residual[at] = state.lags[0], state.residual
            if trace.since[at] == 0:
                trace.previous[at] = trace.z[at]
            at += 1
        last = stop
    return Trace(**{field.name: getattr(trace, field.name)[:at] for field in fields(trace)})
