"""From scores of held-out normal rows to a threshold that keeps a stated number of false alarms a day."""

from __future__ import annotations

import math

import numpy as np

from vcedge.schema import F64, NS_PER_S

TAIL_SHARE = 0.1
"""The largest tenth of the held-out statistic is what an exponential tail is fitted to."""
DAY_NS = 86_400 * NS_PER_S
MEDIAN_SCORE = 0.05
LEAST_THRESHOLD = 1e-9


def alarm_share(false_alarms_per_day: float, period_ns: int) -> float:
    """Share of normal rows above the threshold that a number of false alarms a day allows, one row an alarm."""
    return min(false_alarms_per_day * period_ns / DAY_NS, 0.5)


def tail_threshold(raw: F64, share: float) -> float:
    """The value that a share of future normal rows exceeds, from held-out rows raw (N,).

    Where the held-out rows are too few to hold such a row, the exceedances of their 90% quantile are taken as
    exponential and extended (peaks over threshold with shape 0).
    """
    if len(raw) * share >= 1:
        return max(float(np.quantile(raw, 1 - share)), LEAST_THRESHOLD)
    start = float(np.quantile(raw, 1 - TAIL_SHARE))
    excess = raw[raw > start] - start
    mean = float(excess.mean()) if len(excess) else 0.0
    extended = start + mean * math.log(TAIL_SHARE / share)
    return max(extended, float(raw.max()) * 1.01, LEAST_THRESHOLD)


def steepness(raw: F64, threshold: float) -> float:
    """Exponent of `Calibration.score` for which the held-out median maps to 0.05."""
    median = max(float(np.median(raw)), 1e-9)
    if median >= threshold:
        return 1.0
    return float(np.clip(math.log(1 / MEDIAN_SCORE - 1) / math.log(threshold / median), 0.25, 16.0))
