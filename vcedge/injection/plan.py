"""Plans which faults to inject: balanced over kinds and channels, with lengths and sizes that suit the plant.

Lengths follow the channels' correlation times, not a fixed range: short faults would favour short smoothing on every
plant. Sizes range from undetectable to obvious.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcedge.injection.faults import KINDS, FaultKind, InjectedFault, Scales
from vcedge.schema import F64

LEAST_ROWS = 5
CORRELATION_TIMES = 3.0
"""The shortest faults last this many correlation times of the channel's residual; the longest delay and the slowest
oscillation are this many correlation times of the channel."""
MOST_SHARE = 0.25
"""Share of the rows that the longest fault covers: normal rows must remain before and after it."""
SMALLEST, LARGEST = 0.3, 30.0
"""Range of sizes in noises. Where LARGEST_SCALES standard deviations of the channel are larger, they are the end."""
LARGEST_SCALES = 3.0
LEAST_SHARE = 0.1
LARGEST_NOISE = 10.0
SHORTEST_PERIOD = 4.0
CANDIDATE_PIECES = 64
"""Candidates for the piece of a decoupled channel, of which the one with the smallest jump is used."""
NEEDS_MOVEMENT: tuple[FaultKind, ...] = ("stuck", "gain", "swap", "decoupled", "delay")
"""Kinds that have no effect on a constant channel."""
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class NormalRows:
    """Holds normal rows to inject faults into, and the statistics that lengths and sizes of the faults depend on."""

    values: F64  # (N, C)
    scales: Scales
    correlation: F64  # (C,) correlation time of each channel in rows
    residual_correlation: F64  # (C,) the same of the highway's residual
    moving: Indices  # channels that are not constant

    @classmethod
    def of(cls, values: F64, residual: F64, scales: Scales) -> NormalRows:
        """Measure values (N, C) and the highway's residual (N, C), NaN where there is none."""
        moving = np.flatnonzero(_spread(values) > 0)
        return cls(values, scales, correlation_rows(values), correlation_rows(residual), moving)


def correlation_rows(series: F64) -> F64:
    """Return the rows (C,) until the autocorrelation of each column of a series (N, C) falls to 1/e, at least 1.

    NaN counts as the mean. A column whose autocorrelation never falls that far gives N, a constant 1.
    """
    rows = len(series)
    centred = np.nan_to_num(series - _mean(series))
    spectrum = np.abs(np.fft.rfft(centred, 2 * rows, axis=0)) ** 2
    correlation = np.fft.irfft(spectrum, axis=0)[:rows]
    below = correlation <= correlation[0] / np.e
    below[0] = correlation[0] <= 0
    return np.where(below.any(axis=0), np.maximum(below.argmax(axis=0), 1), rows).astype(np.float64)


