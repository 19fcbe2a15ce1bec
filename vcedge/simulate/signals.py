"""Implements the filters of the rig's model: lags, limited rates, coloured noise, soft edges.

Each is a plain loop over Python floats: exact for coefficients that change from row to row, and fast enough at some
10 ms for 86,400 rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vcedge.schema import F64


def lag(target: F64, tau_s: F64 | float, period_s: float, initial: float) -> F64:
    """Return the first-order lag behind `target` (N,), with a time constant that is a scalar or (N,).

    Exact for a target that is constant within each period: 63.2% of a step is reached after `tau_s`.
    """
    shares = np.broadcast_to(-np.expm1(-period_s / np.asarray(tau_s, np.float64)), target.shape)
    state = initial
    out = []
    for goal, share in zip(target.tolist(), shares.tolist(), strict=True):
        state += share * (goal - state)
        out.append(state)
    return np.array(out, np.float64)


def limit_rate(target: F64, per_s: float, period_s: float, initial: float) -> F64:
    """Return `target` (N,) followed at most `per_s` units a second, as by drives and valve actuators."""
    step = per_s * period_s
    state = initial
    out = []
    for goal in target.tolist():
        state += min(max(goal - state, -step), step)
        out.append(state)
    return np.array(out, np.float64)


def coloured(white: F64, tau_s: float, period_s: float) -> F64:
    """Return noise (N,) of unit variance with correlation time `tau_s`, made from unit white noise (N,)."""
    keep = float(np.exp(-period_s / tau_s))
    fresh = float(np.sqrt(1.0 - keep * keep))
    state = float(white[0]) if white.size else 0.0
    out = []
    for value in white.tolist():
        state = keep * state + fresh * value
        out.append(state)
    return np.array(out, np.float64)


def window(rows: int, start: int, stop: int, edge: int) -> F64:
    """Return an array (rows,) that is 1 within [start, stop) and 0 outside, with linear edges of `edge` rows inside."""
    index = np.arange(rows, dtype=np.float64)
    rising = (index - start + 1) / max(edge, 1)
    falling = (stop - index) / max(edge, 1)
    return np.asarray(np.clip(np.minimum(rising, falling), 0.0, 1.0))


def hold(segments: Sequence[tuple[int, float]], rows: int) -> F64:
    """Return a staircase (rows,): each (first row, value) holds until the next first row."""
    starts = np.array([first for first, _ in segments])
    values = np.array([value for _, value in segments], np.float64)
    return values[np.searchsorted(starts, np.arange(rows), side="right") - 1]
