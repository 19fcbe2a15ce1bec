"""Defects of sensors, found ahead of the model: what it must not learn from a broken sensor it does not get to see.

A value beyond its limits or one that changed faster than it can counts as missing; the detector fills it in. A channel
that stands still is passed on, for the model's part in finding it is measured, and named (docs/decisions/0020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector
from vcedge.limits import EventRule
from vcedge.packed import pack, unpack
from vcedge.runtime.stream.events import Event, EventKind, EventTracker
from vcedge.runtime.stream.score import Status
from vcedge.schema import F64, NS_PER_S, beyond_limits

Mask = NDArray[np.bool_]
TOP_CHANNELS = 3
HOLD = EventRule(hold_rows=10)
"""A sensor that flickers between right and wrong is one event."""


@dataclass(frozen=True)
class Checked:
    """A sample's values as the model may see them, (C,) with NaN where unusable, and why; None: nowhere."""

    values: F64
    missing: Mask | None = None
    beyond: Mask | None = None
    leap: Mask | None = None


def status_of(checked: Checked, warming: bool, stuck: bool) -> Status:
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

    def __init__(self, limits: tuple[int, ...]) -> None:
        self._limits = np.array(limits)
        self._last: F64 = np.full(len(limits), np.nan)
        self._run = np.zeros(len(limits), np.int64)
        self._moving = True
        """Whether all runs are 0."""
        self._none = np.zeros(len(limits), bool)

    def push(self, values: F64, whole: bool = False) -> Mask:
        """Which channels (C,) are stuck after this sample. A missing value neither counts nor resets; `whole` says that
        none is missing.
        """
        same = values == self._last
        if whole and not np.count_nonzero(same):  # the usual row, and so a quick one
            self._last[:] = values
            if not self._moving:
                self._run[:], self._moving = 0, True
            return self._none
        present = np.isfinite(values)
        self._run[:] = np.where(present, np.where(same, self._run + 1, 0), self._run)
        self._last[:] = np.where(present, values, self._last)
        self._moving = False
        return np.asarray((self._limits > 0) & (self._run >= self._limits))

    def reset(self) -> None:
        """Forget all runs, as after a gap."""
        self._last[:] = np.nan
        self._run[:], self._moving = 0, True

    def snapshot(self) -> dict[str, Any]:
        """The memory as JSON values; `restore` is the inverse."""
        return {"last": pack(self._last), "run": pack(self._run)}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot of as many channels. Raises DataError for another one's."""
        self._last, self._run = unpack(snapshot["last"], self._last), unpack(snapshot["run"], self._run)
        self._moving = False  # all runs may be 0, and are then found to be


class LeapGuard:
    """Finds values that changed faster than their channel can.

    One that the next value confirms was a step of the machine: from the second row on it is believed.
    """

    def __init__(self, rates: F64, period_s: float) -> None:
        """`rates` (C,): the largest change a second; infinite where nothing is known."""
        self._rates, self._period_s = rates, period_s
        self._last: F64 = np.full(len(rates), np.nan)
        self._refused: F64 = np.full(len(rates), np.nan)
        """The last value where it was not believed, else NaN."""
        self._times = np.zeros(len(rates), np.int64)
        """When the last believed values came, in nanoseconds since 1970."""

    def push(self, time_ns: int, values: F64) -> Mask | None:
        """Where (C,) the change is too fast; None: nowhere."""
        reach = self._rates * np.maximum((time_ns - self._times) / NS_PER_S, self._period_s)
        with np.errstate(invalid="ignore"):
            leap = np.abs(values - self._last) > reach
            confirmed = np.abs(values - self._refused) <= self._rates * self._period_s
        leap &= ~confirmed
        present = np.isfinite(values)
        self._refused = np.where(leap, values, np.where(present, np.nan, self._refused))
        believed = present & ~leap
        self._last = np.where(believed, values, self._last)
        self._times = np.where(believed, time_ns, self._times)
        return leap if np.count_nonzero(leap) else None

    def reset(self) -> None:
        """Forget everything, as after a gap."""
        self._last[:], self._refused[:], self._times[:] = np.nan, np.nan, 0

    def snapshot(self) -> dict[str, Any]:
        """The memory as JSON values; `restore` is the inverse."""
        return {"last": pack(self._last), "refused": pack(self._refused), "times": pack(self._times)}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot of as many channels. Raises DataError for another one's."""
        self._last = unpack(snapshot["last"], self._last)
        self._refused = unpack(snapshot["refused"], self._refused)
        self._times = unpack(snapshot["times"], self._times)


