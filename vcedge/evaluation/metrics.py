"""Computes metrics of scores against labels, both threshold-free and of alarms at a threshold.

Point-adjusted F1 is absent on purpose: random scores reach high values of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vcedge.evaluation.vus import segments
from vcedge.schema import F64

PER_ROWS = 10_000
Intervals = Sequence[tuple[int, int]]
"""[first row, row after the last) of events or alarms, in order."""


@dataclass(frozen=True)
class Confusion:
    """Holds F1, the false-alarm rate among normal rows and the missed-alarm rate among anomalous rows."""

    f1: float
    far: float
    mar: float


@dataclass(frozen=True)
class EventCounts:
    """Counts labelled events and those found."""

    events: int
    found: int
    delays: tuple[int, ...]
    """For each event found, rows from its start to the first alarm within it."""

    @property
    def recall(self) -> float:
        """Share of the events that were found; 0 without any event."""
        return self.found / max(self.events, 1)

    @property
    def median_delay(self) -> float:
        """Median delay in rows; NaN if no event was found."""
        return float(np.median(self.delays)) if self.delays else float("nan")


def auc_pr(score: ArrayLike, labels: ArrayLike) -> float:
    """Return the average precision of scores (N,), with equal scores as one step; NaN without anomalous rows."""
    hits, predicted = _steps(score, labels)
    if hits[-1] == 0:
        return float("nan")
    recall = hits / hits[-1]
    return float(np.sum(np.diff(np.concatenate(([0.0], recall))) * hits / predicted))


def auc_roc(score: ArrayLike, labels: ArrayLike) -> float:
    """Return the area under the ROC curve of scores (N,), with ties counted half; NaN with one kind of row."""
    hits, predicted = _steps(score, labels)
    positive, negative = hits[-1], predicted[-1] - hits[-1]
    if positive == 0 or negative == 0:
        return float("nan")
    rate, false = hits / positive, (predicted - hits) / negative
    before = np.concatenate(([0.0], rate[:-1]))
    return float(np.sum(np.diff(np.concatenate(([0.0], false))) * (rate + before) / 2))


def confusion(alarm: ArrayLike, labels: ArrayLike) -> Confusion:
    """Compute F1, FAR and MAR of alarms (N,) against labels (N,); a share of no rows is 0."""
    raised, true = np.asarray(alarm).astype(bool), np.asarray(labels).astype(bool)
    hit, false = int((raised & true).sum()), int((raised & ~true).sum())
    missed, quiet = int((~raised & true).sum()), int((~raised & ~true).sum())
    return Confusion(
        f1=2 * hit / max(2 * hit + false + missed, 1),
        far=false / max(false + quiet, 1),
        mar=missed / max(missed + hit, 1),
    )


def count_events(alarm: ArrayLike, labels: ArrayLike) -> EventCounts:
    """Count the events of labels (N,) that alarms (N,) find."""
    raised = np.asarray(alarm).astype(bool)
    events = segments(np.asarray(labels).astype(bool))
    delays = tuple(int(np.argmax(raised[a:b])) for a, b in events if raised[a:b].any())
    return EventCounts(len(events), len(delays), delays)


def false_alarms(alarms: Intervals, labels: NDArray[np.bool_]) -> int:
    """Count the alarms, as intervals of rows, that overlap no anomalous row of labels (N,)."""
    before = np.concatenate(([0], np.cumsum(labels)))
    return sum(1 for start, stop in alarms if before[stop] == before[start])


def _steps(score: ArrayLike, labels: ArrayLike) -> tuple[F64, F64]:
    """Count anomalous and all rows at or above each distinct score, from the highest on; ValueError for NaN."""
    values, true = np.asarray(score, np.float64), np.asarray(labels).astype(bool)
    if not np.isfinite(values).all() or values.shape != true.shape or not len(values):
        raise ValueError(f"scores {values.shape} must be finite, and labels {true.shape} of the same shape, not empty")
    order = np.argsort(-values, kind="stable")
    last = np.concatenate((np.flatnonzero(np.diff(values[order])), [len(values) - 1]))
    return np.cumsum(true[order])[last].astype(np.float64), last + 1.0
