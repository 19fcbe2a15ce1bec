"""Finds defects of sensors ahead of the model, so that the model does not see values of a broken sensor.

A value that is beyond its limits, or changed faster than its channel can, counts as missing; the detector imputes it.
The values of a stuck channel still reach the model, whose contribution to detecting it is measured
(docs/decisions/0020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector
from vcedge.limits import EventRule
from vcedge.runtime.stream.events import Event, EventKind, EventTracker
from vcedge.runtime.stream.score import Status
from vcedge.runtime.stream.score_names import SHARES, ScoreNames
from vcedge.runtime.stream.state import KINDS, NO_TOP, TOP_CHANNELS, Numbers, StreamState
from vcedge.schema import F64, NS_PER_S, beyond_limits

Mask = NDArray[np.bool_]
AT_ONCE = EventRule(min_rows=1)
HOLD = EventRule(min_rows=1, hold_rows=10)
"""Makes one event of a sensor that alternates between valid and invalid."""


@dataclass(frozen=True)
class Checked:
    """Holds a sample's values (C,) for the model, NaN where unusable, and the reasons as masks; None: no channel."""

    values: F64
    missing: Mask | None = None
    beyond_limits: Mask | None = None
    too_fast: Mask | None = None


def status_of(checked: Checked, *, warming: bool, stuck: bool) -> Status:
    """Return the status of a sample that was scored: the most serious one that applies."""
    if warming:
        return "warmup"
    if checked.beyond_limits is not None:
        return "limit"
    if checked.too_fast is not None:
        return "rate"
    if stuck:
        return "stuck"
    return "imputed" if checked.missing is not None else "ok"


class StuckCounter:
    """Counts how often each channel repeats its reading bit for bit; more repeats than in training are a defect."""

    def __init__(self, limits: tuple[int, ...], state: StreamState | None = None) -> None:
        """Take the number of repeats (C,) that is a defect, 0: none; and the state, by default a new one."""
        self._limits = np.array(limits)
        self._numbers = Numbers.fresh() if state is None else state.numbers
        self._last: F64 = np.full(len(limits), np.nan) if state is None else state.last
        self._repeats: NDArray[np.int64] = np.zeros(len(limits), np.int64) if state is None else state.repeats
        self._none = np.zeros(len(limits), bool)

    def push(self, values: F64, *, complete: bool = False) -> Mask:
        """Return which channels (C,) are stuck after this sample.

        A missing value neither counts nor resets the count; `complete`: no value is missing.
        """
        same = values == self._last
        if complete and not np.count_nonzero(same):  # fast path
            self._last[:] = values
            if self._numbers.any_repeats:
                self._repeats[:], self._numbers.any_repeats = 0, 0
            return self._none
        present = np.isfinite(values)
        self._repeats[:] = np.where(present, np.where(same, self._repeats + 1, 0), self._repeats)
        self._last[:] = np.where(present, values, self._last)
        self._numbers.any_repeats = int(np.count_nonzero(self._repeats) > 0)
        return np.asarray((self._limits > 0) & (self._repeats >= self._limits))

    def reset(self) -> None:
        """Reset the counts, as after a gap."""
        self._last[:] = np.nan
        self._repeats[:], self._numbers.any_repeats = 0, 0


class RateGuard:
    """Rejects values that changed faster than their channel can.

    If the next value confirms it, the change was a step of the machine and is accepted from the second row on.
    """

    def __init__(self, rates: F64, period_s: float, state: StreamState) -> None:
        """Take the largest change a second (C,), infinite if unknown."""
        self._rates, self._period_s = rates, period_s
        self._accepted, self._rejected, self._times = state.accepted, state.rejected, state.accepted_ns

    def push(self, time_ns: int, values: F64) -> Mask | None:
        """Return the channels (C,) that changed too fast; None: no channel."""
        reach = self._rates * np.maximum((time_ns - self._times) / NS_PER_S, self._period_s)
        with np.errstate(invalid="ignore"):
            too_fast = np.abs(values - self._accepted) > reach
            confirmed = np.abs(values - self._rejected) <= self._rates * self._period_s
        too_fast &= ~confirmed
        present = np.isfinite(values)
        self._rejected[:] = np.where(too_fast, values, np.where(present, np.nan, self._rejected))
        accepted = present & ~too_fast
        self._accepted[:] = np.where(accepted, values, self._accepted)
        self._times[:] = np.where(accepted, time_ns, self._times)
        return too_fast if np.count_nonzero(too_fast) else None

    def reset(self) -> None:
        """Reset to the state of a new stream, as after a gap."""
        self._accepted[:] = self._rejected[:] = np.nan
        self._times[:] = 0


