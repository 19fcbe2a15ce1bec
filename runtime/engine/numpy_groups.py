"""Computes, in the reference engine, the distance to rows seen in training and the deviation of the last cycle."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vcedge.runtime.engine.state import State
from vcedge.schema import F32, F64
from vcedge.scorer import LEAST_DISTANCE, SPREAD_OFFSET, Cycle, Distance


class DistanceReading:
    """Reads the distance of a row to the nearest centroid."""

    def __init__(self, distance: Distance) -> None:
        self._distance = distance
        self._live = max(int((distance.scale > 0).sum()), 1)

    def read(self, z: F32) -> tuple[float, F64]:
        """Return the nats that the distance adds, and each channel's part of them (C,)."""
        distance = self._distance
        away = z * distance.scale - distance.centroids  # (K, C)
        squares = away * away
        total = squares.sum(axis=1)
        nearest = int(total.argmin())
        least = float(total[nearest])
        logarithm = math.log(max(math.sqrt(least / self._live), LEAST_DISTANCE))
        nats = distance.weight * distance.line.excess(logarithm)
        if nats == 0.0 or least == 0.0:
            return nats, np.zeros(len(z))
        return nats, squares[nearest].astype(np.float64) * (nats / least)


class CycleReading:
    """Reads how far mean and spread of the last cycle are from those of training."""

    def __init__(self, cycle: Cycle) -> None:
        self._cycle = cycle
        self._mean, self._scale = cycle.mean.astype(np.float64), cycle.scale.astype(np.float64)
        self._live = max(int((cycle.scale[0] > 0).sum()), 1)

    def read(self, z: F32, missing: NDArray[np.bool_], state: State) -> tuple[float, F64]:
        """Take the row into its block; return the nats that the last cycle adds, and each channel's part (C,)."""
        cycle, seen = self._cycle, state.seen
        slot = state.cycle_ring[seen // cycle.block % cycle.blocks]
        wide = z.astype(np.float64)
        taken = np.array((wide, wide * wide))  # (2, C)
        if seen >= cycle.period and missing.any():  # the block of one cycle ago is likelier than a forecast
            taken = np.where(missing, slot / cycle.block, taken)
        state.cycle_part += taken
        if (seen + 1) % cycle.block == 0:
            slot[:] = state.cycle_part
            state.cycle_part[:] = 0.0
            if seen + 1 >= cycle.period:
                self._complete(state)
        nats, total = state.cycle_excess, state.cycle_deviation.sum(axis=1)
        if nats == 0.0:
            return 0.0, np.zeros(len(z))
        shares = [row / sum_ for row, sum_ in zip(state.cycle_deviation, total, strict=True) if sum_ > 0.0]
        return nats, np.asarray(np.mean(shares, axis=0) * nats)

    def _complete(self, state: State) -> None:
        """Compare the last cycle with those of training."""
        sums = state.cycle_ring.sum(axis=0) / self._cycle.period
        variance = np.maximum(sums[1] - sums[0] * sums[0], 0.0)
        found = np.array((sums[0], np.log(np.sqrt(variance) + SPREAD_OFFSET)))
        state.cycle_deviation[:] = ((found - self._mean) * self._scale) ** 2
        roots = np.sqrt(state.cycle_deviation.sum(axis=1) / self._live)
        value = math.sqrt(float(roots[0]) * float(roots[1]))
        state.record["cycle_excess"] = self._cycle.line.excess(math.log(max(value, LEAST_DISTANCE)))
