"""Finds the period of a machine that repeats a cycle, and fits the usual mean and spread of a cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.schema import F64
from vcedge.scorer import SPREAD_OFFSET

LEAST_LAG, MOST_LAG = 4, 2000
LEAST_CYCLES = 50
"""Fewest cycles in a recording: the usual mean of a cycle is not known from fewer."""
PEAK = 0.3
"""Least mean autocorrelation of a period, and least rise of it since its lowest point before."""
BLOCKS = (12, 24)
"""Fewest and most blocks of a cycle: a ring of block sums replaces one of all rows."""
LEAST_VARIANCE = 1e-6
UNSURE = 100.0
"""The variance of a cycle's mean is larger by this over the number of independent cycles."""


def find_period(z: F64, rows: int) -> int:
    """Return the lag of the highest peak of the mean autocorrelation of channels z (n, C), 0 if there is none.

    A period that is not LEAST_CYCLES times within `rows` rows counts as none.
    """
    n = len(z)
    if n < LEAST_LAG * LEAST_LAG or z.shape[1] == 0:
        return 0
    spectrum = np.fft.rfft(z - z.mean(axis=0), 2 ** int(np.ceil(np.log2(2 * n))), axis=0)
    channels = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[: min(MOST_LAG, n // 4) + 1]
    a = (channels / np.maximum(channels[0], 1e-9)).mean(axis=1)
    peaks = np.flatnonzero((a[1:-1] > a[:-2]) & (a[1:-1] >= a[2:])) + 1
    peaks = np.array([k for k in peaks if k >= LEAST_LAG and a[k] > PEAK and a[k] - a[:k].min() > PEAK], int)
    if not len(peaks):
        return 0
    period = int(peaks[int(a[peaks].argmax())])
    return period if period * LEAST_CYCLES <= rows else 0


def split_period(period: int) -> tuple[int, int]:
    """Return the rows of a block and the number of blocks whose product is closest to the period."""
    if period <= BLOCKS[1]:
        return 1, period
    blocks = min(range(BLOCKS[0], BLOCKS[1] + 1), key=lambda m: (abs(m * round(period / m) - period), -m))
    return round(period / blocks), blocks


@dataclass(frozen=True)
class CycleModel:
    """Holds usual mean and logarithm of the spread of a cycle (2, C), and 1 / their standard deviations (2, C)."""

    block: int
    blocks: int
    mean: F64
    scale: F64

    def deviations(self, z: F64) -> F64:
        """Return how far the last cycle of each row of a stretch z (n, C) is from the usual one (n,).

        It changes where a block is complete, and is at most 1 before the first complete cycle.
        """
        period = self.block * self.blocks
        squares = ((cycle_statistics(z, period) - self.mean[:, None]) * self.scale[:, None]) ** 2  # (2, n, C)
        squares[:, : period - 1] = np.minimum(squares[:, : period - 1], 1.0)
        live = max(int((self.scale[0] > 0).sum()), 1)
        roots = np.sqrt(squares.sum(axis=2) / live)
        complete = np.maximum((np.arange(len(z)) + 1) // self.block * self.block - 1, 0)
        return np.asarray(np.sqrt(roots[0] * roots[1])[complete])


def fit_cycle(stretches: list[F64], period: int, live: F64) -> CycleModel:
    """Fit the usual cycle to stretches of rows, each (n, C) without a gap; `live` (C,) is 0 for constants."""
    block, blocks = split_period(period)
    period = block * blocks
    found = [cycle_statistics(z, period)[:, period - 1 :] for z in stretches if len(z) > 2 * period]
    rows = np.concatenate(found, axis=1)  # (2, n, C)
    mean, variance = rows.mean(axis=1), rows.var(axis=1)
    cycles = [part[:, ::period] for part in found]
    noise = 0.5 * (np.concatenate([np.diff(part, axis=1) for part in cycles], axis=1) ** 2).mean(axis=1)
    # Neighbouring cycles that differ little count as fewer cycles.
    independent = sum(part.shape[1] for part in cycles) * np.minimum(noise / np.maximum(variance, 1e-12), 1.0)
    inflated = np.maximum(variance, LEAST_VARIANCE) * (1 + UNSURE / np.maximum(independent, 1e-3))
    return CycleModel(block, blocks, mean, live / np.sqrt(inflated))


def cycle_statistics(z: F64, period: int) -> F64:
    """Return mean and logarithm of the spread of the last `period` rows (fewer at the start), (2, n, C)."""
    last = np.arange(1, len(z) + 1)
    first = np.maximum(last - period, 0)

    def moving_mean(values: F64) -> F64:
        total = np.cumsum(np.vstack([np.zeros((1, values.shape[1])), values]), axis=0)
        return np.asarray((total[last] - total[first]) / (last - first)[:, None])

    mean = moving_mean(z)
    spread = np.sqrt(np.maximum(moving_mean(z * z) - mean**2, 0.0))
    return np.stack([mean, np.log(spread + SPREAD_OFFSET)])