class SensorHealth:
    """Checks the values of one stream's samples, and tracks an event for each kind of defect."""

    def __init__(self, detector: Detector, names: ScoreNames, state: StreamState) -> None:
        schema = detector.schema
        self._low, self._high = schema.limits()
        rates = schema.rates()
        self._rates = RateGuard(rates, schema.period_ns / NS_PER_S, state) if np.isfinite(rates).any() else None
        self._stuck = StuckCounter(detector.calibration.stuck_rows, state)
        self._numbers, self._missing_rows = state.numbers, state.missing_rows
        self._dropout_rows = max(1, -(-schema.max_gap_ns // schema.period_ns))
        self._trackers: dict[EventKind, EventTracker] = {
            kind: EventTracker(kind, AT_ONCE if kind == "stuck" else HOLD, record, names.top)
            for kind, record in zip(KINDS, state.numbers.events, strict=True)
            if kind not in ("anomaly", "range")
        }

    def check(self, time_ns: int, values: F64) -> Checked:
        """Return the values of a sample (C,) that the model may see."""
        beyond = None
        if np.count_nonzero((values >= self._low) & (values <= self._high)) < len(values):
            beyond = beyond_limits(values, self._low, self._high)
            values = np.where(beyond | ~np.isfinite(values), np.nan, values)
        elif self._rates is None:
            return Checked(values)  # fast path
        too_fast = None if self._rates is None else self._rates.push(time_ns, values)
        if too_fast is not None:
            values = np.where(too_fast, np.nan, values)
        missing = None if beyond is None and too_fast is None else np.isnan(values)
        return Checked(values, missing, None if beyond is None or not beyond.any() else beyond, too_fast)

    def push(self, time_ns: int, checked: Checked) -> tuple[Mask | None, list[Event]]:
        """Follow a sample that the model sees; return the stuck channels (C,), None: none, and events to publish."""
        found_stuck = self._stuck.push(checked.values, complete=checked.missing is None)
        stuck = found_stuck if np.count_nonzero(found_stuck) else None
        if stuck is None and checked.missing is None and not self._numbers.any_defect:
            return None, []  # fast path
        silent = self._silent(checked)
        found: tuple[tuple[EventKind, Mask | None], ...] = (
            ("stuck", stuck),
            ("limit", checked.beyond_limits),
            ("rate", checked.too_fast),
            ("dropout", silent),
            ("clock", None),
        )
        events = [self._track(kind, time_ns, mask) for kind, mask in found]
        an_event = any(tracker.is_open for tracker in self._trackers.values())
        self._numbers.any_defect = int(an_event or bool(self._missing_rows.any()))
        return stuck, [event for event in events if event is not None]

    def push_stale(self, time_ns: int, checked: Checked) -> list[Event]:
        """Follow a sample without a usable value, which the model does not see; return events to publish."""
        self._numbers.any_defect = 1
        silent = self._silent(checked)
        found: tuple[tuple[EventKind, Mask | None], ...] = (
            ("limit", checked.beyond_limits),
            ("rate", checked.too_fast),
            ("dropout", silent),
            ("clock", None),
        )
        events = [self._track(kind, time_ns, mask) for kind, mask in found]
        return [event for event in events if event is not None]

    def push_clock_error(self, time_ns: int) -> list[Event]:
        """Follow a sample whose time is wrong; `time_ns` is the last valid one. Return events to publish."""
        self._numbers.any_defect = 1
        event = self._trackers["clock"].push(time_ns, 1.0, 0.5)
        return [] if event is None else [event]

    def push_inhibited(self, time_ns: int) -> list[Event]:
        """Follow an inhibited sample, of which only the time counts; return events to publish."""
        event = self._track("clock", time_ns, None) if self._numbers.any_defect else None
        return [] if event is None else [event]

    def close(self, time_ns: int) -> list[Event]:
        """End the events of sensors but not that of the clock, as at a gap; return them."""
        events = [tracker.close(time_ns) for kind, tracker in self._trackers.items() if kind != "clock"]
        return [event for event in events if event is not None]

    def reset(self) -> None:
        """Reset all but the events, as after a gap."""
        self._stuck.reset()
        self._missing_rows[:] = 0
        if self._rates is not None:
            self._rates.reset()

    def rules(self) -> dict[str, float]:
        """Return the constants of the kernel, by their names in kernel/stream/rows.h."""
        return {"checks_rates": self._rates is not None, "dropout_rows": self._dropout_rows}

    @property
    def holds(self) -> list[int]:
        """`EventRule.hold_rows` of each kind of defect, in the order of the trackers."""
        return [tracker.rule.hold_rows for tracker in self._trackers.values()]

    def _silent(self, checked: Checked) -> Mask | None:
        """Return which channels (C,) have been silent for as long as a gap; None: none."""
        if checked.missing is None:
            self._missing_rows[:] = 0
            return None
        absent = checked.missing if checked.beyond_limits is None else checked.missing & ~checked.beyond_limits
        self._missing_rows[:] = np.where(absent, self._missing_rows + 1, 0)
        dropped = np.asarray(self._missing_rows >= self._dropout_rows)
        return dropped if np.count_nonzero(dropped) else None

    def _track(self, kind: EventKind, time_ns: int, mask: Mask | None) -> Event | None:
        tracker = self._trackers[kind]
        if mask is None:
            return tracker.push(time_ns, 0.0, 0.5) if tracker.is_open else None
        codes = [SHARES * int(i) + 100 for i in np.flatnonzero(mask)[:TOP_CHANNELS]]
        return tracker.push(time_ns, 1.0, 0.5, (*codes, *NO_TOP[len(codes) :]))
