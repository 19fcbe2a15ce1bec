"""Scores one test part with a fitted method, and measures it at every threshold."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.fitting import Fit
from vcedge.detector import Calibration, Detector
from vcedge.evaluation.measure import Judged, Measures, measure
from vcedge.evaluation.metrics import confusion, count_events, dominant_period, false_alarms
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.adaptive_threshold import MOST_IMPUTED, AdaptiveThreshold
from vcedge.runtime.stream.events import EventTracker
from vcedge.runtime.stream.score import UNJUDGED
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64, Sample
from vcedge.train.compare.cases import Case

AT_THRESHOLD = ("f1", "far", "mar", "event_recall", "delay_rows", "false_alarms")
"""Measured at every threshold; the rest does not depend on it."""
LEFT_OUT = ("events_found", "delay_s", "false_alarms_per_day", "false_alarms_per_10k")
"""Said by others, or by the threshold."""


def measures_of(fit: Fit, case: Case, period_ns: int, window: int | None = None) -> dict[str, Any]:
    """All measures of one test part; those at a threshold as "THRESHOLD.measure", NaN as None.

    `window` is the widest buffer of VUS-PR in rows; absent, the reference's rule finds it.
    """
    began = time.perf_counter()
    buffer = dominant_period(case.values[:, 0]) if window is None else window
    sound = np.zeros(0, bool)
    if fit.detector is not None:
        streamed, sound = stream_case(fit.detector, case, buffer)
    else:
        streamed = _baseline_case(fit, case, period_ns, buffer)
    seconds = time.perf_counter() - began
    whole = measure(streamed)
    found: dict[str, float | None] = {n: value for n, value in whole.items() if n not in (*AT_THRESHOLD, *LEFT_OUT)}
    if fit.detector is not None:
        found |= _named("adapting", whole)
        assert fit.often is not None
        found |= _named("thousand adapting", _adapting(streamed, sound, fit.often))
        quantile = replace(fit.often, threshold=fit.thresholds["quantile"])
        found |= _named("quantile adapting", _adapting(streamed, sound, quantile))
    for name, threshold in fit.thresholds.items():
        found |= _named(name, _at(streamed, threshold, fit))
    found |= {"fit_s": fit.seconds, "score_s": seconds, **fit.notes}
    return {name: None if value is None or not math.isfinite(value) else value for name, value in found.items()}


def stream_case(detector: Detector, case: Case, buffer: int) -> tuple[Judged, NDArray[np.bool_]]:
    """What the service would say: every row through a fresh stream, whose threshold adapts. Also the rows (N,) that a
    threshold may learn from."""
    stream = Stream(load_engine(detector))
    count, most_missing = len(case.values), MOST_IMPUTED * detector.channels
    raw, share, alarm, judged = np.zeros(count), np.full(count, np.nan), np.zeros(count, bool), np.zeros(count, bool)
    sound = np.zeros(count, bool)
    opened: list[int] = []
    ends: dict[int, int] = {}
    for row in range(count):
        score = stream.push(Sample(int(case.time_ns[row]), case.values[row]))
        raw[row], alarm[row], judged[row] = score.raw, score.alarm, score.status not in UNJUDGED
        sound[row] = score.status == "ok" or (score.status == "imputed" and len(score.missing) <= most_missing)
        if score.hidden:
            share[row] = score.updated / score.hidden
        for event in score.events:
            if event.kind == "anomaly" and event.type == "new":
                opened.append(row)
            elif event.kind == "anomaly" and event.type == "end":
                ends[opened[-1]] = max(row, opened[-1] + 1)
    alarms = [(start, ends.get(start, count)) for start in opened]
    period_ns = detector.schema.period_ns
    return Judged(raw, alarm, case.labels, alarms, share, judged, case.time_ns, period_ns, buffer), sound


def _baseline_case(fit: Fit, case: Case, period_ns: int, buffer: int) -> Judged:
    assert fit.baseline is not None
    raw = fit.baseline.score(case.values, case.ranges)
    nothing = np.full(len(raw), np.nan)
    judged = np.zeros(len(raw), bool)
    for start, stop in case.ranges:
        judged[start + fit.warmup : stop] = True
    bare = Judged(raw, np.zeros(len(raw), bool), case.labels, [], nothing, judged, case.time_ns, period_ns, buffer)
    return replace(bare, alarm=judged & (raw > fit.thresholds["promise"]))


def _adapting(streamed: Judged, sound: NDArray[np.bool_], limits: Calibration) -> Measures:
    """At other limits, adapting as the stream does: the statistic itself does not depend on them."""
    adaptive = AdaptiveThreshold(limits, streamed.period_ns)
    tracker, alarm = EventTracker("anomaly", limits.events), np.zeros(len(streamed.raw), bool)
    events, opened = [], 0
    for row, raw in enumerate(streamed.raw.tolist()):
        judged = bool(streamed.judged[row])
        alarm[row] = judged and raw > adaptive.value
        event = tracker.push(row, raw, adaptive.value, (), judged)
        if event is not None and event.type == "new":
            opened = row
        elif event is not None and event.type == "end":
            events.append((opened, row))
            adaptive.event_ended()
        if sound[row]:
            adaptive.learn(raw, tracker.is_open)
    if tracker.is_open:
        events.append((opened, len(alarm)))
    return _measures(alarm, events, streamed.labels)


def _at(streamed: Judged, threshold: float, fit: Fit) -> Measures:
    """What is measured at a threshold that stays where it is."""
    alarm: NDArray[np.bool_] = streamed.judged & (streamed.raw > threshold)
    return _measures(alarm, _events(streamed.raw, streamed.judged, threshold, fit), streamed.labels)


def _measures(alarm: NDArray[np.bool_], opened: list[tuple[int, int]], labels: NDArray[np.bool_]) -> Measures:
    rows, events = confusion(alarm, labels), count_events(alarm, labels)
    return {
        "f1": rows.f1,
        "far": rows.far,
        "mar": rows.mar,
        "event_recall": events.recall,
        "delay_rows": events.median_delay,
        "false_alarms": float(false_alarms(opened, labels)),
    }


def _events(raw: F64, judged: NDArray[np.bool_], threshold: float, fit: Fit) -> list[tuple[int, int]]:
    """[row that opened, row after the last) of every event, as the stream makes them."""
    tracker, events, opened = EventTracker("anomaly", fit.rule), [], 0
    for row, (value, allowed) in enumerate(zip(raw.tolist(), judged.tolist(), strict=True)):
        event = tracker.push(row, value, threshold, (), allowed)
        if event is not None and event.type == "new":
            opened = row
        elif event is not None and event.type == "end":
            events.append((opened, row))
    return [*events, (opened, len(raw))] if tracker.is_open else events


def _named(threshold: str, measures: Measures) -> dict[str, float | None]:
    return {f"{threshold}.{name}": measures[name] for name in AT_THRESHOLD}
