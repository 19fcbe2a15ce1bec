"""What is measured of one recording for which the truth is known, and the mean over several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vcedge.evaluation.metrics import (
    PER_ROWS,
    Intervals,
    auc_pr,
    auc_roc,
    confusion,
    count_events,
    false_alarms,
    segments,
    vus_pr,
)
from vcedge.history.recording import NO_TIME
from vcedge.schema import F64, NS_PER_S

DAY_S = 86_400.0
Measures = dict[str, float]
"""By name, NaN where there is nothing to measure: no event, no event found, no normal row, no network."""
TOTALS = ("rows", "anomalous_rows", "events", "events_found", "false_alarms", "normal_days")
"""Measures that are added over recordings rather than averaged."""


@dataclass(frozen=True)
class Judged:
    """What a detector said of the N rows of one recording, beside the truth."""

    raw: F64  # (N,) the statistic, finite
    alarm: NDArray[np.bool_]  # (N,)
    labels: NDArray[np.bool_]  # (N,) the truth
    alarms: Intervals
    """Rows [first, after the last) of each event that the detector reported."""
    share: F64  # (N,) of the hidden dimensions that were updated; NaN without a network
    judged: NDArray[np.bool_]  # (N,) rows that could raise an alarm: neither warm-up nor without any value
    time_ns: NDArray[np.int64]  # (N,)
    period_ns: int
    window: int
    """Widest buffer of VUS-PR in rows."""


def measure(judged: Judged) -> Measures:
    """All measures of one recording."""
    rows = confusion(judged.alarm, judged.labels)
    found = count_events(judged.alarm, judged.labels)
    false = false_alarms(judged.alarms, judged.labels)
    normal = int((~judged.labels).sum())
    days = float((judged.judged & ~judged.labels).sum()) * judged.period_ns / NS_PER_S / DAY_S
    return {
        "rows": float(len(judged.raw)),
        "anomalous_rows": float(judged.labels.sum()),
        "vus_pr": vus_pr(judged.raw, judged.labels, judged.window),
        "auc_pr": auc_pr(judged.raw, judged.labels),
        "auc_roc": auc_roc(judged.raw, judged.labels),
        "f1": rows.f1 if judged.labels.any() else np.nan,
        "far": rows.far,
        "mar": rows.mar if judged.labels.any() else np.nan,
        "events": float(found.events),
        "events_found": float(found.found),
        "event_recall": found.recall if found.events else np.nan,
        "delay_rows": found.median_delay,
        "delay_s": _delay_s(judged),
        "false_alarms": float(false),
        "normal_days": days,
        "false_alarms_per_day": false / days if days else np.nan,
        "false_alarms_per_10k": PER_ROWS * false / normal if normal else np.nan,
        "updated_normal": _mean(judged.share[~judged.labels]),
        "updated_anomalous": _mean(judged.share[judged.labels]),
    }


def mean_of(several: Sequence[Measures]) -> Measures:
    """The mean of each measure over the recordings that have it; see TOTALS. Event recall and false alarms a day are
    those of all recordings together: a mean of the rates of short ones would say nothing."""
    together = {name: _mean(np.array([one[name] for one in several])) for name in several[0]}
    together |= {name: float(sum(one[name] for one in several)) for name in TOTALS}
    days, events = together["normal_days"], together["events"]
    return {
        **together,
        "event_recall": together["events_found"] / events if events else np.nan,
        "false_alarms_per_day": together["false_alarms"] / days if days else np.nan,
    }


def beside(judged: Judged, seed: int = 0) -> dict[str, Measures]:
    """What random scores with as many alarm rows would get on the same recording, and an alarm on every row."""
    count = len(judged.raw)
    scores = np.random.default_rng(seed).random(count)
    raised = scores > 1 - judged.alarm.mean() if count else np.zeros(0, bool)
    return {
        "random": measure(_alternative(judged, scores, raised)),
        "all ones": measure(_alternative(judged, np.ones(count), np.ones(count, bool))),
    }


def _alternative(judged: Judged, raw: F64, alarm: NDArray[np.bool_]) -> Judged:
    return replace(judged, raw=raw, alarm=alarm, alarms=segments(alarm), share=np.full(len(raw), np.nan))


def _delay_s(judged: Judged) -> float:
    """Median time from the start of an event to the first alarm in it, over the events that were found."""
    delays = []
    for start, stop in segments(judged.labels):
        raised = np.flatnonzero(judged.alarm[start:stop])
        if len(raised):
            begun, told = int(judged.time_ns[start]), int(judged.time_ns[start + raised[0]])
            timed = NO_TIME not in (begun, told)
            delays.append((told - begun) / NS_PER_S if timed else raised[0] * judged.period_ns / NS_PER_S)
    return float(np.median(delays)) if delays else float("nan")


def _mean(values: F64) -> float:
    """Mean of what is not NaN; NaN where nothing is left."""
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if len(kept) else float("nan")
