"""Measures the smallest fault of each kind that is found on each channel, and how soon.

It bisects the sizes: a size counts as found if the stream of the service opens an event, of any kind, within the fault
at four of five places. The cost is bounded in rows, not in seconds, so that the same training gives the same result on
any machine. The fastest installed engine runs: some microseconds a row with the native one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vcedge.calibration.split import rows_in
from vcedge.calibration.trace import TracedRows
from vcedge.detector import Detector
from vcedge.injection.faults import KINDS, FaultKind, InjectedFault, Scales, inject
from vcedge.injection.plan import (
    CORRELATION_TIMES,
    NEEDS_MOVEMENT,
    SHORTEST_PERIOD,
    NormalRows,
    seamless_start,
    size_range,
)
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64, NS_PER_S
from vcedge.sensitivity.findings import DetectionLimit, Sensitivity
from vcedge.sensitivity.places import Place, find_places

MOST_STEPS = 320_000
STEPS_PER_ROW = 16
"""Most rows that are scored: in all, and for each row of the recording, so that a short one is quick."""
PLACES, PLACES_MANY, MANY_CHANNELS = 5, 3, 16
FOUND_SHARE = 0.8
SIZES = 15
"""Sizes from undetectable to obvious, evenly spaced in their logarithm: four tries find the smallest detected one."""
TRIES = 4
LARGEST_SCALES = 10.0
"""Largest size tried, in standard deviations of the channel, if that exceeds an obvious fault: the detector clips its
inputs there."""
LEAST_ROWS, MOST_ROWS, LENGTH_TIMES = 20, 600, 10
"""A fault lasts LENGTH_TIMES the channels' correlation time, within the limits LEAST_ROWS and MOST_ROWS."""
SLOW: tuple[FaultKind, ...] = ("drift", "stuck")
SLOWNESS = 4
"""A drift and a stuck sensor last SLOWNESS times as long as the other faults."""
ALL_OR_NOTHING: tuple[FaultKind, ...] = ("stuck", "swap", "decoupled")
"""Kinds without degrees, of which only the full fault is injected."""


@dataclass(frozen=True)
class Trials:
    """Holds the stream, the places and the fault lengths that all trials of a detector share."""

    stream: Stream
    places: tuple[Place, ...]
    normal: NormalRows
    """The tail."""
    past: F64  # (N, C) rows before the tail, from which decoupled channels get their readings
    quick: int
    slow: int
    """Length in rows of a fault, and of a slow one (see SLOW)."""


def measure_sensitivity(
    detector: Detector,
    rows: TracedRows,
    progress: Callable[[float], None] = lambda share: None,
    stop: Callable[[], bool] = lambda: False,
    most_steps: int = MOST_STEPS,
) -> Sensitivity | None:
    """Measure the detection limits of a calibrated detector on the held-out tail of its rows.

    Args:
        detector: a calibrated detector.
        rows: its rows and trace.
        progress: called with the share of channels that are done.
        stop: called before each channel; if it returns true, the result is None.
        most_steps: most rows that are scored.

    Returns:
        None if the tail holds no normal stretch, or if `stop` ended the measurement.
    """
    trials = _prepare_trials(detector, rows, min(most_steps, STEPS_PER_ROW * rows_in(rows.split.all)))
    if trials is None:
        return None
    moving, findings = trials.normal.moving, []
    for channel in np.flatnonzero(detector.sensors).tolist():
        if stop():
            return None
        for kind in KINDS:
            if kind in NEEDS_MOVEMENT and channel not in moving:
                continue
            if kind == "swap" and len(moving) < 2:
                continue
            findings.append(_smallest(trials, kind, channel))
        progress((channel + 1) / detector.channels)
    period_s = detector.schema.period_ns / NS_PER_S
    return Sensitivity(tuple(findings), len(trials.places), trials.quick * period_s, trials.slow * period_s)


