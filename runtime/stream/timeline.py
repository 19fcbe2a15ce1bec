"""Whether a sample's time continues its stream: clocks of machines jump, and a wrong one must not stop the watch.

A stream's time is that of its own samples; there is no other clock. A single sample from the far future, or from 1970,
changes nothing. A clock that was set anew is believed once CONFIRM samples in a row agree with each other, and
the stream starts afresh there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from vcedge.limits import DAY_NS
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


@dataclass
class Memory:
    """All that a timeline remembers, in nanoseconds since 1970."""

    last_ns: int | None = None
    """Time of the last accepted sample."""
    before_ns: int | None = None
    """Time of the last sample before a pause that the stream came out of just now."""
    since: int = 0
    """Samples since that pause."""
    doubt_ns: int | None = None
    """Time of the last sample that was not believed."""
    doubts: int = 0
    """Such samples in a row that agree with each other."""
    wrong: int = 0
    """Samples in a row that were not accepted."""


class Timeline:
    """Of one stream."""

    def __init__(self, schema: SensorSchema) -> None:
        self._gap_ns = schema.max_gap_ns
        self._far_ns, self._late_ns = far_ns(schema), late_ns(schema)
        self._memory = Memory()

    @property
    def last_ns(self) -> int | None:
        """Time of the last accepted sample; None before the first."""
        return self._memory.last_ns

    @property
    def wrong(self) -> int:
        """Samples in a row that were not accepted."""
        return self._memory.wrong

    @property
    def steady(self) -> bool:
        """Whether nothing is doubted and no pause was just now: `push` of a time within a gap of the last is NEXT."""
        memory = self._memory
        return memory.last_ns is not None and memory.before_ns is None and memory.wrong == 0

    def skip_to(self, time_ns: int) -> None:
        """The same as pushing all samples up to this one, where `steady` and no two are more than a gap apart."""
        self._memory.last_ns, self._memory.doubt_ns, self._memory.doubts = time_ns, None, 0

    def push(self, time_ns: int) -> Verdict:
        """The verdict on the next sample. LATE and WILD ones are to change nothing but this memory."""
        memory = self._memory
        if memory.last_ns is None and time_ns >= 0:
            return self._accept(time_ns, Verdict.NEXT)
        step_ns = time_ns - (memory.last_ns or 0)
        if 0 < step_ns <= self._far_ns and time_ns >= 0:
            if step_ns > self._gap_ns:
                memory.before_ns, memory.since = memory.last_ns, 0
            elif memory.before_ns is not None:
                memory.since += 1
                memory.before_ns = None if memory.since >= CONFIRM else memory.before_ns
            return self._accept(time_ns, Verdict.NEXT)
        if memory.before_ns is not None and memory.before_ns < time_ns <= (memory.last_ns or 0):
            memory.before_ns = None  # it follows what was before the pause: there was none, but a wrong clock
            return self._accept(time_ns, Verdict.ANEW)
        return self._doubt(time_ns, step_ns)

    def _doubt(self, time_ns: int, step_ns: int) -> Verdict:
        memory = self._memory
        memory.wrong += 1
        if time_ns < 0:
            return Verdict.WILD
        if -self._late_ns <= step_ns <= 0:
            return Verdict.LATE
        agrees = memory.doubt_ns is not None and 0 < time_ns - memory.doubt_ns <= self._gap_ns
        memory.doubts = memory.doubts + 1 if agrees else 1
        memory.doubt_ns = time_ns
        if memory.doubts < CONFIRM:
            return Verdict.WILD
        memory.before_ns = None
        return self._accept(time_ns, Verdict.ANEW)

    def _accept(self, time_ns: int, verdict: Verdict) -> Verdict:
        memory = self._memory
        memory.last_ns, memory.doubt_ns, memory.doubts, memory.wrong = time_ns, None, 0, 0
        return verdict

    def snapshot(self) -> dict[str, Any]:
        """The memory as JSON values; `restore` is the inverse."""
        return asdict(self._memory)

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot of the same schema."""
        self._memory = Memory(**snapshot)
