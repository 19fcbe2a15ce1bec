"""Which faults to inject: balanced over kinds and channels, of lengths and sizes that belong to the plant.

Lengths come from how long the channels remember, not from a fixed range: short faults everywhere favour short
smoothing whatever the plant (EVALUATION.md's first experiments). Sizes run from hopeless to plain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcedge.injection.faults import KINDS, Fault, FaultKind, Scales
from vcedge.schema import F64

LEAST_ROWS = 5
FEW = 3.0
"""The shortest faults last so many times as long as the channel's residual remembers."""
MOST_SHARE = 0.25
"""The longest fault is this share of the rows: normal rows must remain before and after it."""
DOUBTFUL, PLAIN = 0.3, 30.0
"""Range of sizes in noises. Where the noise is small beside the channel's movement, PLAIN_SCALES of it are the end."""
PLAIN_SCALES = 3.0
LEAST_SHARE = 0.1
LOUDEST = 10.0
SHORTEST_PERIOD = 4.0
JOINTS = 64
"""So many places are tried for the piece of a decoupled channel; the one that joins best is taken."""
MOVED: tuple[FaultKind, ...] = ("stuck", "gain", "swap", "decoupled", "delay")
"""Kinds that can only show on a channel that moves."""
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Memory:
    """How long each channel remembers, in rows (C,): time until its autocorrelation has fallen to 1/e."""

    values: F64
    residual: F64


def memory_rows(series: F64) -> F64:
    """Rows (C,) until the autocorrelation of each column of a series (N, C) falls below 1/e, at least 1; NaN is taken
    as the mean. N where it never does, 1 for a channel that stands still."""
    rows = len(series)
    centred = np.nan_to_num(series - _mean(series))
    spectrum = np.abs(np.fft.rfft(centred, 2 * rows, axis=0)) ** 2
    correlation = np.fft.irfft(spectrum, axis=0)[:rows]
    below = correlation <= correlation[0] / np.e
    below[0] = correlation[0] <= 0
    return np.where(below.any(axis=0), np.maximum(below.argmax(axis=0), 1), rows).astype(np.float64)


def plan_faults(
    values: F64,
    residual: F64,
    scales: Scales,
    count: int,
    seed: int = 0,
    lead: int = 0,
    kinds: tuple[FaultKind, ...] = KINDS,
) -> list[Fault]:
    """`count` faults for values (N, C), each to be injected by itself or in the rounds of `in_rounds`.

    `residual` (N, C) is the highway's (NaN where there is none), for its memory; no fault starts before row `lead`,
    where a detector still warms up. Kinds and channels take turns in random order; kinds that need a moving channel
    skip those that stand still, and a single channel is swapped with none. Raises ValueError where the rows are too
    few for any fault.
    """
    rows, channels = values.shape
    if rows - lead < 2 * LEAST_ROWS:
        raise ValueError(f"{rows - lead} rows for faults, needed are {2 * LEAST_ROWS}")
    rng = np.random.default_rng(seed)
    memory = Memory(memory_rows(values), memory_rows(residual))
    moving = np.flatnonzero(moves(values))
    turns = {kind: _turns(moving if kind in MOVED else np.arange(channels), count, rng) for kind in kinds}
    possible = [kind for kind in kinds if len(turns[kind]) and not (kind == "swap" and len(moving) < 2)]
    order = _turns(np.arange(len(possible)), count, rng)
    faults = []
    for number, turn in enumerate(order.tolist()):
        kind = possible[turn]
        channel = int(turns[kind][number // len(possible)])
        faults.append(_draw(kind, channel, values, scales, memory, moving, lead, rng))
    return faults


def in_rounds(faults: list[Fault], gap: int) -> list[list[Fault]]:
    """The faults in as few copies of the recording as simply possible: within a round none is nearer to another than
    `gap` rows, so that a detector can settle between them."""
    rounds: list[list[Fault]] = []
    for fault in sorted(faults, key=lambda fault: fault.start):
        free = next((group for group in rounds if group[-1].stop + gap <= fault.start), None)
        if free is None:
            rounds.append([fault])
        else:
            free.append(fault)
    return rounds


def length_range(memory: Memory, channel: int, rows: int) -> tuple[float, float]:
    """Shortest and longest fault of a channel in so many rows."""
    longest = max(MOST_SHARE * rows, LEAST_ROWS)
    return min(max(FEW * memory.residual[channel], LEAST_ROWS), longest), longest


def size_range(kind: FaultKind, channel: int, scales: Scales, memory: Memory, rows: int) -> tuple[float, float]:
    """Smallest and largest size of a fault that lasts so many rows, from hopeless to plain."""
    if kind == "stuck":
        return 1.0, 1.0
    if kind in ("gain", "swap", "decoupled"):
        return LEAST_SHARE, 1.0
    if kind == "delay":
        return 1.0, max(min(FEW * memory.values[channel], rows / 2), 1.0)
    if kind == "noise":
        return DOUBTFUL, LOUDEST
    return DOUBTFUL, max(PLAIN, PLAIN_SCALES * scales.scale[channel] / max(scales.noise[channel], 1e-300))


def moves(values: F64) -> NDArray[np.bool_]:
    """Which channels (C,) of values (N, C) do not stand still."""
    return np.asarray(_spread(values) > 0)


def joint(readings: F64, start: int, length: int, rng: np.random.Generator, rows: int | None = None) -> int:
    """Where a piece of `length` of the readings (N,) begins that joins those before `start` without a jump: a jump
    would be found for itself, not for what follows. It lies within the first `rows`, or anywhere."""
    places = rng.integers(0, (len(readings) if rows is None else rows) - length + 1, JOINTS)
    apart = np.abs(places - start) >= min(length, (len(readings) - length) // 2)
    places = places[apart] if apart.any() else places
    miss = np.abs(readings[places] - readings[start])
    return int(places[np.argmin(np.where(np.isnan(miss), np.inf, miss))])


def _draw(
    kind: FaultKind,
    channel: int,
    values: F64,
    scales: Scales,
    memory: Memory,
    moving: Indices,
    lead: int,
    rng: np.random.Generator,
) -> Fault:
    rows = len(values)
    length = round(_log_uniform(*length_range(memory, channel, rows - lead), rng))
    start = int(rng.integers(lead, rows - length + 1))
    size = _log_uniform(*size_range(kind, channel, scales, memory, length), rng)
    slowest = min(FEW * memory.values[channel], length)
    return Fault(
        kind,
        channel,
        start,
        length,
        float(round(size)) if kind == "delay" else size,
        partner=int(rng.choice(moving[moving != channel])) if kind == "swap" else None,
        period=_log_uniform(SHORTEST_PERIOD, max(slowest, SHORTEST_PERIOD), rng) if kind == "oscillation" else 0.0,
        source=joint(values[:, channel], start, length, rng) if kind == "decoupled" else 0,
        seed=int(rng.integers(2**31)),
    )


def _turns(things: Indices, count: int, rng: np.random.Generator) -> Indices:
    """`count` of the things, each as often as any other, newly shuffled every turn."""
    if count == 0 or len(things) == 0:
        return things[:0]
    return np.concatenate([rng.permutation(things) for _ in range(-(-count // len(things)))])[:count]


def _log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high)))) if high > low else float(low)


def _mean(series: F64) -> F64:
    return np.asarray(np.nansum(series, axis=0) / np.maximum(np.isfinite(series).sum(axis=0), 1))


def _spread(series: F64) -> F64:
    return np.asarray(np.sqrt(_mean((series - _mean(series)) ** 2)))
