"""Defects of sensors, found ahead of the model: what it must not learn from a broken sensor it does not get to see.

A value beyond its limits or one that changed faster than it can counts as missing; the detector fills it in. A channel
that stands still is passed on, for the model's part in finding it is measured, and named (docs/decisions/0020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector
from vcedge.limits import EventRule
from vcedge.runtime.stream.events import Event, EventKind, EventTracker
from vcedge.runtime.stream.score import Status
from vcedge.runtime.stream.score_block import SHARES, Words
from vcedge.runtime.stream.state import KINDS, NO_TOP, TOP_CHANNELS, Numbers, StreamState
from vcedge.schema import F64, NS_PER_S, beyond_limits

Mask = NDArray[np.bool_]
HOLD = EventRule(hold_rows=10)
"""A sensor that flickers between right and wrong is one event."""


@dataclass(frozen=True)
class Checked:
    """A sample's values as the model may see them, (C,) with NaN where unusable, and why; None: nowhere."""

    values: F64
    missing: Mask | None = None
    beyond: Mask | None = None
    leap: Mask | None = None


def status_of(checked: Checked, *, warming: bool, stuck: bool) -> Status:
    """The one status of a sample that was scored: the most serious first."""
    if warming:
        return "warmup"
    if checked.beyond is not None:
        return "limit"
    if checked.leap is not None:
        return "rate"
    if stuck:
        return "stuck"
    return "imputed" if checked.missing is not None else "ok"


class StuckCounter:
    """Counts how long each channel has stood still to the last bit; a run longer than in training is a defect."""

    def __init__(self, limits: tuple[int, ...], state: StreamState | None = None) -> None:
        """Take the longest run (C,) of each channel, 0: any; and the state to work on, by default a fresh one."""
        self._limits = np.array(limits)
        self._numbers = Numbers.fresh() if state is None else state.numbers
        self._last: F64 = np.full(len(limits), np.nan) if state is None else state.last
        self._run: NDArray[np.int64] = np.zeros(len(limits), np.int64) if state is None else state.run
        self._none = np.zeros(len(limits), bool)

    def push(self, values: F64, *, complete: bool = False) -> Mask:
        """Return which channels (C,) are stuck after this sample.

        A missing value neither counts nor resets; `complete` says that none is missing.
        """
        same = values == self._last
        if complete and not np.count_nonzero(same):  # fast path
            self._last[:] = values
            if self._numbers.standing:
                self._run[:], self._numbers.standing = 0, 0
            return self._none
        present = np.isfinite(values)
        self._run[:] = np.where(present, np.where(same, self._run + 1, 0), self._run)
        self._last[:] = np.where(present, values, self._last)
        self._numbers.standing = int(np.count_nonzero(self._run) > 0)
        return np.asarray((self._limits > 0) & (self._run >= self._limits))

    def reset(self) -> None:
        """Forget all runs, as after a gap."""
        self._last[:] = np.nan
        self._run[:], self._numbers.standing = 0, 0


class LeapGuard:
    """Finds values that changed faster than their channel can.

    One that the next value confirms was a step of the machine: from the second row on it is accepted.
    """

    def __init__(self, rates: F64, period_s: float, state: StreamState) -> None:
        """Take the largest change a second (C,), infinite where nothing is known."""
        self._rates, self._period_s = rates, period_s
        self._believed, self._refused, self._times = state.believed, state.refused, state.believed_ns

    def push(self, time_ns: int, values: F64) -> Mask | None:
        """Return where (C,) the change is too fast; None: nowhere."""
        reach = self._rates * np.maximum((time_ns - self._times) / NS_PER_S, self._period_s)
        with np.errstate(invalid="ignore"):
            leap = np.abs(values - self._believed) > reach
            confirmed = np.abs(values - self._refused) <= self._rates * self._period_s
        leap &= ~confirmed
        present = np.isfinite(values)
        self._refused[:] = np.where(leap, values, np.where(present, np.nan, self._refused))
        believed = present & ~leap
        self._believed[:] = np.where(believed, values, self._believed)
        self._times[:] = np.where(believed, time_ns, self._times)
        return leap if np.count_nonzero(leap) else None

    def reset(self) -> None:
        """Forget everything, as after a gap."""
        self._believed[:] = self._refused[:] = np.nan
        self._times[:] = 0


