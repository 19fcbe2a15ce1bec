"""Fits lines that map the logarithm of a reading to nats: its median to ln 2, its 99% quantile to ln 100."""

from __future__ import annotations

import numpy as np

from vcedge.schema import F64
from vcedge.scorer import HIGH_NATS, LEAST_DISTANCE, LOW_NATS, Line

LEAST_WIDTH = 0.05
"""Least distance of the logarithms of median and 99% quantile."""
FEW_ROWS = 3.0
"""A line gets flatter by this many spans over rows: a long mean has few independent values."""
NORMAL_WIDTH = 2.33
"""99% quantile of the normal distribution, in standard deviations."""


def fit_line(reading: F64, span: float, rows: int) -> Line:
    """Fit the line of one reading (n,) that is smoothed over `span` of `rows` rows."""
    middle, high = np.quantile(np.log(np.maximum(reading, LEAST_DISTANCE)), [0.5, 0.99])
    gain = (HIGH_NATS - LOW_NATS) / (max(float(high - middle), LEAST_WIDTH) * (1 + FEW_ROWS * span / rows))
    return Line(float(LOW_NATS - gain * middle), float(gain))


def fit_lines(smooth: F64, span: float) -> tuple[F64, F64]:
    """Fit intercepts and slopes (C,) of the smoothed squared errors of each channel (n, C)."""
    middle, high = np.quantile(np.log(smooth), [0.5, 0.99], axis=0)
    width = np.maximum(high - middle, NORMAL_WIDTH * np.sqrt(2 / span))
    slope = (HIGH_NATS - LOW_NATS) / (width * (1 + FEW_ROWS * span / len(smooth)))
    return LOW_NATS - slope * middle, slope
