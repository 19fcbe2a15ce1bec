"""The smallest fault of each kind that is found on each channel, and after how long, at the calibrated threshold.

A bisection over sizes: a size counts as found where an event opens within the fault at four of five places. What it
costs is bounded in rows that the engine steps, so that the same training gives the same result on any machine. It
takes the fastest engine that is installed; with the numpy engine a row costs about 0.1 ms, MOST_STEPS under a minute.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.split import Split, rows_in
from vcedge.calibration.trace import Trace
from vcedge.detector import Detector
from vcedge.injection.faults import KINDS, Fault, FaultKind, Scales, inject
from vcedge.injection.plan import FEW, MOVED, SHORTEST_PERIOD, Memory, joint, memory_rows, moves, size_range
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.events import EventTracker
from vcedge.runtime.stream.sensor_health import StuckCounter
from vcedge.schema import F64, NS_PER_S, beyond_limits
from vcedge.sensitivity.findings import Finding, Sensitivity
from vcedge.sensitivity.places import Place, find_starts, prepare

MOST_STEPS = 320_000
STEPS_PER_ROW = 16
"""Rows that the engine steps at most: in all, and for each row of the recording, so that a short one is quick."""
PLACES, PLACES_MANY, MANY_CHANNELS = 5, 3, 16
FOUND_SHARE = 0.8
SIZES = 15
"""Sizes of a ladder from hopeless to plain, evenly spaced in their logarithm: four tries tell the smallest found."""
TRIES = 4
LARGEST_SCALES = 10.0
"""The largest size tried, in standard deviations of the channel where that is more than a plain fault: the detector
clips its inputs there."""
LEAST_ROWS, MOST_ROWS, MEMORIES = 20, 600, 10
"""How long a fault is given: so many times the channels' memory, within these limits."""
SLOW: tuple[FaultKind, ...] = ("drift", "stuck")
SLOWNESS = 4
"""A drift and a stuck sensor are given so many times longer than the others."""
WHOLE: tuple[FaultKind, ...] = ("stuck", "swap", "decoupled")
"""Kinds that are there or not: only the whole fault is tried."""


@dataclass(frozen=True)
class Bench:
    """What every trial needs."""

    engine: Engine
    places: tuple[Place, ...]
    scales: Scales
    memory: Memory
    past: F64  # (N, C) recording, from which decoupled channels take their readings
    moving: NDArray[np.int64]  # channels that move
    quick: int
    slow: int
    """Rows that a fault, and a slow one, lasts."""


def measure_sensitivity(
    detector: Detector,
    values: F64,
    split: Split,
    trace: Trace,
    progress: Callable[[float], None] = lambda share: None,
    stop: Callable[[], bool] = lambda: False,
    most_steps: int = MOST_STEPS,
) -> Sensitivity | None:
    """What a calibrated detector finds on the tail of values (N, C); None where the tail holds no normal stretch,
    or where `stop` said so before all channels were tried.

    `trace` is the detector's over at least the tail.
    """
    bench = _bench(detector, values, split, trace, min(most_steps, STEPS_PER_ROW * rows_in(split.all)))
    if bench is None:
        return None
    findings = []
    for channel in range(detector.channels):
        if stop():
            return None
        for kind in KINDS:
            if kind in MOVED and channel not in bench.moving:
                continue  # a channel that stands still cannot show it
            if kind == "swap" and len(bench.moving) < 2:
                continue
            findings.append(_smallest(bench, kind, channel))
        progress((channel + 1) / detector.channels)
    period_s = detector.schema.period_ns / NS_PER_S
    return Sensitivity(tuple(findings), len(bench.places), bench.quick * period_s, bench.slow * period_s)