def _prepare_trials(detector: Detector, rows: TracedRows, steps: int) -> Trials | None:
    """Choose the places and the lengths of faults that the tail and the steps allow; None without any place."""
    tail, values = rows.tail, rows.values
    count = PLACES if detector.channels <= MANY_CHANNELS else PLACES_MANY
    residual = np.where(tail.known, tail.residual, np.nan)
    normal = NormalRows.of(values[tail.rows], residual, Scales.of(detector))
    # About half of the tries miss, after two places at full length; the others end early.
    graded = len(KINDS) - len(ALL_OR_NOTHING)
    tried = detector.channels * (TRIES * graded + len(ALL_OR_NOTHING) + (SLOWNESS - 1) * (TRIES + 1))
    paid = steps / (tried * count / 2)
    wanted = float(np.clip(LENGTH_TIMES * np.median(normal.correlation), LEAST_ROWS, MOST_ROWS))
    quick = int(max(min(wanted, paid, len(tail.rows) / 3), LEAST_ROWS))
    slow = min(SLOWNESS * quick, max(len(tail.rows) // 2, quick))
    stream = Stream(load_engine(detector))
    places = find_places(stream, rows, slow, count)
    while not places and slow > LEAST_ROWS:
        slow = max(slow // 2, LEAST_ROWS)
        places = find_places(stream, rows, slow, count)
    if not places:
        return None
    return Trials(
        stream=stream,
        places=places,
        normal=normal,
        past=values[np.concatenate([np.arange(a, b) for a, b in rows.split.fitted])],
        quick=min(quick, slow),
        slow=slow,
    )


def _smallest(trials: Trials, kind: FaultKind, channel: int) -> DetectionLimit:
    """Bisect the sizes for the smallest that is found."""
    detector = trials.stream.detector
    rows = trials.slow if kind in SLOW else trials.quick
    sizes = sizes_to_try(kind, channel, trials, rows)
    low, high = -1, len(sizes)  # not found, found
    delay: float | None = None
    while high - low > 1:
        middle = (low + high) // 2
        after = median_delay(trials, kind, channel, sizes[middle], rows)
        if after is None:
            low = middle
        else:
            high, delay = middle, after
    period_s = detector.schema.period_ns / NS_PER_S
    return DetectionLimit(
        channel=detector.schema.channels[channel].name,
        unit=detector.schema.channels[channel].unit,
        kind=kind,
        size=sizes[high] if delay is not None else None,
        smallest=sizes[0],
        largest=sizes[-1],
        noise=float(trials.normal.scales.noise[channel]),
        delay_s=None if delay is None else delay * period_s,
        watched_s=rows * period_s,
        period_s=_period(trials, channel) * period_s if kind == "oscillation" else None,
        row_s=period_s,
    )


def sizes_to_try(kind: FaultKind, channel: int, trials: Trials, rows: int) -> list[float]:
    """Return increasing sizes in the unit of the kind, none of which alone would leave the channel's stated limits."""
    if kind in ALL_OR_NOTHING:
        return [1.0]
    low, high = size_range(kind, channel, trials.normal, rows)
    if kind in ("offset", "drift", "spike", "oscillation"):
        least, most = trials.stream.detector.schema.limits()
        scales = trials.normal.scales
        center, noise = scales.center[channel], scales.noise[channel]
        high = max(high, LARGEST_SCALES * scales.scale[channel] / noise)
        room = min(most[channel] - center, center - least[channel]) if kind != "offset" else most[channel] - center
        high = max(min(high, room / noise), low)
    sizes = np.geomspace(low, high, SIZES)
    return sorted(set(np.round(sizes).tolist())) if kind == "delay" else sizes.tolist()


def median_delay(trials: Trials, kind: FaultKind, channel: int, size: float, rows: int) -> float | None:
    """Return the median number of rows until the fault is found; None if it is missed at too many places."""
    allowed = len(trials.places) - math.ceil(FOUND_SHARE * len(trials.places))
    delays: list[int] = []
    for number, place in enumerate(trials.places):
        faulty = _faulty(trials, number, kind, channel, size, rows)
        delay = place.rows_until_event(trials.stream, faulty)
        if delay is not None:
            delays.append(delay)
        elif number + 1 - len(delays) > allowed:
            return None
    return float(np.median(delays))


def _faulty(trials: Trials, number: int, kind: FaultKind, channel: int, size: float, rows: int) -> F64:
    """Return the first `rows` of a place with a fault from the first row on.

    Random choices depend on the place alone, so that a larger fault differs only in its size.
    """
    rng, place = np.random.default_rng([number, channel]), trials.places[number]
    moving = trials.normal.moving
    values = np.concatenate((place.before, place.rows[:rows]))
    if kind == "decoupled":
        readings = np.concatenate((trials.past[:, channel], values[:, channel]))
        start = len(trials.past) + len(place.before)
        at = seamless_start(readings, start, rows, rng, len(trials.past))
        values = np.concatenate((trials.past[at : at + rows], values))
    partner = int(rng.choice(moving[moving != channel])) if kind == "swap" else None
    start, period = len(values) - rows, _period(trials, channel)
    fault = InjectedFault(kind, channel, start, rows, size, partner=partner, period=period, seed=number)
    return inject(values, fault, trials.normal.scales)[-rows:]


def _period(trials: Trials, channel: int) -> float:
    """Return the period of the oscillation in rows: about as fast as the channel itself moves."""
    return float(np.clip(CORRELATION_TIMES * trials.normal.correlation[channel], SHORTEST_PERIOD, trials.quick / 2))
