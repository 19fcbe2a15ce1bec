"""How the machine runs: rows grouped without labels by slow averages of their channels, and how far the gate opens.

k-means on the mean of the last SLOW_ROWS standardised samples, started from evenly spaced rows. A group is
added while each one explains at least EXPLAINED of what the channels vary, so that a machine that always runs the same
way has one.
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
EXPLAINED = 0.08
"""Share of the channels' variance that one more group must explain."""
LEAST_SHARE = 0.03
"""Smallest part of the rows that is a way of running."""
MOST_FITTED = 4000
"""Rows, evenly spaced, that the groups are found on."""
STARTS, ROUNDS = 16, 20
"""Evenly spaced rows that one more group is started from; the best result counts."""
NOTABLE, NAMED = 0.5, 3
"""A channel is named where its mean is so many standard deviations from the usual one, the furthest few of them."""


@dataclass(frozen=True)
class Regime:
    """One way of running."""

    share: float
    """Of the rows of the recording."""
    updated: float
    """Mean updated share of the hidden dimensions."""
    updated_tail: float | None
    """The same on the held-out rows alone; None where there are none of it."""
    typical: tuple[tuple[str, str, float], ...]
    """(channel, "high" or "low", its mean there in its unit), the most unusual first."""

    def to_json(self) -> dict[str, Any]:
        """As metrics.json holds it."""
        typical = [{"channel": name, "is": side, "mean": mean} for name, side, mean in self.typical]
        return {**vars(self), "typical": typical}


def find_regimes(trace: Trace, detector: Detector, tail: int) -> list[Regime]:
    """Ways of running among the rows of a trace, the most frequent first; `tail` is the first held-out row.

    Empty where the detector has no gate.
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
        found.append(
            Regime(
                share=float(rows.mean()),
                updated=float(share[rows].mean()),
                updated_tail=float(share[kept].mean()) if kept.any() else None,
                typical=_typical(trace, detector, rows),
            )
        )
    return found


def slow_means(trace: Trace) -> F64:
    """Mean (M, C) of each row's last SLOW_ROWS standardised samples, as far back as the last reset."""
    sums = np.concatenate((np.zeros((1, trace.z.shape[1])), np.cumsum(trace.z, axis=0, dtype=np.float64)))
    stop = np.arange(1, len(trace.rows) + 1)
    count = np.minimum(np.minimum(trace.since + 1, SLOW_ROWS), stop)
    return np.asarray((sums[stop] - sums[stop - count]) / count[:, None])


def group_rows(points: F64, variance: float) -> NDArray[np.intp]:
    """The group of each of the points (M, C), numbered from 0; `variance` is what a group must explain a share of."""
    few = points[np.unique(np.linspace(0, len(points) - 1, min(len(points), MOST_FITTED)).astype(int))]
    centers = few.mean(axis=0, keepdims=True)
    left, least = _left(few, centers), LEAST_SHARE * len(few)
    while len(centers) < MOST:
        starts = few[:: max(len(few) // STARTS, 1)]
        tries = [_k_means(few, np.vstack((centers, start))) for start in starts]
        # A start-up is far from all else but short: it must not keep ways of running from being found.
        large = [more for more, group in tries if np.bincount(group, minlength=len(more)).min() >= least]
        now, more = min(((_left(few, more), i, more) for i, more in enumerate(large)), default=(left, 0, centers))[::2]
        if left - now < EXPLAINED * variance:
            break
        centers, left = more, now
    return np.unique(_distances(points, centers).argmin(axis=1), return_inverse=True)[1]


def _k_means(points: F64, centers: F64) -> tuple[F64, NDArray[np.intp]]:
    """Centres (k, C) that have come to rest, and the group of each point."""
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


def _left(points: F64, centers: F64) -> float:
    """Mean squared distance of the points to their nearest centre."""
    return float(_distances(points, centers).min(axis=1).mean())


def _distances(points: F64, centers: F64) -> F64:
    """Squared distances (M, k)."""
    return np.stack([((points - center) ** 2).sum(axis=1) for center in centers], axis=1)


def _typical(trace: Trace, detector: Detector, rows: NDArray[np.bool_]) -> tuple[tuple[str, str, float], ...]:
    """Channels that are high or low in some rows (M,), compared with all."""
    mean = trace.z[rows].mean(axis=0, dtype=np.float64)
    apart = mean - trace.z.mean(axis=0, dtype=np.float64)
    order = [int(i) for i in np.argsort(-np.abs(apart), kind="stable")[:NAMED] if abs(apart[i]) >= NOTABLE]
    values = detector.features.center + detector.features.scale * mean
    names = detector.schema.names
    return tuple((names[i], "high" if apart[i] > 0 else "low", float(values[i])) for i in order)
