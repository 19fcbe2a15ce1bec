"""Measures the range of each channel in training, and how far beyond it the next rows may be expected to go."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from vcedge.calibration.split import Ranges, clip_ranges
from vcedge.schema import F64, LARGEST_READING
from vcedge.seen_range import SeenRange

BLOCKS = 8
"""Contiguous blocks of rows that are compared with each other: what one adds to the others, the next rows may add."""
GUMBEL = math.sqrt(6.0) / math.pi
"""Scale of a Gumbel distribution, that of maxima of equal blocks, over its standard deviation."""
LEAST_MARGIN = 0.05
"""Least margin, as a share of the range."""
ROUNDING = float(np.finfo(np.float32).eps)
"""Least margin, as a share of the value: files of 32-bit numbers and messages of decimal ones round differently."""
CHUNK_ROWS = 100_000


def fit_seen_range(values: F64, ranges: Ranges) -> SeenRange:
    """Return the range and margins of each channel over some rows of values (N, C), NaN where missing.

    A margin is the most by which any block of rows goes beyond the range of the others at that end, so that a channel
    that drifts has wide margins, and a cold start gives one at the lower end alone. It is at least LEAST_MARGIN of the
    range, and what only one of C further recordings would exceed if the blocks' extremes have a Gumbel distribution: of
    many channels, some exceed a narrower one soon. A channel that stood still has a margin for rounding alone, one
    without values the widest range.
    """
    borders = np.linspace(ranges[0][0], ranges[-1][1], BLOCKS + 1).astype(int).tolist()
    blocks = [_extremes(values, clip_ranges(ranges, start, stop)) for start, stop in pairwise(borders)]
    lows, highs = (np.array(ends) for ends in zip(*blocks, strict=True))
    low, high = lows.min(axis=0), highs.max(axis=0)
    known = np.isfinite(high)
    with np.errstate(invalid="ignore"):
        least = np.maximum(LEAST_MARGIN * (high - low), ROUNDING * np.maximum(np.abs(low), np.abs(high)))
        margins = [np.clip(_margin(ends), least, np.maximum(high - low, least)) for ends in (-lows, highs)]
    return SeenRange(
        np.where(known, low, -LARGEST_READING),
        np.where(known, high, LARGEST_READING),
        *(np.where(known, margin, 0.0) for margin in margins),
    )


def _margin(extremes: F64) -> F64:
    """Return the margin (C,) above the blocks' greatest values (BLOCKS, C); infinite if only one block has values."""
    second, first = np.sort(extremes, axis=0)[-2:]
    present = np.isfinite(extremes)
    count = np.maximum(present.sum(axis=0), 1)
    centred = np.where(present, extremes - np.where(present, extremes, 0.0).sum(axis=0) / count, 0.0)
    spread = np.sqrt((centred**2).sum(axis=0) / count)
    return np.asarray(np.maximum(first - second, GUMBEL * math.log(extremes.shape[1]) * spread))


def _extremes(values: F64, ranges: Ranges) -> tuple[F64, F64]:
    """Return the least and the greatest value (C,) of rows that may be on disk; infinite where there is none."""
    low, high = np.full(values.shape[1], np.inf), np.full(values.shape[1], -np.inf)
    for start, stop in ((at, min(at + CHUNK_ROWS, b)) for a, b in ranges for at in range(a, b, CHUNK_ROWS)):
        chunk = np.asarray(values[start:stop])
        present = np.isfinite(chunk)
        low = np.minimum(low, np.min(chunk, axis=0, initial=np.inf, where=present))
        high = np.maximum(high, np.max(chunk, axis=0, initial=-np.inf, where=present))
    return low, high
