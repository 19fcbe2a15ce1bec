"""Words a `range` event: "BearingTemperature 51.6 °C, never above 42.8 in training"."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vcedge.detector import Detector
from vcedge.schema import F64

STEPS = 100
"""Values are rounded to the decimal that divides the range in training into at least so many steps."""
EXCESS_STEPS = 1000
"""Steps of the excess, where the range is much narrower, as that of a channel that stood still."""
MOST_DIGITS = 15
"""Digits of a number; a double has hardly more."""


def range_text(detector: Detector, channels: Sequence[str], low: F64, high: F64) -> str:
    """Return a sentence on some channels that went beyond what they showed in training, to `low` and `high` (C,)."""
    if not channels:
        return "many channels beyond all that they showed in training"
    names = detector.schema.names
    parts = [_channel_text(detector, names.index(name), low, high) for name in channels]
    return f"{'; '.join(parts)} in training"


def _channel_text(detector: Detector, c: int, low: F64, high: F64) -> str:
    channel, seen = detector.schema.channels[c], detector.seen
    least, greatest = float(seen.low[c]), float(seen.high[c])
    above, below = float(high[c]) - greatest, least - float(low[c])
    value, bound, words = (float(high[c]), greatest, "above") if above >= below else (float(low[c]), least, "below")
    words = "always" if least == greatest else f"never {words}"
    step = max((greatest - least) / STEPS, max(above, below) / EXCESS_STEPS)
    unit = f" {channel.unit}" if channel.unit else ""
    return f"{channel.name} {_rounded(value, step)}{unit}, {words} {_rounded(bound, step)}"


def _rounded(value: float, step: float) -> str:
    """Return a number with as many decimals as a step has."""
    decimals = max(0, math.ceil(-math.log10(step))) if step > 0 else 0
    rounded = round(value, decimals)
    digits = decimals + math.floor(math.log10(abs(rounded))) + 1 if rounded else 1
    return f"{rounded + 0.0:.{min(digits, MOST_DIGITS)}g}"
