"""Decides whether a sample's time continues its stream, although clocks of machines jump.

A stream's time is that of its own samples; there is no other clock. A single sample from the far future, or from 1970,
changes nothing. When a clock was set, its time is accepted once CONFIRM consecutive samples agree with each other, and
the stream restarts there.
"""

from __future__ import annotations

from enum import Enum

from vcedge.limits import DAY_NS
from vcedge.runtime.stream.state import NEVER, Numbers
from vcedge.schema import NS_PER_S, SensorSchema

CONFIRM = 3
"""Number of consecutive samples that agree with each other before a new time is accepted."""
FAR_NS = DAY_NS
"""Longest jump ahead that is a pause at once; a longer one must be confirmed."""
LATE_NS = 600 * NS_PER_S
LATE_PERIODS = 100
"""A sample that is behind by less, in time or in periods, is late or a duplicate: senders deliver again what was not
acknowledged. A clock that is set back by less therefore stops the scores for that time, and no longer."""


def far_ns(schema: SensorSchema) -> int:
    """Return the largest jump ahead, in nanoseconds, that needs no confirmation."""
    return max(FAR_NS, 10 * schema.max_gap_ns)


def late_ns(schema: SensorSchema) -> int:
    """Return the largest lag, in nanoseconds, of a sample that is late; a larger one may be a new clock."""
    return max(LATE_NS, LATE_PERIODS * schema.period_ns, schema.max_gap_ns)


class Verdict(Enum):
    """Says what a sample's time means for its stream."""

    NEXT = 1
    """Later than the last one."""
    RESTART = 2
    """Accepted, but not as a continuation: the clock was set, or was wrong before."""
    LATE = 3
    """Slightly behind the last one: late, or a duplicate."""
    OUTLIER = 4
    """Far from the last one, or before 1970, and not confirmed."""


class Timeline:
    """Checks the times of one stream's samples, in nanoseconds since 1970."""

    def __init__(self, schema: SensorSchema, numbers: Numbers | None = None) -> None:
        self._gap_ns = schema.max_gap_ns
        self._far_ns, self._late_ns = far_ns(schema), late_ns(schema)
        self._numbers = numbers or Numbers.fresh()

    @property
    def last_ns(self) -> int | None:
        """Time of the last accepted sample; None before the first."""
        return None if self._numbers.last_ns == NEVER else self._numbers.last_ns

    @property
    def rejected_rows(self) -> int:
        """Number of consecutive samples that were not accepted."""
        return self._numbers.rejected_rows

    @property
    def steady(self) -> bool:
        """Whether `push` returns NEXT for any time within a gap of the last: no new clock and no recent pause."""
        numbers = self._numbers
        return numbers.last_ns != NEVER and numbers.before_pause_ns == NEVER and numbers.rejected_rows == 0

    def push(self, time_ns: int) -> Verdict:
        """Return the verdict on the next sample. A LATE or OUTLIER one must change nothing but this state."""
        numbers = self._numbers
        last_ns = numbers.last_ns
        if last_ns == NEVER and time_ns >= 0:
            return self._accept(time_ns, Verdict.NEXT)
        step_ns = time_ns - max(last_ns, 0)
        if 0 < step_ns <= self._far_ns and time_ns >= 0:
            if step_ns > self._gap_ns:
                numbers.before_pause_ns, numbers.rows_since_pause = last_ns, 0
            elif numbers.before_pause_ns != NEVER:
                numbers.rows_since_pause += 1
                if numbers.rows_since_pause >= CONFIRM:
                    numbers.before_pause_ns = NEVER
            return self._accept(time_ns, Verdict.NEXT)
        if numbers.before_pause_ns != NEVER and numbers.before_pause_ns < time_ns <= last_ns:
            numbers.before_pause_ns = NEVER  # it continues from before the pause, so the pause was a wrong clock
            return self._accept(time_ns, Verdict.RESTART)
        return self._reject(time_ns, step_ns)

    def _reject(self, time_ns: int, step_ns: int) -> Verdict:
        """Reject a time, or accept it if the samples before it agree."""
        numbers = self._numbers
        numbers.rejected_rows += 1
        if time_ns < 0:
            return Verdict.OUTLIER
        if -self._late_ns <= step_ns <= 0:
            return Verdict.LATE
        agrees = numbers.candidate_ns != NEVER and 0 < time_ns - numbers.candidate_ns <= self._gap_ns
        numbers.candidate_rows = numbers.candidate_rows + 1 if agrees else 1
        numbers.candidate_ns = time_ns
        if numbers.candidate_rows < CONFIRM:
            return Verdict.OUTLIER
        numbers.before_pause_ns = NEVER
        return self._accept(time_ns, Verdict.RESTART)

    def _accept(self, time_ns: int, verdict: Verdict) -> Verdict:
        numbers = self._numbers
        numbers.last_ns, numbers.candidate_ns = time_ns, NEVER
        numbers.candidate_rows = numbers.rejected_rows = 0
        return verdict
