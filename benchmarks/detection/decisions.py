"""Measures the ranking of a statistic, and the decisions made with it, by the reference scoring."""

from __future__ import annotations

import math
import time
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.sets import Series
from benchmarks.detection.simple import SimpleScores
from vcedge.detector import Detector
from vcedge.evaluation.metrics import PER_ROWS, Intervals, false_alarms
from vcedge.evaluation.replay import Replay, replay
from vcedge.evaluation.vus import dominant_period, vus_pr
from vcedge.history import RowBlock
from vcedge.limits import events_per_row
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64
from vcedge.train.compare.cases import Case

Labels = NDArray[np.bool_]
Line = dict[str, Any]
MERGED_ROWS = 10
"""Alarms that are this close count as one false alarm, as in the reference."""
SILENT_ABOVE = 0.8
"""VUS-PR above which a series without any alarm counts as silent."""


def stream_case(detector: Detector, case: Case) -> Replay:
    """Push every row through a fresh stream with the product's own decision rule."""
    return replay(Stream(load_engine(detector)), [RowBlock(case.time_ns, case.values)])


def measure_detector(detector: Detector, case: Case, reference: ModuleType, window: int | None = None) -> Line:
    """Return the measures of a detector as it streams a test part; a row is in alarm while an event is open.

    `window` is the widest buffer of VUS-PR in rows; None for the dominant period of the first channel.
    """
    began = time.perf_counter()
    found = stream_case(detector, case)
    seconds = time.perf_counter() - began
    alarm, labels = rows_of(found.alarms, len(found.raw)), case.labels
    line = ranking(found.raw, case, window) | decision(alarm, labels, reference)
    normal = max(int((~labels).sum()), 1)
    line |= {
        "false_events_10k": PER_ROWS * false_alarms(found.alarms, labels) / normal,
        "promised_10k": promised(detector),
        "open_at_end": float(alarm[-1] and not labels[-1]),
        "updated_normal": _mean(found.share[~labels]),
        "updated_anomalous": _mean(found.share[labels]),
        "score_s": seconds,
        "refused": 0.0,
    }
    return _finished(line | hindsight(found.raw, labels, reference))


def measure_simple(found: SimpleScores, series: Series, reference: ModuleType) -> Line:
    """Return the measures of a simple detector at its threshold."""
    line = ranking(found.scores, series.case) | decision(found.alarm, series.labels, reference)
    return _finished(line | hindsight(found.scores, series.labels, reference))


def refused(series: Series) -> Line:
    """Return the measures of a series whose training part the product refuses: equal scores and no alarm."""
    nothing = {"f1": 0.0, "far": 0.0, "mar": 1.0, "found": 0.0, "false_10k": 0.0, "alarm_rows": 0.0, "refused": 1.0}
    return _finished(ranking(np.zeros(len(series.labels)), series.case) | nothing)


def promised(detector: Detector) -> float:
    """Return the false-alarm events in PER_ROWS rows that the calibration promises."""
    return PER_ROWS * events_per_row(detector.calibration.false_alarms_per_day, detector.schema.period_ns)


def decision(alarm: Labels, labels: Labels, reference: ModuleType) -> Line:
    """Return what rows in alarm (N,) say of labels (N,): rows, events and false alarms."""
    rows, events = reference.binary_metrics(alarm, labels), reference.event_metrics(alarm, labels, MERGED_ROWS)
    return {
        "f1": rows["F1"],
        "far": rows["FAR"],
        "mar": rows["MAR"],
        "found": events["ev_recall"],
        "delay_rows": events["med_delay"],
        "false_10k": events["fa_per_10k"],
        "alarm_rows": float(alarm.sum()),
    }


def hindsight(raw: F64, labels: Labels, reference: ModuleType) -> Line:
    """Return the decision with the threshold of the statistic (N,) that gives the best F1."""
    _, threshold = reference.best_f1(raw, labels)
    best = decision(np.asarray(raw >= threshold), labels, reference)
    return {f"hindsight.{name}": value for name, value in best.items()}


def rows_of(spans: Intervals, rows: int) -> Labels:
    """Return the rows (N,) within spans [first, after the last)."""
    inside = np.zeros(rows, bool)
    for start, stop in spans:
        inside[start:stop] = True
    return inside


def ranking(raw: F64, case: Case, window: int | None = None) -> Line:
    """Return the number of rows and VUS-PR of a statistic (N,)."""
    buffer = dominant_period(case.values[:, 0]) if window is None else window
    return {
        "rows": float(len(case.labels)),
        "anomalous_rows": float(case.labels.sum()),
        "vus_pr": vus_pr(raw, case.labels, buffer),
    }


def _finished(line: Line) -> Line:
    """Return plain numbers, None for NaN, and whether the series is silent: well ranked, and no alarm."""
    plain = {name: float(value) if math.isfinite(value) else None for name, value in line.items()}
    silent = (plain["vus_pr"] or 0.0) > SILENT_ABOVE and plain["alarm_rows"] == 0
    return {**plain, "silent": float(silent)}


def _mean(values: F64) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan
