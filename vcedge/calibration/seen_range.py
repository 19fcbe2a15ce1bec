"""Measures the range of each channel in training, and how far beyond it the next rows may be expected to go."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from vcedge.schema import F64, LARGEST_READING
from vcedge.seen_range import SeenRange

BLOCKS = 8
"""Contiguous blocks of rows that are compared with each other: what one adds to the others, the next rows may add."""
LEAST_MARGIN = 0.05
"""Least margin, as a share of the range: the extremes of a stationary channel grow slowly for ever."""
ROUNDING = float(np.finfo(np.float32).eps)
"""Least margin, as a share of the value: files of 32-bit numbers and messages of decimal ones round differently."""
CHUNK_ROWS = 100_000


def fit_seen_range(values: F64) -> SeenRange:
    """Return the range and margin of each channel of values (N, C), NaN where missing.

    The margin is the most by which any block of rows goes beyond the range of the others, at least LEAST_MARGIN of the
    range. So a channel that drifts has a wide margin, and no block has a value beyond range and margin of the others.
    A channel that stood still has a margin for rounding alone. A channel without values has the widest range.
    """
    borders = np.linspace(0, len(values), BLOCKS + 1).astype(int)
    lows, highs = zip(*(_extremes(values[a:b]) for a, b in pairwise(borders)), strict=True)
    high, beyond_high = _leading(np.array(highs))
    low, beyond_low = _leading(-np.array(lows))
    low = -low
    known = np.isfinite(high)
    with np.errstate(invalid="ignore"):
        width = high - low
        margin = np.minimum(np.maximum(beyond_low, beyond_high), width)
        margin = np.maximum(margin, LEAST_MARGIN * width)
        margin = np.maximum(margin, ROUNDING * np.maximum(np.abs(low), np.abs(high)))
    return SeenRange(
        np.where(known, low, -LARGEST_READING), np.where(known, high, LARGEST_READING), np.where(known, margin, 0.0)
    )


def _extremes(rows: F64) -> tuple[F64, F64]:
    """Return the least and the greatest value (C,) of rows that may be on disk; infinite where there is none."""
    low, high = np.full(rows.shape[1], np.inf), np.full(rows.shape[1], -np.inf)
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = np.asarray(rows[start : start + CHUNK_ROWS])
        present = np.isfinite(chunk)
        low = np.minimum(low, np.min(chunk, axis=0, initial=np.inf, where=present))
        high = np.maximum(high, np.max(chunk, axis=0, initial=-np.inf, where=present))
    return low, high


def _leading(extremes: F64) -> tuple[F64, F64]:
    """Return the greatest of the blocks' extremes (BLOCKS, C), and by how much it leads the second; both (C,)."""
    second, first = np.sort(extremes, axis=0)[-2:]
    with np.errstate(invalid="ignore"):
        return first, first - second