def _bench(detector: Detector, values: F64, split: Split, trace: Trace, steps: int) -> Bench | None:
    """Places and lengths that the tail allows and the steps pay for."""
    tail = trace.within(split.tail)
    count = PLACES if detector.channels <= MANY_CHANNELS else PLACES_MANY
    memory = Memory(memory_rows(values[tail.rows]), memory_rows(np.where(tail.known, tail.residual, np.nan)))
    # Of the tries of a cell about half miss, after two places at full length; the others end early.
    tried = detector.channels * (TRIES * (len(KINDS) - len(WHOLE)) + len(WHOLE) + (SLOWNESS - 1) * (TRIES + 1))
    paid = steps / (tried * count / 2)
    wanted = float(np.clip(MEMORIES * np.median(memory.values), LEAST_ROWS, MOST_ROWS))
    quick = int(max(min(wanted, paid, len(tail.rows) / 3), LEAST_ROWS))
    slow = min(SLOWNESS * quick, max(len(tail.rows) // 2, quick))
    starts = find_starts(trace, split, detector, slow, count)
    while not starts and slow > LEAST_ROWS:
        slow = max(slow // 2, LEAST_ROWS)
        starts = find_starts(trace, split, detector, slow, count)
    if not starts:
        return None
    engine = load_engine(detector)
    return Bench(
        engine=engine,
        places=tuple(prepare(engine, values, split, start, slow) for start in starts),
        scales=Scales.of(detector),
        memory=memory,
        past=values[np.concatenate([np.arange(a, b) for a, b in split.fitted])],
        moving=np.flatnonzero(moves(values[tail.rows])),
        quick=min(quick, slow),
        slow=slow,
    )


def _smallest(bench: Bench, kind: FaultKind, channel: int) -> Finding:
    """Bisect the ladder of sizes for the smallest that is found."""
    detector = bench.engine.detector
    rows = bench.slow if kind in SLOW else bench.quick
    sizes = ladder(kind, channel, bench, rows)
    low, high = -1, len(sizes)  # not found, found
    delay: float | None = None
    while high - low > 1:
        middle = (low + high) // 2
        after = _try(bench, kind, channel, sizes[middle], rows)
        if after is None:
            low = middle
        else:
            high, delay = middle, after
    period_s = detector.schema.period_ns / NS_PER_S
    return Finding(
        channel=detector.schema.channels[channel].name,
        unit=detector.schema.channels[channel].unit,
        kind=kind,
        size=sizes[high] if delay is not None else None,
        smallest=sizes[0],
        largest=sizes[-1],
        noise=float(bench.scales.noise[channel]),
        delay_s=None if delay is None else delay * period_s,
        watched_s=rows * period_s,
        period_s=_period(bench, channel) * period_s if kind == "oscillation" else None,
        row_s=period_s,
    )


def ladder(kind: FaultKind, channel: int, bench: Bench, rows: int) -> list[float]:
    """Increasing sizes to try, in the unit of the kind. None that would only leave the channel's stated limits."""
    low, high = size_range(kind, channel, bench.scales, bench.memory, rows)
    if kind in WHOLE:
        return [1.0]
    if kind in ("offset", "drift", "spike", "oscillation"):
        least, most = bench.engine.detector.schema.limits()
        center = bench.scales.center[channel]
        high = max(high, LARGEST_SCALES * bench.scales.scale[channel] / bench.scales.noise[channel])
        room = min(most[channel] - center, center - least[channel]) if kind != "offset" else most[channel] - center
        high = max(min(high, room / bench.scales.noise[channel]), low)
    sizes = np.geomspace(low, high, SIZES)
    return sorted(set(np.round(sizes).tolist())) if kind == "delay" else sizes.tolist()


def _try(bench: Bench, kind: FaultKind, channel: int, size: float, rows: int) -> float | None:
    """Median rows until found, or None where it is missed at too many places."""
    allowed = len(bench.places) - math.ceil(FOUND_SHARE * len(bench.places))
    delays: list[int] = []
    for number, place in enumerate(bench.places):
        delay = _rows_until_found(bench, place, _faulty(bench, place, number, kind, channel, size, rows), channel)
        if delay is not None:
            delays.append(delay)
        elif number + 1 - len(delays) > allowed:
            return None
    return float(np.median(delays))


def _faulty(bench: Bench, place: Place, number: int, kind: FaultKind, channel: int, size: float, rows: int) -> F64:
    """The first `rows` of a place, faulty from the first row on. Random choices depend on the place alone: a larger
    fault at the same place is the same but larger."""
    rng = np.random.default_rng([number, channel])
    others = bench.moving[bench.moving != channel]
    values = np.concatenate((place.before, place.rows[:rows]))
    source = 0
    if kind == "decoupled":
        readings = np.concatenate((bench.past[:, channel], values[:, channel]))
        at = joint(readings, len(bench.past) + len(place.before), rows, rng, len(bench.past))
        values = np.concatenate((bench.past[at : at + rows], values))
    fault = Fault(
        kind,
        channel,
        len(values) - rows,
        rows,
        size,
        partner=int(rng.choice(others)) if kind == "swap" else None,
        period=_period(bench, channel),
        source=source,
        seed=number,
    )
    return inject(values, fault, bench.scales)[-rows:]


def _period(bench: Bench, channel: int) -> float:
    """Of the oscillation tried on a channel, in rows: about as fast as the channel itself moves."""
    return float(np.clip(FEW * bench.memory.values[channel], SHORTEST_PERIOD, bench.quick / 2))


def _rows_until_found(bench: Bench, place: Place, faulty: F64, channel: int) -> int | None:
    """Rows after the first faulty one at which an anomaly or stuck event opens, as in a stream; None without one."""
    detector = bench.engine.detector
    low, high = detector.schema.limits()
    faulty = np.where(beyond_limits(faulty, low, high), np.nan, faulty)
    state, threshold = place.state.copy(), detector.calibration.threshold
    events, stuck = EventTracker("anomaly", detector.calibration.events), StuckCounter(detector.calibration.stuck_rows)
    if len(place.before):
        stuck.push(place.before[-1])
    for row, values in enumerate(faulty):
        if np.isnan(values).all():
            continue
        raw, _, _ = bench.engine.step(values, state)
        if events.push(row, raw, threshold, ()) is not None or stuck.push(values)[channel]:
            return row
    return None
