"""The parts of a calibration that make a threshold keep its promise: the tail of the statistic, and what an event is.

Everything about the statistic is in its logarithm: parts are fused by multiplying, drift scales it, and its tail there
is short enough to be extended.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vcedge.schema import NS_PER_S

DAY_NS = 86_400 * NS_PER_S
RELEASE = 0.8
"""Share of the threshold below which an event ends where no calibration says otherwise: hysteresis against chatter."""

MOST_LOG = 690.0
"""Logarithm of the largest threshold: what is beyond is not a number any more."""


def events_per_row(false_alarms_per_day: float, period_ns: int) -> float:
    """Events that a row may open on average for a number of false alarms a day."""
    return min(false_alarms_per_day * period_ns / DAY_NS, 0.5)


@dataclass(frozen=True)
class EventRule:
    """When rows become an event, and when it is over."""

    release: float = RELEASE
    """The event is over below this share of the threshold. A narrow statistic needs less hysteresis than a wide one."""
    min_rows: int = 1
    """So many rows in a row above the threshold open an event."""
    hold_rows: int = 0
    """So many rows below the release are waited for before it ends: what comes back within them is the same event."""


@dataclass(frozen=True)
class Tail:
    """Generalised Pareto tail of the logarithms of held-out events' peaks (peaks over threshold)."""

    start: float = 1.0
    """Value of the statistic above which peaks were taken."""
    scale: float = 0.5
    """Scale of the excess of a peak's logarithm over that of `start`."""
    shape: float = 0.0
    """Below 0 the tail has an end, at 0 it is exponential."""
    peaks: int = 0
    """Events above `start` on the held-out rows."""
    floor: float = 1.0
    """No threshold lies below it: an alarm is to be rare in time, too, however many a day are allowed."""

    def threshold(self, events_per_row: float, rows: int) -> float:
        """The value that opens so many events a row, from what so many held-out rows showed."""
        ratio = max(self.peaks / rows / events_per_row, 1.0)
        excess = math.log(ratio) if abs(self.shape) < 1e-6 else (ratio**self.shape - 1.0) / self.shape
        return max(math.exp(min(math.log(self.start) + self.scale * excess, MOST_LOG)), self.floor)


@dataclass(frozen=True)
class Usual:
    """Where the statistic usually is."""

    median: float = 1.0
    width: float = 0.5
    """Logarithm of its 90% quantile over its median."""