class SensorHealth:
    """Finds what of each sample of one stream the model may see, and an event for each kind of defect."""

    def __init__(self, detector: Detector, words: Words, state: StreamState) -> None:
        schema = detector.schema
        self._low, self._high = schema.limits()
        rates = schema.rates()
        self._leaps = LeapGuard(rates, schema.period_ns / NS_PER_S, state) if np.isfinite(rates).any() else None
        self._stuck = StuckCounter(detector.calibration.stuck_rows, state)
        self._numbers, self._absent = state.numbers, state.absent
        self._dropout_rows = max(1, -(-schema.max_gap_ns // schema.period_ns))
        self._trackers: dict[EventKind, EventTracker] = {
            kind: EventTracker(kind, EventRule() if kind == "stuck" else HOLD, record, words.top)
            for kind, record in zip(KINDS, state.numbers.events, strict=True)
            if kind != "anomaly"
        }

    def check(self, time_ns: int, values: F64) -> Checked:
        """Return what the model may see of a sample's values (C,), before it is known whether a gap ended with it."""
        beyond = None
        if np.count_nonzero((values >= self._low) & (values <= self._high)) < len(values):
            beyond = beyond_limits(values, self._low, self._high)
            values = np.where(beyond | ~np.isfinite(values), np.nan, values)
        elif self._leaps is None:
            return Checked(values)  # fast path
        leap = None if self._leaps is None else self._leaps.push(time_ns, values)
        if leap is not None:
            values = np.where(leap, np.nan, values)
        missing = None if beyond is None and leap is None else np.isnan(values)
        return Checked(values, missing, None if beyond is None or not beyond.any() else beyond, leap)

    def follow(self, time_ns: int, checked: Checked) -> tuple[Mask | None, list[Event]]:
        """Follow a sample that the model sees; return the stuck channels (C,), None: none, and events that changed."""
        stopped = self._stuck.push(checked.values, complete=checked.missing is None)
        stuck = stopped if np.count_nonzero(stopped) else None
        if stuck is None and checked.missing is None and not self._numbers.defects:
            return None, []  # fast path
        absent = self._absences(checked)
        found: tuple[tuple[EventKind, Mask | None], ...] = (
            ("stuck", stuck),
            ("limit", checked.beyond),
            ("rate", checked.leap),
            ("dropout", absent),
            ("clock", None),
        )
        events = [self._push(kind, time_ns, mask) for kind, mask in found]
        an_event = any(tracker.is_open for tracker in self._trackers.values())
        self._numbers.defects = int(an_event or bool(self._absent.any()))
        return stuck, [event for event in events if event is not None]

    def blind(self, time_ns: int, checked: Checked) -> list[Event]:
        """Follow a sample of which nothing is usable, and that the model does not see."""
        self._numbers.defects = 1
        absent = self._absences(checked)
        found: tuple[tuple[EventKind, Mask | None], ...] = (
            ("limit", checked.beyond),
            ("rate", checked.leap),
            ("dropout", absent),
            ("clock", None),
        )
        events = [self._push(kind, time_ns, mask) for kind, mask in found]
        return [event for event in events if event is not None]

    def clock_wrong(self, time_ns: int) -> list[Event]:
        """Follow a sample whose time is wrong; `time_ns` is the last right one."""
        self._numbers.defects = 1
        event = self._trackers["clock"].push(time_ns, 1.0, 0.5)
        return [] if event is None else [event]

    def rest(self, time_ns: int) -> list[Event]:
        """Follow a sample that the model does not see, of a machine that stands: only its time counts."""
        event = self._push("clock", time_ns, None) if self._numbers.defects else None
        return [] if event is None else [event]

    def close(self, time_ns: int) -> list[Event]:
        """End the events of sensors, as when the stream is cut by a gap. That of the clock goes on."""
        events = [tracker.close(time_ns) for kind, tracker in self._trackers.items() if kind != "clock"]
        return [event for event in events if event is not None]

    def reset(self) -> None:
        """Forget what the sensors did, as after a gap."""
        self._stuck.reset()
        self._absent[:] = 0
        if self._leaps is not None:
            self._leaps.reset()

    def rules(self) -> dict[str, float]:
        """Return the constants that the kernel needs, by the names in kernel/stream/rows.h."""
        return {"leaps": self._leaps is not None, "dropout_rows": self._dropout_rows}

    @property
    def holds(self) -> list[int]:
        """Rows that are waited for before an event of each kind but the anomaly ends."""
        return [tracker.rule.hold_rows for tracker in self._trackers.values()]

    def _absences(self, checked: Checked) -> Mask | None:
        """Return which channels (C,) have been silent for as long as a gap; None: none."""
        if checked.missing is None:
            self._absent[:] = 0
            return None
        silent = checked.missing if checked.beyond is None else checked.missing & ~checked.beyond
        self._absent[:] = np.where(silent, self._absent + 1, 0)
        dropped = np.asarray(self._absent >= self._dropout_rows)
        return dropped if np.count_nonzero(dropped) else None

    def _push(self, kind: EventKind, time_ns: int, mask: Mask | None) -> Event | None:
        tracker = self._trackers[kind]
        if mask is None:
            return tracker.push(time_ns, 0.0, 0.5) if tracker.is_open else None
        codes = [SHARES * int(i) + 100 for i in np.flatnonzero(mask)[:TOP_CHANNELS]]
        return tracker.push(time_ns, 1.0, 0.5, (*codes, *NO_TOP[len(codes) :]))
