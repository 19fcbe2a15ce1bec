"""Shapes of the events that injected faults raise: what the resemblance of real events is fitted on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.split import Split
from vcedge.calibration.trace import Trace
from vcedge.injection.faults import KINDS, Fault, FaultKind, Scales, inject_all
from vcedge.injection.plan import Memory, in_rounds, memory_rows, plan_faults, size_range
from vcedge.resemblance import FEATURES, ShapeTracker
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.stream.events import EventTracker
from vcedge.schema import F64

PLAINNESS = 0.8
"""How far sizes are drawn towards the plainest: what raises no event teaches nothing."""
LIMIT_QUANTILE = 0.99
MOST_ROWS = 3000
"""Rows of the tail's longest stretch that are used."""
LONGEST = 100
"""A fault of so many rows has shown its shape; shorter ones leave room for more of them."""
GAP_ROWS = 100
"""Normal rows between two faults: the slow means forget the first."""


@dataclass(frozen=True)
class InjectedEvents:
    """M events that injected faults raised."""

    features: F64  # (M, F)
    kinds: NDArray[np.str_]  # (M,)
    starts: NDArray[np.int64]  # (M,) first faulty row


def injected_events(
    engine: Engine,
    values: F64,
    split: Split,
    trace: Trace,
    most_steps: int,
    seed: int = 0,
    kinds: tuple[FaultKind, ...] = KINDS,
) -> InjectedEvents:
    """Run planned faults through the engine, several in one copy of the stretch, and keep those that raise an event.

    `trace` is the detector's over at least the tail of values (N, C).
    """
    first, stop = max(split.tail, key=lambda part: part[1] - part[0])
    rows = np.arange(first, min(stop, first + MOST_ROWS))
    lead = engine.detector.calibration.warmup_rows
    scales = Scales.of(engine.detector)
    normal, residual = values[rows], _residual(trace, rows)
    # The threshold promises a rate and may lie far above all normal rows; shapes are free of size, so that events
    # above nearly all of them teach as much, and there are more.
    settled = trace.within(split.tail).raw[trace.within(split.tail).since >= lead]
    quiet = float(np.quantile(settled, LIMIT_QUANTILE)) if len(settled) else np.inf
    limit = min(engine.detector.calibration.threshold, quiet)
    found: list[tuple[F64, str, int]] = []
    for group in _plan(normal, residual, scales, lead, most_steps // len(rows), seed, kinds):
        found += _run(engine, inject_all(normal, group, scales), group, limit)
    return InjectedEvents(
        np.array([event[0] for event in found]).reshape(-1, len(FEATURES)),
        np.array([event[1] for event in found], dtype=np.str_),
        np.array([event[2] for event in found], dtype=np.int64) + first,
    )


def _plan(
    normal: F64, residual: F64, scales: Scales, lead: int, rounds: int, seed: int, kinds: tuple[FaultKind, ...]
) -> list[list[Fault]]:
    """So many rounds of plain faults, each kind as often as any other."""
    memory = Memory(memory_rows(normal), memory_rows(residual))
    count = 1000
    faults = plan_faults(normal, residual, scales, count, seed, lead, kinds)
    plain = []
    for fault in faults:
        low, high = size_range(fault.kind, fault.channel, scales, memory, fault.length)
        size = fault.size ** (1 - PLAINNESS) * high**PLAINNESS if high > low else fault.size
        length = min(fault.length, LONGEST)
        plain.append(replace(fault, length=length, size=float(np.ceil(size)) if fault.kind == "delay" else size))
    keep = count
    while len(in_rounds(plain[:keep], GAP_ROWS)) > max(rounds, 1) and keep > 1:
        keep = keep * 4 // 5
    return in_rounds(plain[:keep], GAP_ROWS)


def _run(engine: Engine, values: F64, faults: list[Fault], limit: float) -> list[tuple[F64, str, int]]:
    """Features, kind and start of each fault within which an event opens, averaged until event or fault is over."""
    detector = engine.detector
    tracker = ShapeTracker(detector.channels, detector.features.change_scale)
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
        events.push(row, raw, limit, (), seen >= warmup)
        tracker.push(state.residual, state.lags[0], events.is_open)
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
    """The highway's residual on some rows (M, C), NaN where there is none."""
    residual = np.full((len(rows), trace.residual.shape[1]), np.nan)
    inside = (trace.rows >= rows[0]) & (trace.rows <= rows[-1])
    residual[trace.rows[inside] - rows[0]] = np.where(trace.known[inside], trace.residual[inside], np.nan)
    return residual
