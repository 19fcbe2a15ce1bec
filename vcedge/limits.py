"""Holds the limits of a detector: the threshold, how it follows the level of normal operation, and what it promises.

The statistic is in nats, and everything here adds to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from vcedge.schema import NS_PER_S

DAY_NS = 86_400 * NS_PER_S
RELEASE = 1.0
"""Default share of the threshold below which an event ends."""
LEAST_ROWS = 2
"""Default number of consecutive rows above the threshold that open an event: single rows are noise."""
LEAST_MARGIN = 0.1
"""Least nats between the 99% quantile of normal rows and the threshold."""
MOST_RISE = 8.0
"""Most nats that the threshold rises with the level of normal operation."""
MEMORY_PART, MEMORY_ROWS = 0.05, (200.0, 1000.0)
"""Rows over which a stream averages its level: this share of the recording, within these bounds."""
LEAST_EVENTS = 3.0
"""Events on the measured rows that are always allowed: fewer cannot be told from none."""
LASTING_PART = 0.1
"""Rows over which evidence that lasts is averaged, as a share of the memory."""
LASTING_RISE = 2.0
"""Rise of the limit of the lasting mean for a nat of the level: evidence that the level explains does not count."""
MAX_POWER = 700.0
"""Largest exponent in the map from `raw` to a score: exp overflows just above it."""


def events_per_row(false_alarms_per_day: float, period_ns: int) -> float:
    """Return how many events a row may open on average for a number of false alarms a day."""
    return min(false_alarms_per_day * period_ns / DAY_NS, 0.5)


@dataclass(frozen=True)
class EventRule:
    """Defines when rows open an event, and when it ends."""

    release: float = RELEASE
    """Share of the threshold below which an event ends."""
    min_rows: int = LEAST_ROWS
    """Number of consecutive rows above the threshold that open an event."""
    hold_rows: int = 0
    """Number of rows below the release before an event ends; a return within them continues it."""


@dataclass(frozen=True)
class Promise:
    """Holds the events that the decision rule opened on normal rows it was not fitted on, by its margin."""

    reference: float = 0.0
    """Median of the 99% quantiles of contiguous blocks of these rows; the threshold is this and a margin."""
    margins: tuple[float, ...] = (LEAST_MARGIN,)
    """Increasing nats above the reference."""
    events: tuple[int, ...] = (0,)

    def margin(self, allowed: float) -> float:
        """Return the smallest margin with at most this many events; the one with the fewest if none has so few."""
        few = [margin for margin, count in zip(self.margins, self.events, strict=True) if count <= allowed]
        return few[0] if few else self.margins[self.events.index(min(self.events))]

    def expected(self, threshold: float) -> int:
        """Return the events with the largest margin whose threshold is at most this one."""
        margin = threshold - self.reference + 1e-9
        known = [count for listed, count in zip(self.margins, self.events, strict=True) if listed <= margin]
        return known[-1] if known else self.events[0]


@dataclass(frozen=True)
class Calibration:
    """Holds the limits measured on normal data."""

    threshold: float
    """Value of `raw` above which a row is an alarm, at the level of normal operation in training. A stream adapts it:
    `runtime.stream.adaptive_threshold`."""
    steepness: float
    """Slope of the map from `raw` to a score in [0, 1]; the median maps to 0.05."""
    surprise_limit: float
    """One-step error above which all of the hidden state is updated, whatever level the scheduler picks."""
    surprise_ticks: int
    """Number of ticks for which a surprise forces the full level."""
    warmup_rows: int
    """Number of rows after a reset that raise no alarm."""
    stuck_rows: tuple[int, ...]
    """For each channel, the longest run of equal values that is not a stuck sensor; 0 for no limit."""
    false_alarms_per_day: float
    """What the threshold promises: the wanted rate, or the lowest one that the recording can show."""
    rows: int
    """Number of cross-fitted rows that the limits were measured on."""
    wanted_per_day: float = 1.0
    """Wanted rate of false alarms."""
    target_share: float = 1.0
    """Mean share of the hidden dimensions that may be updated; see `runtime.stream.compute_budget`."""
    median: float = 0.0
    """Median of `raw` on these rows."""
    memory: float = MEMORY_ROWS[0]
    """Number of rows over which a stream averages its level."""
    lasting: float = MOST_RISE
    """Limit of the slow mean of `raw`: moderate evidence that lasts is an alarm above it."""
    promise: Promise = field(default_factory=Promise)
    events: EventRule = field(default_factory=EventRule)

    def expected_false_alarms_per_day(self, period_ns: int) -> float:
        """Return the false alarms a day on the rows that the limits were measured on."""
        return self.promise.expected(self.threshold) / max(self.rows * period_ns / DAY_NS, 1e-12)

    def with_false_alarms(self, false_alarms_per_day: float, period_ns: int) -> Calibration:
        """Return a calibration with the threshold for this many false alarms a day, and what it can promise.

        No threshold is extrapolated: a rate of less than a few events on the measured rows is not promised.
        """
        allowed = max(events_per_row(false_alarms_per_day, period_ns) * self.rows, LEAST_EVENTS)
        fitted = replace(self, threshold=self.promise.reference + self.promise.margin(allowed))
        promised = (self.promise.expected(fitted.threshold) + 1) / max(self.rows * period_ns / DAY_NS, 1e-12)
        promised = max(false_alarms_per_day, promised)
        return replace(fitted, false_alarms_per_day=promised, wanted_per_day=false_alarms_per_day)

    def score(self, raw: float, threshold: float | None = None) -> float:
        """Return the score in [0, 1] of a statistic: 0.5 at the threshold, monotone in `raw`.

        A given `threshold` replaces the calibrated one.
        """
        limit = self.threshold if threshold is None else threshold
        power = self.steepness * (limit - raw)
        return 1.0 / (1.0 + math.exp(min(max(power, -MAX_POWER), MAX_POWER)))
