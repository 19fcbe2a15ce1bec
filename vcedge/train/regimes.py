"""Finds operating modes without labels, and measures how far the gate opens in each.

The modes are clusters of k-means on the mean of the last SLOW_ROWS standardised samples, started from evenly spaced
rows. A cluster is added as long as it explains at least EXPLAINED of the channels' variance, so that a machine with
one mode has one cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.trace import Trace
from vcedge.detector import Detector
from vcedge.schema import F64

SLOW_ROWS = 60
MOST = 5
"""Largest number of clusters."""
EXPLAINED = 0.08
"""Share of the channels' variance that one more cluster must explain."""
LEAST_SHARE = 0.03
"""Smallest share of the rows that is an operating mode."""
MOST_FITTED = 4000
"""Rows, evenly spaced, that the clusters are fitted on."""
STARTS, ROUNDS = 16, 20
"""Evenly spaced rows that one more cluster is started from (the best result counts), and iterations of k-means."""
NOTABLE, NAMED = 0.5, 3
"""A channel is named if its mean is at least NOTABLE standard deviations from the overall mean; at most NAMED are."""


@dataclass(frozen=True)
class Regime:
    """Describes one operating mode."""

    share: float
    """Share of the recording's rows."""
    updated: float
    """Mean updated share of the hidden dimensions."""
    updated_tail: float | None
    """The same on held-out rows; None if none of them are in this mode."""
    typical: tuple[tuple[str, str, float], ...]
    """(channel, "high" or "low", mean in its unit), the most unusual channel first."""

    def to_json(self) -> dict[str, Any]:
        """Return the mode as in metrics.json."""
        typical = [{"channel": name, "is": side, "mean": mean} for name, side, mean in self.typical]
        return {**vars(self), "typical": typical}


def find_regimes(trace: Trace, detector: Detector, tail: int) -> list[Regime]:
    """Return the operating modes among the rows of a trace, the most frequent first.

    The list is empty if the detector has no gate. `tail` is the first held-out row.
    """
    if detector.levels == 1 or not len(trace.rows):
        return []
    group = group_rows(slow_means(trace), float(trace.z.var(axis=0).sum()))
    share = trace.updated / detector.hidden
    held = trace.rows >= tail
    found = []
    for number in np.argsort(-np.bincount(group), kind="stable"):
        rows = group == number
        kept = rows & held
        in_tail = float(share[kept].mean()) if kept.any() else None
        typical = _typical(trace, detector, rows)
        found.append(Regime(float(rows.mean()), float(share[rows].mean()), in_tail, typical))
    return found


def slow_means(trace: Trace) -> F64:
    """Return the mean (M, C) of each row's last SLOW_ROWS standardised samples since the last reset."""
    sums = np.concatenate((np.zeros((1, trace.z.shape[1])), np.cumsum(trace.z, axis=0, dtype=np.float64)))
    stop = np.arange(1, len(trace.rows) + 1)
    count = np.minimum(np.minimum(trace.since + 1, SLOW_ROWS), stop)
    return np.asarray((sums[stop] - sums[stop - count]) / count[:, None])


def group_rows(points: F64, variance: float) -> NDArray[np.intp]:
    """Return the cluster (M,) of each point (M, C), from 0; `variance` is the total that EXPLAINED refers to."""
    few = points[np.unique(np.linspace(0, len(points) - 1, min(len(points), MOST_FITTED)).astype(int))]
    centers = few.mean(axis=0, keepdims=True)
    left, least = _spread(few, centers), LEAST_SHARE * len(few)
    while len(centers) < MOST:
        starts = few[:: max(len(few) // STARTS, 1)]
        tries = [_k_means(few, np.vstack((centers, start))) for start in starts]
        # A start-up is far from all other rows but short: it must not replace an operating mode.
        large = [more for more, group in tries if np.bincount(group, minlength=len(more)).min() >= least]
        results = [(_spread(few, more), i, more) for i, more in enumerate(large)]
        now, _, more = min(results, default=(left, 0, centers))
        if left - now <= EXPLAINED * variance:
            break
        centers, left = more, now
    return np.unique(_distances(points, centers).argmin(axis=1), return_inverse=True)[1]


def _k_means(points: F64, centers: F64) -> tuple[F64, NDArray[np.intp]]:
    """Return the centres (k, C) after k-means, and the cluster of each point."""
    group = _distances(points, centers).argmin(axis=1)
    for _ in range(ROUNDS):
        centers = np.array(
            [points[group == i].mean(axis=0) if (group == i).any() else centers[i] for i in range(len(centers))]
        )
        moved = _distances(points, centers).argmin(axis=1)
        if (moved == group).all():
            break
        group = moved
    return centers, group


def _spread(points: F64, centers: F64) -> float:
    """Return the mean squared distance of the points to their nearest centre."""
    return float(_distances(points, centers).min(axis=1).mean())


def _distances(points: F64, centers: F64) -> F64:
    """Return the squared distances (M, k)."""
    return np.stack([((points - center) ** 2).sum(axis=1) for center in centers], axis=1)


def _typical(trace: Trace, detector: Detector, rows: NDArray[np.bool_]) -> tuple[tuple[str, str, float], ...]:
    """Return the channels that are high or low in the selected rows (M,), compared with all rows."""
    mean = trace.z[rows].mean(axis=0, dtype=np.float64)
    apart = mean - trace.z.mean(axis=0, dtype=np.float64)
    order = [int(i) for i in np.argsort(-np.abs(apart), kind="stable")[:NAMED] if abs(apart[i]) >= NOTABLE]
    values = detector.features.center + detector.features.scale * mean
    names = detector.schema.names
    return tuple((names[i], "high" if apart[i] > 0 else "low", float(values[i])) for i in order)
