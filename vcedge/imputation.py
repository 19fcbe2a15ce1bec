"""Replaces missing values of rows in memory; the engines do the same sample by sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vcedge.schema import F64


def hold_last(values: F64, missing: NDArray[np.bool_], initial: float) -> F64:
    """Return `values` (N, ...) with each missing one replaced by the last value before it, or by `initial`."""
    rows = np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
    last = np.where(missing, 0, rows)  # (N, ...) source row of each value
    np.maximum.accumulate(last, axis=0, out=last)
    held = np.take_along_axis(values, last, axis=0)
    if missing[:1].any():
        held[(last == 0) & missing[0]] = initial
    return held
