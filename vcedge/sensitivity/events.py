"""Collects the shapes of events that injected faults raise, on which `vcedge.sensitivity.resemblance` is fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.trace import Trace, TracedRows
from vcedge.injection.faults import KINDS, FaultKind, InjectedFault, Scales, inject_all
from vcedge.injection.plan import NormalRows, in_rounds, plan_faults, size_range
from vcedge.resemblance import FEATURES, ShapeTracker
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.stream.events import EventTracker
from vcedge.schema import F64

OBVIOUSNESS = 0.8
"""Weight of the largest size, from 0 to 1, that enlarges all sizes: a fault that raises no event has no shape."""
LIMIT_QUANTILE = 0.99
MOST_ROWS = 3000
"""Most rows of the tail's longest stretch that are used."""
LONGEST = 100
"""Longest fault in rows: its shape shows within them, and shorter faults leave room for more of them."""
GAP_ROWS = 100
"""Normal rows between two faults, so that slow means recover from the first."""
CANDIDATES = 1000
"""Faults that are planned before they are reduced to the rounds that the limit of steps allows."""


@dataclass(frozen=True)
class InjectedEvents:
    """Holds M events that injected faults raised."""

    features: F64  # (M, F)
    kinds: NDArray[np.str_]  # (M,)
    starts: NDArray[np.int64]  # (M,) first faulty row


def injected_events(
    engine: Engine, rows: TracedRows, most_steps: int, seed: int = 0, kinds: tuple[FaultKind, ...] = KINDS
) -> InjectedEvents:
    """Inject planned faults into the tail's longest stretch and return those that raise an event.

    Several faults share one copy of the stretch; `most_steps` bounds the rows that the engine steps.
    """
    first, stop = max(rows.split.tail, key=lambda part: part[1] - part[0])
    used = np.arange(first, min(stop, first + MOST_ROWS))
    lead = engine.detector.calibration.warmup_rows
    normal = NormalRows.of(rows.values[used], _residual(rows.trace, used), Scales.of(engine.detector))
    # The threshold may lie far above all normal rows. Shapes do not depend on size, so events above nearly all normal
    # rows are as good, and there are more of them.
    settled = rows.tail.raw[rows.tail.since >= lead]
    quiet = float(np.quantile(settled, LIMIT_QUANTILE)) if len(settled) else np.inf
    limit = min(engine.detector.calibration.threshold, quiet)
    faults = [_obvious(fault, normal) for fault in plan_faults(normal, CANDIDATES, seed=seed, lead=lead, kinds=kinds)]
    found: list[tuple[F64, str, int]] = []
    for group in _affordable_rounds(faults, most_steps // len(used)):
        found += _run(engine, inject_all(normal.values, group, normal.scales), group, limit)
    return InjectedEvents(
        np.array([event[0] for event in found]).reshape(-1, len(FEATURES)),
        np.array([event[1] for event in found], dtype=np.str_),
        np.array([event[2] for event in found], dtype=np.int64) + first,
    )


def _obvious(fault: InjectedFault, normal: NormalRows) -> InjectedFault:
    """Return the fault with a larger size and at most LONGEST rows."""
    low, high = size_range(fault.kind, fault.channel, normal, fault.length)
    size = fault.size ** (1 - OBVIOUSNESS) * high**OBVIOUSNESS if high > low else fault.size
    length = min(fault.length, LONGEST)
    return replace(fault, length=length, size=float(np.ceil(size)) if fault.kind == "delay" else size)


def _affordable_rounds(faults: list[InjectedFault], most: int) -> list[list[InjectedFault]]:
    """Distribute as many of the faults as fit into `most` rounds, and at least one fault."""
    keep = len(faults)
    while len(in_rounds(faults[:keep], GAP_ROWS)) > max(most, 1) and keep > 1:
        keep = keep * 4 // 5
    return in_rounds(faults[:keep], GAP_ROWS)


def _run(engine: Engine, values: F64, faults: list[InjectedFault], limit: float) -> list[tuple[F64, str, int]]:
    """Return features, kind and start of each fault in which an event opens; features average until either ends."""
    detector = engine.detector
    tracker = ShapeTracker(detector.features.change_scale)
    events, state = EventTracker("anomaly", detector.calibration.events), engine.new_state()
    warmup = detector.calibration.warmup_rows
    found: list[tuple[F64, str, int]] = []
    waiting, inside = list(faults), False
    features: F64 | None = None
    for row, sample in enumerate(values):
        if np.isnan(sample).all():
            continue
        seen = state.seen
        raw, _, _ = engine.step(sample, state)
        was = events.is_open
        events.push(row, raw, limit, allowed=seen >= warmup)
        tracker.push(state.residual, state.lags[0], in_event=events.is_open)
        current = waiting[0] if waiting else None
        if current is None:
            break
        if events.is_open and not was and current.start <= row < current.stop:
            inside = True
        if inside and tracker.features is not None:
            features = tracker.features
        if inside and (not events.is_open or row >= current.stop - 1):
            assert features is not None
            found.append((features, current.kind, current.start))
            inside = False
            waiting.pop(0)
        elif row >= current.stop - 1:
            waiting.pop(0)
    return found


def _residual(trace: Trace, rows: NDArray[np.int64]) -> F64:
    """Return the highway's residual on some rows (M, C), NaN where there is none."""
    residual = np.full((len(rows), trace.residual.shape[1]), np.nan)
    inside = (trace.rows >= rows[0]) & (trace.rows <= rows[-1])
    residual[trace.rows[inside] - rows[0]] = np.where(trace.known[inside], trace.residual[inside], np.nan)
    return residual
