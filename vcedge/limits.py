"""Holds the limits of a detector, and finds the threshold for a rate of false alarms.

The statistic is described by its logarithm: parts are fused by multiplying, drift scales it, and the logarithm's tail
is short enough to extrapolate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from vcedge.schema import NS_PER_S

DAY_NS = 86_400 * NS_PER_S
RELEASE = 0.8
"""Default share of the threshold below which an event ends: hysteresis against chatter."""

MOST_LOG = 690.0
"""Logarithm of the largest threshold; exp overflows soon after."""
MAX_POWER = 700.0
"""Largest exponent in the map from `raw` to a score: exp overflows just above it."""


def events_per_row(false_alarms_per_day: float, period_ns: int) -> float:
    """Return how many events a row may open on average for a number of false alarms a day."""
    return min(false_alarms_per_day * period_ns / DAY_NS, 0.5)


@dataclass(frozen=True)
class EventRule:
    """Defines when rows open an event, and when it ends."""

    release: float = RELEASE
    """Share of the threshold below which an event ends. A narrow statistic needs less hysteresis than a wide one."""
    min_rows: int = 1
    """Number of consecutive rows above the threshold that open an event."""
    hold_rows: int = 0
    """Number of rows below the release before an event ends; a return within them continues it."""


@dataclass(frozen=True)
class Promise:
    """Holds the events that the decision rule opened on normal rows it was not fitted on, by its margin."""

    margins: tuple[float, ...] = (LEAST_MARGIN,)
    """Increasing nats above the 99% quantile."""
    events: tuple[int, ...] = (0,)

    def margin(self, allowed: float) -> float:
        """Return the smallest margin with at most this many events; the one with the fewest if none has so few."""
        few = [margin for margin, count in zip(self.margins, self.events, strict=True) if count <= allowed]
        fewest = self.margins[self.events.index(min(self.events))]
        return few[0] if few else fewest

    def expected(self, margin: float) -> int:
        """Return the events with the largest listed margin that is at most this one."""
        known = [count for listed, count in zip(self.margins, self.events, strict=True) if listed <= margin + 1e-9]
        return known[-1] if known else self.events[0]


@dataclass(frozen=True)
class Calibration:
    """Holds the limits measured on held-out normal data."""

    threshold: float
    """Value of `raw` above which a row is an alarm. A stream may adapt it: `runtime.stream.adaptive_threshold`."""
    steepness: float
    """Exponent of the map from `raw` to a score in [0, 1]; the held-out median maps to 0.05."""
    surprise_limit: float
    """One-step error above which all of the hidden state is updated, whatever level the scheduler picks."""
    surprise_ticks: int
    """Number of ticks for which a surprise forces the full level."""
    warmup_rows: int
    """Number of rows after a reset that raise no alarm."""
    stuck_rows: tuple[int, ...]
    """For each channel, the longest run of equal values that is not a stuck sensor; 0 for no limit."""
    false_alarms_per_day: float
    rows: int
    """Number of held-out rows that the limits were measured on."""
    target_share: float = 1.0
    """Mean share of the hidden dimensions that may be updated; see `runtime.stream.compute_budget`."""
    usual: Usual = field(default_factory=Usual)
    tail: Tail = field(default_factory=Tail)
    events: EventRule = field(default_factory=EventRule)

    def with_false_alarms(self, false_alarms_per_day: float, period_ns: int) -> Calibration:
        """Return a calibration with the threshold that gives this many false alarms a day, by the held-out tail."""
        threshold = self.tail.threshold(events_per_row(false_alarms_per_day, period_ns), self.rows)
        return replace(self, threshold=threshold, false_alarms_per_day=false_alarms_per_day)

    def score(self, raw: float, threshold: float | None = None) -> float:
        """Return the score in [0, 1] of a statistic: 0.5 at the threshold, monotone in `raw`.

        A given `threshold` replaces the calibrated one.
        """
        limit = self.threshold if threshold is None else threshold
        if raw <= 0.0:
            return 0.0
        # the logarithm of (limit / raw) ** steepness neither overflows nor underflows
        power = self.steepness * (math.log(limit) - math.log(raw))
        return 1.0 / (1.0 + math.exp(min(max(power, -MAX_POWER), MAX_POWER)))
