"""Whether a sample's time continues its stream: clocks of machines jump, and a wrong one must not stop the watch.

A stream's time is that of its own samples; there is no other clock. A single sample from the far future, or from 1970,
changes nothing. A clock that was set anew is believed once CONFIRM samples in a row agree with each other, and
the stream starts afresh there.
"""

from __future__ import annotations

from enum import Enum

from vcedge.limits import DAY_NS
from vcedge.runtime.stream.state import NEVER, Numbers
from vcedge.schema import NS_PER_S, SensorSchema

CONFIRM = 3
"""Samples in a row that agree with each other make a doubtful time the new one."""
FAR_NS = DAY_NS
"""A longer jump ahead is doubted before it is believed. (A shorter one is a pause at once.)"""
LATE_NS = 600 * NS_PER_S
LATE_PERIODS = 100
"""A sample that is late by less is late or a duplicate, and nothing is concluded: senders deliver again what was not
acknowledged. So a clock that is set back by less leaves the stream unwatched for that time, and no longer."""


def far_ns(schema: SensorSchema) -> int:
    """A jump ahead by more is doubted."""
    return max(FAR_NS, 10 * schema.max_gap_ns)


def late_ns(schema: SensorSchema) -> int:
    """A sample that is behind the last one by more is doubted rather than late."""
    return max(LATE_NS, LATE_PERIODS * schema.period_ns, schema.max_gap_ns)


class Verdict(Enum):
    """What a sample's time means for its stream."""

    NEXT = 1
    """Later than the last one."""
    ANEW = 2
    """Accepted, but not as a continuation: the clock was set, or had been wrong before."""
    LATE = 3
    """Not later than the last one by little: late, or a duplicate."""
    WILD = 4
    """Far from the last one, or before 1970: not believed so far."""


class Timeline:
    """Judges the times of one stream's samples; times in nanoseconds since 1970."""

    def __init__(self, schema: SensorSchema, numbers: Numbers | None = None) -> None:
        self._gap_ns = schema.max_gap_ns
        self._far_ns, self._late_ns = far_ns(schema), late_ns(schema)
        self._numbers = numbers or Numbers.fresh()

    @property
    def last_ns(self) -> int | None:
        """Time of the last accepted sample; None before the first."""
        return None if self._numbers.last_ns == NEVER else self._numbers.last_ns

    @property
    def wrong(self) -> int:
        """Samples in a row that were not accepted."""
        return self._numbers.wrong

    @property
    def steady(self) -> bool:
        """Whether nothing is doubted and no pause was just now: `push` of a time within a gap of the last is NEXT."""
        numbers = self._numbers
        return numbers.last_ns != NEVER and numbers.before_ns == NEVER and numbers.wrong == 0

    def push(self, time_ns: int) -> Verdict:
        """Return the verdict on the next sample. LATE and WILD ones are to change nothing but this state."""
        numbers = self._numbers
        last_ns = numbers.last_ns
        if last_ns == NEVER and time_ns >= 0:
            return self._accept(time_ns, Verdict.NEXT)
        step_ns = time_ns - max(last_ns, 0)
        if 0 < step_ns <= self._far_ns and time_ns >= 0:
            if step_ns > self._gap_ns:
                numbers.before_ns, numbers.since = last_ns, 0
            elif numbers.before_ns != NEVER:
                numbers.since += 1
                if numbers.since >= CONFIRM:
                    numbers.before_ns = NEVER
            return self._accept(time_ns, Verdict.NEXT)
        if numbers.before_ns != NEVER and numbers.before_ns < time_ns <= last_ns:
            numbers.before_ns = NEVER  # it follows what was before the pause: there was none, but a wrong clock
            return self._accept(time_ns, Verdict.ANEW)
        return self._doubt(time_ns, step_ns)

    def _doubt(self, time_ns: int, step_ns: int) -> Verdict:
        numbers = self._numbers
        numbers.wrong += 1
        if time_ns < 0:
            return Verdict.WILD
        if -self._late_ns <= step_ns <= 0:
            return Verdict.LATE
        agrees = numbers.doubt_ns != NEVER and 0 < time_ns - numbers.doubt_ns <= self._gap_ns
        numbers.doubts = numbers.doubts + 1 if agrees else 1
        numbers.doubt_ns = time_ns
        if numbers.doubts < CONFIRM:
            return Verdict.WILD
        numbers.before_ns = NEVER
        return self._accept(time_ns, Verdict.ANEW)

    def _accept(self, time_ns: int, verdict: Verdict) -> Verdict:
        numbers = self._numbers
        numbers.last_ns, numbers.doubt_ns = time_ns, NEVER
        numbers.doubts = numbers.wrong = 0
        return verdict
