"""Measures the distance to rows seen in training, and to the usual mean and spread of a cycle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.statistic_study.forecast import Array

LOW, HIGH = 0.6931, 4.605
"""Nats of the median (ln 2) and of the 99% quantile (ln 100)."""

Reading = Callable[[Array], Array]


def nats_line(reference: Array, span: float, rows: int) -> Callable[[Array, float, float], Array]:
    """Return the function that maps a reading to nats between two bounds: a line in its logarithm.

    The median of the reference is LOW, its 99% quantile HIGH; a long span on few rows makes the line flatter.
    """
    middle, high = np.quantile(np.log(np.maximum(reference, 1e-9)), [0.5, 0.99])
    slope = (HIGH - LOW) / (max(high - middle, 0.05) * (1 + 3 * span / rows))
    return lambda x, low, top: np.clip(LOW + slope * (np.log(np.maximum(x, 1e-9)) - middle), low, top)


def moving_mean(z: Array, window: int) -> Array:
    """Return the mean of the known values among the last rows, fewer at the start."""
    last = np.arange(1, len(z) + 1)
    first = np.maximum(last - window, 0)

    def moving_sum(a: Array) -> Array:
        total = np.cumsum(np.vstack([np.zeros((1, a.shape[1])), a]), 0)
        return total[last] - total[first]

    return moving_sum(np.nan_to_num(z)) / np.maximum(moving_sum(1.0 * ~np.isnan(z)), 1)


def moving_log_spread(z: Array, window: int) -> Array:
    """Return the logarithm of the standard deviation among the last rows."""
    variance = moving_mean(z * z, window) - moving_mean(z, window) ** 2
    return np.log(np.sqrt(np.maximum(variance, 0)) + 0.02)


def find_period(z: Array, max_lag: int = 2000) -> int:
    """Return the lag of the highest peak of the channels' mean autocorrelation, 0 if none stands out.

    A peak is above .3, and .3 above the lowest point before it.
    """
    n = len(z)
    spectrum = np.fft.rfft(z - z.mean(0), 2 ** int(np.ceil(np.log2(2 * n))), axis=0)
    channels = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[: min(max_lag, n // 4) + 1]
    a = np.mean(channels / np.maximum(channels[0], 1e-9), 1)
    peaks = np.flatnonzero((a[1:-1] > a[:-2]) & (a[1:-1] >= a[2:])) + 1
    peaks = [k for k in peaks if k >= 4 and a[k] > 0.3 and a[k] - a[:k].min() > 0.3]
    return int(peaks[int(np.argmax(a[peaks]))]) if peaks else 0


def fit_distance(parts: list[Array], centroids: int) -> Reading:
    """Return the distance of a row to the nearest centroid of standardised rows (k-means, deterministic start)."""
    rows = np.vstack([z for z in parts if len(z) > 2])
    mean, deviation = rows.mean(0), np.maximum(rows.std(0), 1e-3)
    sample = ((rows - mean) / deviation)[:: max(1, len(rows) // 4000)]
    centers = sample[np.linspace(0, len(sample) - 1, max(centroids, 2)).astype(int)]

    def squares(a: Array) -> Array:
        return np.maximum((a**2).sum(1)[:, None] - 2 * a @ centers.T + (centers**2).sum(1), 0)

    for _ in range(20):
        nearest = squares(sample).argmin(1)
        members = [sample[nearest == j] for j in range(len(centers))]
        centers = np.array([m.mean(0) if len(m) else center for m, center in zip(members, centers, strict=True)])
    return lambda z: np.sqrt(squares((z - mean) / deviation).min(1) / sample.shape[1])


def fit_cycles(parts: list[Array], period: int) -> Reading:
    """Return how far mean and spread of the last cycle are from those of training."""
    parts = [z for z in parts if len(z) > max(20, 2 * period)]
    mean = fit_cycle_part(parts, period, moving_mean)
    spread = fit_cycle_part(parts, period, moving_log_spread)
    return lambda z: np.sqrt(mean(z) * spread(z))


def fit_cycle_part(parts: list[Array], period: int, smooth: Callable[[Array, int], Array]) -> Reading:
    """Return the root mean square deviation of a smoothed row, in standard deviations of training.

    The variance grows with the error of the mean: neighbouring cycles that differ little count as fewer cycles.
    """
    smoothed = [smooth(z, period)[period - 1 :] for z in parts]
    rows = np.vstack(smoothed)
    mean, variance = rows.mean(0), rows.var(0)
    cycles = [s[::period] for s in smoothed]
    noise = 0.5 * np.mean(np.vstack([np.diff(c, axis=0) for c in cycles]) ** 2, 0)
    independent = sum(map(len, cycles)) * np.minimum(noise / np.maximum(variance, 1e-12), 1)
    scale = np.maximum(variance, 1e-6) * (1 + 100 / np.maximum(independent, 1e-3))

    def reading(z: Array) -> Array:
        squares = (smooth(z, period) - mean) ** 2 / scale
        squares[: period - 1] = np.minimum(squares[: period - 1], 1)  # the first cycle is not complete
        return np.sqrt(squares.mean(1))

    return reading
