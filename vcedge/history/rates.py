"""Determines how fast each channel can change: as configured, or from the fastest change in the recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vcedge.config.train import ChannelConfig
from vcedge.schema import F64, NS_PER_S, Channel

RATE_FACTOR = 10.0
"""A change this many times faster than the fastest in normal operation is a sensor defect."""


def with_rates(
    channels: Sequence[Channel],
    settings: Sequence[ChannelConfig],
    time_ns: NDArray[np.int64],
    values: F64,
    sequences: Sequence[tuple[int, int]],
) -> tuple[Channel, ...]:
    """Return the channels with their configured rates; `auto` rates are measured on times (N,) and values (N, C)."""
    wanted = {setting.name: setting.rate for setting in settings}
    result = []
    for column, channel in enumerate(channels):
        rate = wanted.get(channel.name)
        if rate == "auto":
            rate = max((_fastest(time_ns[a:b], values[a:b, column]) for a, b in sequences), default=0.0) * RATE_FACTOR
        result.append(replace(channel, rate=float(rate) if rate else None))
    return tuple(result)


def _fastest(time_ns: NDArray[np.int64], values: F64) -> float:
    """Return the fastest change a second between two present values of (N,); 0 without any."""
    present = np.isfinite(values)
    seconds = np.diff(time_ns[present]) / NS_PER_S
    return float((np.abs(np.diff(values[present])) / seconds).max(initial=0.0))