def plan_faults(
    normal: NormalRows, count: int, *, seed: int = 0, lead: int = 0, kinds: tuple[FaultKind, ...] = KINDS
) -> list[InjectedFault]:
    """Plan `count` faults, to be injected one by one or in the rounds of `in_rounds`.

    Kinds and channels take turns in random order. Constant channels get no kind of NEEDS_MOVEMENT, and there is no swap
    where fewer than two channels move.

    Args:
        normal: the rows to inject into.
        count: number of faults.
        seed: seed of the random choices.
        lead: first row at which a fault may start, after the detector's warm-up.
        kinds: kinds of faults to plan.

    Raises:
        ValueError: too few rows for any fault.
    """
    rows, channels = normal.values.shape
    if rows - lead < 2 * LEAST_ROWS:
        raise ValueError(f"{rows - lead} rows for faults, expected at least {2 * LEAST_ROWS}")
    rng = np.random.default_rng(seed)
    moving = normal.moving
    turns = {kind: _turns(moving if kind in NEEDS_MOVEMENT else np.arange(channels), count, rng) for kind in kinds}
    possible = [kind for kind in kinds if len(turns[kind]) and not (kind == "swap" and len(moving) < 2)]
    order = _turns(np.arange(len(possible)), count, rng)
    faults = []
    for number, turn in enumerate(order.tolist()):
        kind = possible[turn]
        channel = int(turns[kind][number // len(possible)])
        faults.append(_draw(kind, channel, normal, lead, rng))
    return faults


def in_rounds(faults: list[InjectedFault], gap: int) -> list[list[InjectedFault]]:
    """Distribute the faults greedily over copies of the recording, called rounds.

    Two faults of a round are at least `gap` rows apart, so that a detector can settle between them.
    """
    rounds: list[list[InjectedFault]] = []
    for fault in sorted(faults, key=lambda fault: fault.start):
        free = next((group for group in rounds if group[-1].stop + gap <= fault.start), None)
        if free is None:
            rounds.append([fault])
        else:
            free.append(fault)
    return rounds


def length_range(normal: NormalRows, channel: int, rows: int) -> tuple[float, float]:
    """Return the lengths of the shortest and the longest fault of a channel in this many rows."""
    longest = max(MOST_SHARE * rows, LEAST_ROWS)
    return min(max(CORRELATION_TIMES * normal.residual_correlation[channel], LEAST_ROWS), longest), longest


def size_range(kind: FaultKind, channel: int, normal: NormalRows, rows: int) -> tuple[float, float]:
    """Return the smallest and the largest size of a fault of this many rows, from undetectable to obvious."""
    if kind == "stuck":
        return 1.0, 1.0
    if kind in ("gain", "swap", "decoupled"):
        return LEAST_SHARE, 1.0
    if kind == "delay":
        return 1.0, max(min(CORRELATION_TIMES * normal.correlation[channel], rows / 2), 1.0)
    if kind == "noise":
        return SMALLEST, LARGEST_NOISE
    scale, noise = normal.scales.scale[channel], normal.scales.noise[channel]
    return SMALLEST, max(LARGEST, LARGEST_SCALES * scale / max(noise, 1e-300))


def seamless_start(readings: F64, start: int, length: int, rng: np.random.Generator, rows: int | None = None) -> int:
    """Return the first row of a piece of `length` readings (N,) that continues those before `start` without a jump.

    With a jump a detector would find that instead of the broken relation. The piece lies within the first `rows`, or
    anywhere.
    """
    places = rng.integers(0, (len(readings) if rows is None else rows) - length + 1, CANDIDATE_PIECES)
    apart = np.abs(places - start) >= min(length, (len(readings) - length) // 2)
    places = places[apart] if apart.any() else places
    miss = np.abs(readings[places] - readings[start])
    return int(places[np.argmin(np.where(np.isnan(miss), np.inf, miss))])


def _draw(kind: FaultKind, channel: int, normal: NormalRows, lead: int, rng: np.random.Generator) -> InjectedFault:
    rows = len(normal.values)
    length = round(_log_uniform(*length_range(normal, channel, rows - lead), rng))
    start = int(rng.integers(lead, rows - length + 1))
    size = _log_uniform(*size_range(kind, channel, normal, length), rng)
    slowest = min(CORRELATION_TIMES * normal.correlation[channel], length)
    others = normal.moving[normal.moving != channel]
    size = float(round(size)) if kind == "delay" else size
    partner = int(rng.choice(others)) if kind == "swap" else None
    period = _log_uniform(SHORTEST_PERIOD, max(slowest, SHORTEST_PERIOD), rng) if kind == "oscillation" else 0.0
    source = seamless_start(normal.values[:, channel], start, length, rng) if kind == "decoupled" else 0
    return InjectedFault(kind, channel, start, length, size, partner, period, source, seed=int(rng.integers(2**31)))


def _turns(items: Indices, count: int, rng: np.random.Generator) -> Indices:
    """Return `count` of the items, each equally often, shuffled in every turn."""
    if count == 0 or len(items) == 0:
        return items[:0]
    return np.concatenate([rng.permutation(items) for _ in range(-(-count // len(items)))])[:count]


def _log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high)))) if high > low else float(low)


def _mean(series: F64) -> F64:
    return np.asarray(np.nansum(series, axis=0) / np.maximum(np.isfinite(series).sum(axis=0), 1))


def _spread(series: F64) -> F64:
    return np.asarray(np.sqrt(_mean((series - _mean(series)) ** 2)))