class SensorHealth:
    """Of one stream: what of each sample the model may see, and an event for each kind of defect."""

    def __init__(self, detector: Detector) -> None:
        schema, channels = detector.schema, detector.channels
        self._names = schema.names
        self._low, self._high = schema.limits()
        rates = schema.rates()
        self._leaps = LeapGuard(rates, schema.period_ns / NS_PER_S) if np.isfinite(rates).any() else None
        self._stuck = StuckCounter(detector.calibration.stuck_rows)
        self._absent = np.zeros(channels, np.int64)
        """Rows in a row without a value of each channel."""
        self._dropout_rows = max(1, -(-schema.max_gap_ns // schema.period_ns))
        kinds: tuple[EventKind, ...] = ("stuck", "limit", "rate", "dropout", "clock")
        self._events = {kind: EventTracker(kind, EventRule() if kind == "stuck" else HOLD) for kind in kinds}
        self._calm = True
        """Whether no defect is remembered: no event open, no channel absent."""

    def check(self, time_ns: int, values: F64) -> Checked:
        """What the model may see of a sample's values (C,), before it is known whether a gap ended with it."""
        beyond = None
        if np.count_nonzero((values >= self._low) & (values <= self._high)) < len(values):
            beyond = beyond_limits(values, self._low, self._high)
            values = np.where(beyond | ~np.isfinite(values), np.nan, values)
        elif self._leaps is None:
            return Checked(values)  # the usual row, and so a quick one
        leap = None if self._leaps is None else self._leaps.push(time_ns, values)
        if leap is not None:
            values = np.where(leap, np.nan, values)
        missing = None if beyond is None and leap is None else np.isnan(values)
        return Checked(values, missing, None if beyond is None or not beyond.any() else beyond, leap)

    def follow(self, time_ns: int, checked: Checked) -> tuple[Mask | None, list[Event]]:
        """After a sample that the model sees: the stuck channels (C,), None: none, and what changed of the events."""
        stopped = self._stuck.push(checked.values, checked.missing is None)
        stuck = stopped if np.count_nonzero(stopped) else None
        if stuck is None and checked.missing is None and self._calm:
            return None, []  # the usual row
        absent = self._absences(checked)
        found: tuple[tuple[EventKind, Mask | None], ...] = (
            ("stuck", stuck),
            ("limit", checked.beyond),
            ("rate", checked.leap),
            ("dropout", absent),
        )
        events = [self._push(kind, time_ns, mask) for kind, mask in found]
        events.append(self._push("clock", time_ns, None))
        self._calm = not self._absent.any() and not any(tracker.is_open for tracker in self._events.values())
        return stuck, [event for event in events if event is not None]

    def blind(self, time_ns: int, checked: Checked) -> list[Event]:
        """A sample of which nothing is usable, and that the model does not see: what it lacks is remembered."""
        self._calm = False
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
        """A sample whose time is wrong; `time_ns` is the last right one."""
        self._calm = False
        event = self._events["clock"].push(time_ns, 1.0, 0.5, ())
        return [] if event is None else [event]

    def rest(self, time_ns: int) -> list[Event]:
        """A sample that the model does not see, of a machine that stands: only its time counts."""
        event = None if self._calm else self._push("clock", time_ns, None)
        return [] if event is None else [event]

    def close(self, time_ns: int) -> list[Event]:
        """End the events of sensors, as when the stream is cut by a gap. That of the clock goes on."""
        events = [tracker.close(time_ns) for kind, tracker in self._events.items() if kind != "clock"]
        return [event for event in events if event is not None]

    def reset(self) -> None:
        """Forget what the sensors did, as after a gap."""
        self._stuck.reset()
        self._absent[:] = 0
        if self._leaps is not None:
            self._leaps.reset()

    def snapshot(self) -> dict[str, Any]:
        """The memory as JSON values; `restore` is the inverse."""
        return {
            "stuck": self._stuck.snapshot(),
            "leaps": None if self._leaps is None else self._leaps.snapshot(),
            "absent": pack(self._absent),
            "events": {kind: tracker.snapshot() for kind, tracker in self._events.items()},
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot of the same model. Raises DataError or KeyError for another one's."""
        self._stuck.restore(snapshot["stuck"])
        if self._leaps is not None:
            self._leaps.restore(snapshot["leaps"])
        self._absent = unpack(snapshot["absent"], self._absent)
        for kind, tracker in self._events.items():
            tracker.restore(snapshot["events"][kind])
        self._calm = False  # it may be calm, and is then found to be

    def _absences(self, checked: Checked) -> Mask | None:
        """Which channels (C,) have been silent for as long as a gap; None: none."""
        if checked.missing is None:
            self._absent[:] = 0
            return None
        silent = checked.missing if checked.beyond is None else checked.missing & ~checked.beyond
        self._absent[:] = np.where(silent, self._absent + 1, 0)
        dropped = np.asarray(self._absent >= self._dropout_rows)
        return dropped if np.count_nonzero(dropped) else None

    def _push(self, kind: EventKind, time_ns: int, mask: Mask | None) -> Event | None:
        tracker = self._events[kind]
        if mask is None:
            return tracker.push(time_ns, 0.0, 0.5, ()) if tracker.is_open else None
        names = tuple((self._names[i], 1.0) for i in np.flatnonzero(mask)[:TOP_CHANNELS])
        return tracker.push(time_ns, 1.0, 0.5, names)
