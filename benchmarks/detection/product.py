"""Measures a detector of the product: its statistic, and the events of its own stream."""

from __future__ import annotations

import math
import time
from types import ModuleType

import numpy as np

from benchmarks.detection.decisions import Labels, Line, decision, finished, hindsight, ranking
from benchmarks.detection.sets import Series
from vcedge.detector import Detector
from vcedge.evaluation.metrics import PER_ROWS, Intervals, false_alarms
from vcedge.evaluation.replay import Replay, replay
from vcedge.history import RowBlock
from vcedge.limits import events_per_row
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64
from vcedge.train.compare.cases import Case

ALSO = {
    "with_range.": "with range events",
    "row.": "rows above the threshold",
    "hindsight.": "best threshold in hindsight",
}
"""Prefixes of the other decisions that are measured of a detector, and their names in tables."""


def measure_detector(detector: Detector, case: Case, reference: ModuleType, window: int | None = None) -> Line:
    """Return the measures of a detector as it streams a test part; a row is in alarm while an anomaly event is open.

    `window` is the widest buffer of VUS-PR in rows; None for the dominant period of the first channel.
    """
    began = time.perf_counter()
    found = stream_case(detector, case)
    seconds = time.perf_counter() - began
    alarm, labels = rows_of(found.alarms, len(found.raw)), case.labels
    others = {"with_range.": alarm | rows_of(found.ranges, len(alarm)), "row.": found.alarm}
    line = ranking(found.raw, case, window) | decision(alarm, labels, reference)
    for prefix, rows in others.items():
        line |= {prefix + name: value for name, value in decision(rows, labels, reference).items()}
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
    return finished(line | hindsight(found.raw, labels, reference))


def refused(series: Series) -> Line:
    """Return the measures of a series whose training part the product refuses: equal scores and no alarm."""
    nothing = {"f1": 0.0, "far": 0.0, "mar": 1.0, "found": 0.0, "false_10k": 0.0, "alarm_rows": 0.0}
    line = ranking(np.zeros(len(series.labels)), series.case) | {"refused": 1.0}
    return finished(line | {prefix + name: value for prefix in ("", *ALSO) for name, value in nothing.items()})


def stream_case(detector: Detector, case: Case) -> Replay:
    """Push every row through a fresh stream with the product's own decision rule."""
    return replay(Stream(load_engine(detector)), [RowBlock(case.time_ns, case.values)])


def promised(detector: Detector) -> float:
    """Return the false-alarm events in PER_ROWS rows that the calibration promises."""
    return PER_ROWS * events_per_row(detector.calibration.false_alarms_per_day, detector.schema.period_ns)


def rows_of(spans: Intervals, rows: int) -> Labels:
    """Return the rows (N,) within spans [first, after the last)."""
    inside = np.zeros(rows, bool)
    for start, stop in spans:
        inside[start:stop] = True
    return inside


def _mean(values: F64) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan
