"""Names the kind of fault that an event resembles, by comparing its shape with those of injected faults.

Two exponentially weighted means, a fast and a slow one, follow a few statistics of each channel; over the first
NAMED_ROWS rows of an event the shape of its leading channel is averaged. After them the shape is settled, and so is the
event's name. Memory is constant, and no clock is read.

Outside of events no shape is needed, so rows wait until there are BATCH of them or an event opens: in a batch the means
are the same up to rounding and cost a fraction of the time.

`runtime/kernel/stream/resemblance.inc` computes the same for many rows and must give the same bits: sums have the fixed
order of `cumsum`, and logarithms are those of the C library.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from vcedge.schema import F32, F64

SPANS = (8.0, 64.0)
"""Spans of the fast and the slow mean, in rows."""
STATISTICS = ("residual", "squared", "fourth", "lagged", "change", "level", "still", "large")
LARGE = 3.0
"""Number of spreads beyond which a residual is large."""
LARGEST = 1e3
"""Number of spreads that residuals are clipped to: their fourth powers must stay finite."""
FEATURES = (
    *("one-sided, slow", "one-sided, fast", "persistent, slow", "persistent, fast", "recent", "peaked"),
    *("change, slow", "change, fast", "still, slow", "still, fast", "large", "level", "share", "channels"),
)
UNCLEAR = "unclear"
NAMED_ROWS = 20
"""Rows of an event that its shape is averaged over: its name is given after them, or at its end, and stays."""
TINY, LEAST_CHANGE, LEAST_LEVEL = 1e-6, 1e-2, 0.1
"""Terms that avoid a division by zero and very small arguments of logarithms."""
BATCH = 64


def row_statistics(residual: F64, before: F64, z: F64, z_before: F64, change_scale: F64) -> F64:
    """Return the statistics of rows for each channel, (K, ..., C), in the order of STATISTICS.

    `residual` (..., C) is the highway's in spreads, 0 where there is none, and `before` that of the row before; `z` and
    `z_before` the standardised samples, `change_scale` (C,) is `Features.change_scale`.
    """
    out = np.empty((len(STATISTICS), *residual.shape))
    r, squared, change = out[0], out[1], out[4]
    np.minimum(np.maximum(residual, -LARGEST), LARGEST, out=r)
    np.multiply(r, r, out=squared)
    np.multiply(squared, squared, out=out[2])
    np.multiply(r, np.minimum(np.maximum(before, -LARGEST), LARGEST), out=out[3])
    np.subtract(z, z_before, out=change)
    out[6] = change == 0.0
    np.divide(change, change_scale, out=change)
    np.minimum(np.multiply(change, change, out=change), LARGEST, out=change)
    out[5] = z
    out[7] = squared > LARGE * LARGE
    return out


def shape(fast: F64, slow: F64) -> F64:
    """Return the features (F,) of the leading channel, free of its scale, from means (K, C) of row statistics."""
    energy = fast[1] + slow[1]
    lead = int(np.argmax(energy))
    share = energy / max(_total(energy), TINY)
    f, s = fast[:, lead].tolist(), slow[:, lead].tolist()
    return np.array(
        [
            abs(s[0]) / math.sqrt(s[1] + TINY),
            abs(f[0]) / math.sqrt(f[1] + TINY),
            s[3] / (s[1] + TINY),
            f[3] / (f[1] + TINY),
            math.log((f[1] + TINY) / (s[1] + TINY)),
            math.log((s[2] + TINY) / (s[1] * s[1] + TINY)),
            math.log(s[4] + LEAST_CHANGE),
            math.log(f[4] + LEAST_CHANGE),
            s[6],
            f[6],
            s[7],
            math.log(abs(s[5]) + LEAST_LEVEL),
            float(share[lead]),
            -math.log(_total(share * share) + TINY),
        ]
    )


def _total(values: F64) -> float:
    """Return the sum (N,) from first to last: the order of numpy's own sum depends on N."""
    return float(np.cumsum(values)[-1])


class ShapeCounts(Protocol):
    """Gives access to the two counts in a `ShapeTracker`'s state, which an engine's record may hold."""

    feature_rows: int
    """Number of rows of the open event in its shape, at most NAMED_ROWS."""
    waiting: int
    """Number of rows that are not in the means yet."""


@dataclass
class _OwnCounts:
    feature_rows: int = 0
    waiting: int = 0


class ShapeMemory(NamedTuple):
    """Holds the state of a `ShapeTracker`: counts, and arrays that it writes to. The engine's rows are float32."""

    counts: ShapeCounts
    means: F64  # (spans, K, C)
    total: F64  # (F,)
    residual: F32  # (BATCH + 1, C) of the last row in the means, then of the waiting rows
    z: F32  # (BATCH + 1, C)

    @classmethod
    def fresh(cls, channels: int) -> ShapeMemory:
        """Return the state of a new stream."""
        means = np.zeros((len(SPANS), len(STATISTICS), channels))
        rows = (BATCH + 1, channels)
        return cls(_OwnCounts(), means, np.zeros(len(FEATURES)), np.zeros(rows, np.float32), np.zeros(rows, np.float32))


class ShapeTracker:
    """Follows the shape of one stream's open event; all of its state is in `memory`."""

    def __init__(self, change_scale: NDArray[Any], memory: ShapeMemory | None = None) -> None:
        """Start from a given state or a new one; `change_scale` (C,) is `Features.change_scale`."""
        self.change_scale: F64 = change_scale.astype(np.float64)
        self.memory = memory or ShapeMemory.fresh(len(change_scale))
        alpha = np.array([2 / (span + 1) for span in SPANS])[:, None]
        ages = np.arange(BATCH)[::-1]
        self.weights: F64 = alpha * (1 - alpha) ** ages  # (spans, BATCH) of the rows of a batch, oldest first
        self.keeps: F64 = (1 - alpha) ** np.arange(BATCH + 1)  # (spans, BATCH + 1) of the means before this many rows

    def push(self, residual: NDArray[Any], z: NDArray[Any], *, in_event: bool) -> None:
        """Add one row; `in_event` is true if an event is open after it."""
        memory, counts = self.memory, self.memory.counts
        counts.waiting = waiting = counts.waiting + 1
        memory.residual[waiting], memory.z[waiting] = residual, z
        if in_event:
            self._add_waiting()
            if not self.settled:
                memory.total[:] += shape(memory.means[0], memory.means[1])
                counts.feature_rows += 1
            return
        if waiting == BATCH:
            self._add_waiting()
        if counts.feature_rows:
            counts.feature_rows = 0
            memory.total[:] = 0.0

    @property
    def features(self) -> F64 | None:
        """Mean shape (F,) of the open event, None without one."""
        rows = self.memory.counts.feature_rows
        return self.memory.total / rows if rows else None

    @property
    def settled(self) -> bool:
        """True if an event is open whose shape does not change any more."""
        return self.memory.counts.feature_rows >= NAMED_ROWS

    @property
    def settles_next(self) -> bool:
        """True if the shape of the open event is settled after one more row."""
        return self.memory.counts.feature_rows == NAMED_ROWS - 1

    def reset(self) -> None:
        """Reset to the state of a new stream, as after a gap."""
        memory = self.memory
        for array in (memory.means, memory.total, memory.residual, memory.z):
            array[:] = 0.0
        memory.counts.feature_rows = memory.counts.waiting = 0

    def _add_waiting(self) -> None:
        """Add the waiting rows to the means."""
        memory, count = self.memory, self.memory.counts.waiting
        residual, z = (rows[: count + 1].astype(np.float64) for rows in (memory.residual, memory.z))
        statistics = row_statistics(residual[1:], residual[:-1], z[1:], z[:-1], self.change_scale)  # (K, count, C)
        terms = np.empty((len(SPANS), len(STATISTICS), count + 1, statistics.shape[2]))
        np.multiply(memory.means, self.keeps[:, count, None, None], out=terms[:, :, 0])
        np.multiply(self.weights[:, None, -count:, None], statistics, out=terms[:, :, 1:])
        memory.means[:] = np.cumsum(terms, axis=2)[:, :, -1]
        memory.residual[0], memory.z[0] = memory.residual[count], memory.z[count]
        memory.counts.waiting = 0


@dataclass(frozen=True)
class Resemblance:
    """Holds the centroids of the kinds of faults; kinds that cannot be distinguished share a name."""

    kinds: tuple[str, ...]  # (E,) of faults
    names: tuple[str, ...]  # (E,) of the kinds: "spike", "offset or drift", "unclear"
    mean: F32  # (F,) of all injected events
    whitening: F32  # (F, F) features minus mean, times this, have unit spread within a kind
    centroids: F32  # (E, F) whitened
    limit: float
    """Squared distance to the nearest centroid beyond which an event resembles none of them."""

    def __post_init__(self) -> None:
        count = len(FEATURES)
        shapes = (self.mean.shape, self.whitening.shape, self.centroids.shape)
        if shapes != ((count,), (count, count), (len(self.names), count)) or not len(self.kinds) == len(self.names) > 0:
            raise ValueError(f"resemblance of shapes {shapes} for {len(self.names)} names and {count} features")

    @property
    def name_by_kind(self) -> dict[str, str]:
        """Name of each kind."""
        return dict(zip(self.kinds, self.names, strict=True))

    def name_of(self, features: F64) -> str:
        """Return the name that an event of these features (F,) resembles most; see `classify`."""
        return self.classify(features)[0]

    def classify(self, features: F64) -> tuple[str, float]:
        """Return the name that an event of these features (F,) resembles most, and its share of the likelihood.

        The name is UNCLEAR if none is likelier than all others together, with the share of the likeliest, or if the
        event is far from all of them, with 0.
        """
        place = (features - self.mean) @ self.whitening
        distance = ((self.centroids - place) ** 2).sum(axis=1)
        nearest = int(distance.argmin())
        if not distance[nearest] <= self.limit:
            return UNCLEAR, 0.0
        likely = np.exp(-0.5 * (distance - distance[nearest]))
        same = np.array([name == self.names[nearest] for name in self.names])
        share = float(likely[same].sum() / likely.sum())
        return (self.names[nearest] if share > 0.5 else UNCLEAR), share
