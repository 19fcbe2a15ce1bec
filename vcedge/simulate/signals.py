"""The few filters that the rig is made of: lags, limited rates, coloured noise, soft edges.

Each is a plain loop over Python floats: exact for coefficients that change from row to row, and 86,400 rows
take some 10 ms, so nothing faster is needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vcedge.schema import F64


def lag(target: F64, tau_s: F64 | float, period_s: float, initial: float) -> F64:
    """First-order lag behind `target` (N,), with a time constant that may change, scalar or (N,).

    Exact for a target that is constant within each period: a step is followed by 63.2% of it after `tau_s`.
    """
    shares = np.broadcast_to(-np.expm1(-period_s / np.asarray(tau_s, np.float64)), target.shape)
    state = initial
    out = []
    for goal, share in zip(target.tolist(), shares.tolist(), strict=True):
        state += share * (goal - state)
        out.append(state)
    return np.array(out, np.float64)


def limit_rate(target: F64, per_s: float, period_s: float, initial: float) -> F64:
    """`target` (N,) followed by at most `per_s` units a second, as drives and valve actuators do."""
    step = per_s * period_s
    state = initial
    out = []
    for goal in target.tolist():
        state += min(max(goal - state, -step), step)
        out.append(state)
    return np.array(out, np.float64)


def coloured(white: F64, tau_s: float, period_s: float) -> F64:
    """Noise (N,) of unit variance that forgets itself within `tau_s`, made from unit white noise (N,)."""
    keep = float(np.exp(-period_s / tau_s))
    fresh = float(np.sqrt(1.0 - keep * keep))
    state = float(white[0]) if white.size else 0.0
    out = []
    for value in white.tolist():
        state = keep * state + fresh * value
        out.append(state)
    return np.array(out, np.float64)


def window(rows: int, start: int, stop: int, edge: int) -> F64:
    """(rows,) that is 1 within [start, stop) and 0 outside, with straight edges of `edge` rows inside it."""
    index = np.arange(rows, dtype=np.float64)
    rising = (index - start + 1) / max(edge, 1)
    falling = (stop - index) / max(edge, 1)
    return np.asarray(np.clip(np.minimum(rising, falling), 0.0, 1.0))


def hold(segments: Sequence[tuple[int, float]], rows: int) -> F64:
    """A staircase (rows,): each (first row, value) holds until the next one's first row."""
    starts = np.array([first for first, _ in segments])
    values = np.array([value for _, value in segments], np.float64)
    return values[np.searchsorted(starts, np.arange(rows), side="right") - 1]
