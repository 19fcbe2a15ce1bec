"""Measures the ranking of a statistic, and the decisions made with it, by the reference scoring."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.sets import Series
from benchmarks.detection.simple import SimpleScores
from vcedge.evaluation.vus import dominant_period, vus_pr
from vcedge.schema import F64
from vcedge.train.compare.cases import Case

Labels = NDArray[np.bool_]
Line = dict[str, Any]
MERGED_ROWS = 10
"""Alarms that are this close count as one false alarm, as in the reference."""
SILENT_ABOVE = 0.8
"""VUS-PR above which a series without any alarm counts as silent."""


def measure_simple(found: SimpleScores, series: Series, reference: ModuleType) -> Line:
    """Return the measures of a simple detector at its threshold."""
    line = ranking(found.scores, series.case) | decision(found.alarm, series.labels, reference)
    return finished(line | hindsight(found.scores, series.labels, reference))


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


def ranking(raw: F64, case: Case, window: int | None = None) -> Line:
    """Return the number of rows and VUS-PR of a statistic (N,)."""
    buffer = dominant_period(case.values[:, 0]) if window is None else window
    return {
        "rows": float(len(case.labels)),
        "anomalous_rows": float(case.labels.sum()),
        "vus_pr": vus_pr(raw, case.labels, buffer),
    }


def finished(line: Line) -> Line:
    """Return plain numbers, None for NaN, and whether the series is silent: well ranked, and no alarm."""
    plain = {name: float(value) if math.isfinite(value) else None for name, value in line.items()}
    silent = (plain["vus_pr"] or 0.0) > SILENT_ABOVE and plain["alarm_rows"] == 0
    return {**plain, "silent": float(silent)}
