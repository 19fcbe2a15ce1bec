"""Fits what is usual for the readings of smoothed errors: means to start from, lines to nats, usual values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.nats import fit_lines
from vcedge.calibration.split import Ranges
from vcedge.schema import F32, F64
from vcedge.scorer import (
    KINDS,
    LEAST_RATIO,
    LEAST_SMOOTH,
    MOST_RARE,
    NOVELTY_REST,
    READINGS,
    TRACKS,
    ErrorKind,
    Track,
    alpha_of,
    span_of,
)

CHUNK_ROWS = 64
LEAST_USUAL = 1e-6
"""Least usual value of a reading: less is rounding, of which any change would be many times the usual value."""


@dataclass(frozen=True)
class Readings:
    """Holds what is usual for the readings, and the mean logarithm (n,) of their ratios to it on cross-fitted rows."""

    initial: F32  # (KINDS, C)
    intercept: F32  # (TRACKS, C)
    slope: F32  # (TRACKS, C)
    usual: F64  # (READINGS,)
    weights: F64  # (READINGS,)
    mean_logarithm: F64  # (n,)


def fit_readings(squares: dict[ErrorKind, F64], stretches: Ranges, sensors: NDArray[np.bool_], span: float) -> Readings:
    """Fit the readings to cross-fitted squared errors (n, C) by kind, NaN without enough rows before.

    `stretches` are the parts of the n rows that have no gap; the smoothing starts anew in each.
    """
    means = {kind: np.nanmean(rows, axis=0) for kind, rows in squares.items()}
    count = max(int(sensors.sum()), 1)
    intercept, slope = np.zeros((2, len(TRACKS), len(sensors)))
    readings: list[F64] = []
    for index, track in enumerate(TRACKS):
        smooth = smoothed(squares[track.kind], means[track.kind], stretches, span_of(track, span))
        amount = _amount(track, smooth, count)
        if amount is not None:
            readings.append(amount)
        logarithm = np.log(np.maximum(smooth[:, sensors], LEAST_SMOOTH))
        a, b = fit_lines(np.exp(logarithm), span_of(track, span))
        intercept[index, sensors], slope[index, sensors] = a, b
        nats = np.clip(a + b * logarithm, 0.0, MOST_RARE)
        readings.append(1.0 + ((nats**track.power).sum(axis=1) / count) ** (1 / track.power))
    readings.append(np.full(len(readings[0]), NOVELTY_REST))
    usual = np.array([max(float(reading.mean()), LEAST_USUAL) for reading in readings])
    ratios = [np.log(np.maximum(row / mean, LEAST_RATIO)) for row, mean in zip(readings, usual, strict=True)]
    initial = np.array([means[kind] for kind in KINDS])
    return Readings(
        initial.astype(np.float32),
        intercept.astype(np.float32),
        slope.astype(np.float32),
        usual,
        np.full(READINGS, 1 / READINGS),
        np.mean(ratios, axis=0),
    )


def only_novelty(rows: int, channels: int) -> Readings:
    """Return the readings of a recording without sensors: the novelty is all there is, and no row has any."""
    zeros, usual, weights = np.zeros((len(TRACKS), channels), np.float32), np.ones(READINGS), np.zeros(READINGS)
    usual[-1], weights[-1] = NOVELTY_REST, 1.0
    return Readings(zeros[: len(KINDS)], zeros, zeros, usual, weights, np.zeros(rows))


def smoothed(squares: F64, start: F64, stretches: Ranges, span: float) -> F64:
    """Return the exponentially weighted means (n, C) of squared errors, begun at `start` (C,) in each stretch.

    Rows at the beginning that have no errors (NaN) leave the mean as it is.
    """
    alpha, out = alpha_of(span), np.empty_like(squares)
    for first, last in stretches:
        rows = squares[first:last]
        out[first:last] = weighted_means(np.where(np.isnan(rows), start, rows), alpha, start)
    return out


def weighted_means(rows: F64, alpha: float, start: F64) -> F64:
    """Return the exponentially weighted means of rows (n, C), begun at `start` (C,): a chunk by one product."""
    powers = (1.0 - alpha) ** np.arange(CHUNK_ROWS + 1)
    steps = np.arange(CHUNK_ROWS)
    lower = np.tril(alpha * powers[np.abs(steps[:, None] - steps)])
    out, state = np.empty_like(rows), start
    for first in range(0, len(rows), CHUNK_ROWS):
        chunk = rows[first : first + CHUNK_ROWS]
        size = len(chunk)
        found = lower[:size, :size] @ chunk + powers[1 : size + 1, None] * state
        out[first : first + size], state = found, found[-1]
    return out


def _amount(track: Track, smooth: F64, count: int) -> F64 | None:
    """Return the amount (n,) that a track reads, if it does."""
    if track.amount == "roots":
        return np.asarray(np.sqrt(smooth).sum(axis=1) / count)
    if track.amount == "rms":
        return np.asarray(np.sqrt(smooth.sum(axis=1) / count))
    return np.asarray(smooth.sum(axis=1)) if track.amount == "sum" else None
