"""Watches for values beyond all that a channel showed in training, and tracks one event of the kind `range`.

The statistic plays no part: a value beyond its range is news by itself. A channel joins the event once it is beyond its
range by more than its margin on two rows in a row; the event lasts while a channel that joined it is beyond by more
than half of its margin, and HOLD_ROWS rows longer. Afterwards the range that was shown is known: the channel joins
another event only beyond it, or after FORGET_S and FORGET_ROWS within its range in training.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector
from vcedge.limits import EventRule
from vcedge.runtime.stream.events import Event, EventTracker, TopCodes
from vcedge.runtime.stream.range_text import range_text
from vcedge.runtime.stream.score_names import ScoreNames, leading_channels
from vcedge.runtime.stream.state import KINDS, NO_TOP, StreamState
from vcedge.schema import F64, NS_PER_S

Mask = NDArray[np.bool_]
HOLD_ROWS = 5
"""Number of rows within the range before an event ends."""
FORGET_S, FORGET_ROWS = 3600.0, 100
"""Least time and rows within its range in training after which the same excursion of a channel is news again: at most
24 events a day, or one in 100 rows."""
CANDIDATE, JOINED = -2, -1
"""Values of `StreamState.range_rows`: beyond range and margin on the last row; part of the open event."""
KIND = KINDS.index("range")


class RangeWatch:
    """Tracks the `range` event of one stream. Its peak and shares are in standard deviations beyond the range."""

    def __init__(self, detector: Detector, names: ScoreNames, state: StreamState) -> None:
        self._detector, self._seen, self._scale = detector, detector.seen, detector.features.scale
        self._forget_rows = max(FORGET_ROWS, round(FORGET_S * NS_PER_S / detector.schema.period_ns))
        self._inner_low = self._seen.low - 0.5 * self._seen.margin_low
        self._inner_high = self._seen.high + 0.5 * self._seen.margin_high
        self._numbers, self._record = state.numbers, state.numbers.events[KIND]
        self._low, self._high, self._rows = state.range_low, state.range_high, state.range_rows
        self._tracker = EventTracker("range", EventRule(min_rows=1, hold_rows=HOLD_ROWS), self._record, names.top)

    @property
    def open(self) -> Event | None:
        """The open event, as it was last published, with the range that it has shown by now."""
        return self._worded(self._tracker.open)

    def push(self, time_ns: int, values: F64) -> Event | None:
        """Follow a row of values (C,), NaN where unusable; return the event to publish, if any."""
        beyond = (values > self._inner_high) | (values < self._inner_low)
        if not self._numbers.range_active and not np.count_nonzero(beyond):
            return None  # fast path
        outside = (values > self._high + self._seen.margin_high) | (values < self._low - self._seen.margin_low)
        joins = outside & (self._rows == CANDIDATE)
        self._rows[joins] = JOINED
        lasting = beyond & (self._rows == JOINED)
        value, top = self._excess(values, lasting)
        self._low[lasting] = np.minimum(self._low, values)[lasting]
        self._high[lasting] = np.maximum(self._high, values)[lasting]
        event = self._tracker.push(time_ns, value, 0.0, top)
        if event is None and np.count_nonzero(joins):
            self._record.top[:] = top
            event = self._tracker.publish_again(time_ns)
        event = self._worded(event)
        self._count(np.isfinite(values), beyond, outside)
        return event

    def close(self, time_ns: int) -> Event | None:
        """End the open event, as at a gap; what it has shown stays known."""
        event = self._worded(self._tracker.close(time_ns))
        self._rows[self._rows < 0] = 0
        return event

    def rules(self) -> dict[str, float]:
        """Return the constants of the kernel, by their names in kernel/stream/rows.h."""
        return {"forget_rows": self._forget_rows}

    def rule_arrays(self) -> dict[str, F64]:
        """Return the arrays of the kernel's rules (C,), by their names in kernel/stream/rows.h."""
        return {
            "seen_low": self._seen.low,
            "seen_high": self._seen.high,
            "margin_low": self._seen.margin_low,
            "margin_high": self._seen.margin_high,
            "inner_low": self._inner_low,
            "inner_high": self._inner_high,
            "scale": self._scale,
        }

    def _excess(self, values: F64, lasting: Mask) -> tuple[float, TopCodes]:
        """Return the largest excess of the channels that are part of the event, and the leading ones; -1: none."""
        if not np.count_nonzero(lasting):
            return -1.0, NO_TOP
        beyond = np.maximum(values - self._seen.high, self._seen.low - values) / self._scale
        excess = np.where(lasting, beyond, 0.0)
        total = float(np.cumsum(excess)[-1])  # in order, as in the kernel
        return float(excess.max()), leading_channels(excess, total)

    def _count(self, present: Mask, beyond: Mask, outside: Mask) -> None:
        """Count the rows of each channel within its range in training, and forget what it showed if they are enough."""
        rows, seen = self._rows, self._seen
        if not self._tracker.is_open:
            rows[rows == JOINED] = 0
        widened = (self._low < seen.low) | (self._high > seen.high)
        inside = np.where(widened, np.maximum(rows, 0) + 1, 0)
        counted = np.where(outside, CANDIDATE, np.where(beyond, 0, np.where(present, inside, rows)))
        rows[:] = np.where(rows == JOINED, rows, counted)
        forgets = rows >= self._forget_rows
        if np.count_nonzero(forgets):
            self._low[forgets], self._high[forgets], rows[forgets] = seen.low[forgets], seen.high[forgets], 0
            widened &= ~forgets
        self._numbers.range_active = int(np.count_nonzero(rows) > 0 or np.count_nonzero(widened) > 0)

    def _worded(self, event: Event | None) -> Event | None:
        if event is None:
            return None
        names = [name for name, _ in event.top]
        return replace(event, text=range_text(self._detector, names, self._low, self._high))
