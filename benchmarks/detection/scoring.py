"""Scores one test part with a fitted method, and measures it at every threshold."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.fitting import FittedMethod
from vcedge.detector import Detector
from vcedge.evaluation.measure import LabelledScores, Measures, measure
from vcedge.evaluation.metrics import Intervals, confusion, count_events, false_alarms
from vcedge.evaluation.replay import alarm_spans, replay, spans_of
from vcedge.evaluation.vus import dominant_period
from vcedge.history import RowBlock
from vcedge.limits import Calibration
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.adaptive_threshold import MOST_IMPUTED, AdaptiveThreshold
from vcedge.runtime.stream.events import EventTracker
from vcedge.runtime.stream.score_block import STATUSES
from vcedge.runtime.stream.stream import Stream
from vcedge.train.compare.cases import Case

AT_THRESHOLD = ("f1", "far", "mar", "event_recall", "delay_rows", "false_alarms")
"""Measures that depend on the threshold."""
LEFT_OUT = ("events_found", "delay_s", "false_alarms_per_day", "false_alarms_per_10k")
"""Measures that follow from others, or from the threshold."""


def measures_of(fit: FittedMethod, case: Case, period_ns: int, window: int | None = None) -> dict[str, Any]:
    """Return all measures of one test part, NaN as None; those at a threshold are named "THRESHOLD.measure".

    `window` is the widest buffer of VUS-PR in rows; None for the dominant period of the first channel.
    """
    began = time.perf_counter()
    buffer = dominant_period(case.values[:, 0]) if window is None else window
    learnable = np.zeros(0, bool)
    if fit.detector is not None:
        scores, learnable = stream_case(fit.detector, case, buffer)
    else:
        scores = _baseline_case(fit, case, period_ns, buffer)
    seconds = time.perf_counter() - began
    adapting = measure(scores)
    found: dict[str, float | None] = {n: v for n, v in adapting.items() if n not in (*AT_THRESHOLD, *LEFT_OUT)}
    if fit.detector is not None:
        found |= _named("adapting", adapting)
        assert fit.often is not None
        found |= _named("thousand adapting", _adapting(scores, learnable, fit.often))
        quantile = replace(fit.often, threshold=fit.thresholds["quantile"])
        found |= _named("quantile adapting", _adapting(scores, learnable, quantile))
    for name, threshold in fit.thresholds.items():
        found |= _named(name, _at(scores, threshold, fit))
    found |= {"fit_s": fit.seconds, "score_s": seconds, **fit.notes}
    return {name: None if value is None or not math.isfinite(value) else value for name, value in found.items()}


def stream_case(detector: Detector, case: Case, buffer: int) -> tuple[LabelledScores, NDArray[np.bool_]]:
    """Push every row through a fresh stream whose threshold adapts.

    Also returns the rows (N,) that a threshold may learn from.
    """
    found = replay(Stream(load_engine(detector)), [RowBlock(case.time_ns, case.values)])
    status = np.array(STATUSES)[found.status]
    few = found.missing <= MOST_IMPUTED * detector.channels
    learnable = (status == "ok") | ((status == "imputed") & few)
    scores = LabelledScores(
        found.raw,
        found.alarm,
        case.labels,
        found.alarms,
        found.share,
        found.eligible,
        case.time_ns,
        detector.schema.period_ns,
        buffer,
    )
    return scores, learnable


def _baseline_case(fit: FittedMethod, case: Case, period_ns: int, buffer: int) -> LabelledScores:
    assert fit.baseline is not None
    raw = fit.baseline.score(case.values, case.ranges)
    eligible = np.zeros(len(raw), bool)
    for start, stop in case.ranges:
        eligible[start + fit.warmup : stop] = True
    alarm = eligible & (raw > fit.thresholds["promise"])
    nothing = np.full(len(raw), np.nan)
    return LabelledScores(raw, alarm, case.labels, [], nothing, eligible, case.time_ns, period_ns, buffer)


def _adapting(scores: LabelledScores, learnable: NDArray[np.bool_], limits: Calibration) -> Measures:
    """Measure at other limits that adapt as in a stream: the statistic itself does not depend on them."""
    adaptive = AdaptiveThreshold(limits, scores.period_ns)
    tracker, alarm = EventTracker("anomaly", limits.events), np.zeros(len(scores.raw), bool)
    events = []
    for row, raw in enumerate(scores.raw.tolist()):
        eligible = bool(scores.eligible[row])
        alarm[row] = eligible and raw > adaptive.value
        event = tracker.push(row, raw, adaptive.value, allowed=eligible)
        if event is not None:
            events.append((row, event))
            if event.type == "end":
                adaptive.event_ended()
        if learnable[row]:
            adaptive.learn(raw, in_event=tracker.is_open)
    return _measures(alarm, spans_of(events, len(alarm)), scores.labels)


def _at(scores: LabelledScores, threshold: float, fit: FittedMethod) -> Measures:
    """Measure at a fixed threshold."""
    alarm: NDArray[np.bool_] = scores.eligible & (scores.raw > threshold)
    return _measures(alarm, alarm_spans(scores.raw, scores.eligible, threshold, fit.rule), scores.labels)


def _measures(alarm: NDArray[np.bool_], opened: Intervals, labels: NDArray[np.bool_]) -> Measures:
    rows, events = confusion(alarm, labels), count_events(alarm, labels)
    return {
        "f1": rows.f1,
        "far": rows.far,
        "mar": rows.mar,
        "event_recall": events.recall,
        "delay_rows": events.median_delay,
        "false_alarms": float(false_alarms(opened, labels)),
    }


def _named(threshold: str, measures: Measures) -> dict[str, float | None]:
    return {f"{threshold}.{name}": measures[name] for name in AT_THRESHOLD}
