"""Computes all measures of a labelled recording, and their mean over several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vcedge.evaluation.metrics import PER_ROWS, Intervals, auc_pr, auc_roc, confusion, count_events, false_alarms
from vcedge.evaluation.vus import segments, vus_pr
from vcedge.history.recording import NO_TIME
from vcedge.schema import F64, NS_PER_S

DAY_S = 86_400.0
Measures = dict[str, float]
"""Values by name; NaN if there is nothing to measure: no event, no event found, no normal row, no network."""
TOTALS = ("rows", "anomalous_rows", "events", "events_found", "false_alarms", "normal_days")
"""Measures that are summed over recordings, not averaged."""


@dataclass(frozen=True)
class LabelledScores:
    """Holds scores and alarms of the N rows of one recording beside their labels."""

    raw: F64  # (N,) the statistic, finite
    alarm: NDArray[np.bool_]  # (N,)
    labels: NDArray[np.bool_]  # (N,) true for anomalous rows
    alarms: Intervals
    """Rows [first, after the last) of each reported event."""
    share: F64  # (N,) share of the hidden dimensions that was updated; NaN without a network
    eligible: NDArray[np.bool_]  # (N,) rows that could raise an alarm: past the warm-up, with some value
    time_ns: NDArray[np.int64]  # (N,)
    period_ns: int
    window: int
    """Widest buffer of VUS-PR, in rows."""


def measure(scores: LabelledScores) -> Measures:
    """Compute all measures of one recording."""
    rows = confusion(scores.alarm, scores.labels)
    found = count_events(scores.alarm, scores.labels)
    false = false_alarms(scores.alarms, scores.labels)
    normal = int((~scores.labels).sum())
    days = float((scores.eligible & ~scores.labels).sum()) * scores.period_ns / NS_PER_S / DAY_S
    return {
        "rows": float(len(scores.raw)),
        "anomalous_rows": float(scores.labels.sum()),
        "vus_pr": vus_pr(scores.raw, scores.labels, scores.window),
        "auc_pr": auc_pr(scores.raw, scores.labels),
        "auc_roc": auc_roc(scores.raw, scores.labels),
        "f1": rows.f1 if scores.labels.any() else np.nan,
        "far": rows.far,
        "mar": rows.mar if scores.labels.any() else np.nan,
        "events": float(found.events),
        "events_found": float(found.found),
        "event_recall": found.recall if found.events else np.nan,
        "delay_rows": found.median_delay,
        "delay_s": _delay_s(scores),
        "false_alarms": float(false),
        "normal_days": days,
        "false_alarms_per_day": false / days if days else np.nan,
        "false_alarms_per_10k": PER_ROWS * false / normal if normal else np.nan,
        "updated_normal": _mean(scores.share[~scores.labels]),
        "updated_anomalous": _mean(scores.share[scores.labels]),
    }


def mean_of(several: Sequence[Measures]) -> Measures:
    """Average each measure over the recordings that have it, and sum those of TOTALS.

    Event recall and false alarms a day are computed from the sums: rates of short recordings are too noisy to average.
    """
    together = {name: _mean(np.array([one[name] for one in several])) for name in several[0]}
    together |= {name: float(sum(one[name] for one in several)) for name in TOTALS}
    days, events = together["normal_days"], together["events"]
    return {
        **together,
        "event_recall": together["events_found"] / events if events else np.nan,
        "false_alarms_per_day": together["false_alarms"] / days if days else np.nan,
    }


def trivial_measures(scores: LabelledScores, seed: int = 0) -> dict[str, Measures]:
    """Measure random scores with as many alarm rows on the same recording, and an alarm on every row."""
    count = len(scores.raw)
    random = np.random.default_rng(seed).random(count)
    raised = random > 1 - scores.alarm.mean() if count else np.zeros(0, bool)
    return {
        "random": measure(_alternative(scores, random, raised)),
        "all ones": measure(_alternative(scores, np.ones(count), np.ones(count, bool))),
    }


def _alternative(scores: LabelledScores, raw: F64, alarm: NDArray[np.bool_]) -> LabelledScores:
    return replace(scores, raw=raw, alarm=alarm, alarms=segments(alarm), share=np.full(len(raw), np.nan))


def _delay_s(scores: LabelledScores) -> float:
    """Return the median time from the start of an event to the first alarm in it, over the events found."""
    delays = []
    for start, stop in segments(scores.labels):
        raised = np.flatnonzero(scores.alarm[start:stop])
        if len(raised):
            begun, found = int(scores.time_ns[start]), int(scores.time_ns[start + raised[0]])
            timed = NO_TIME not in (begun, found)
            delays.append((found - begun) / NS_PER_S if timed else raised[0] * scores.period_ns / NS_PER_S)
    return float(np.median(delays)) if delays else float("nan")


def _mean(values: F64) -> float:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if len(kept) else float("nan")
