"""Tells whether a machine is at work: what it does while it stands or is being serviced is no reason for an alarm.

`run_when` names the channel that tells it; `inhibit` says it from outside, up to a time of the samples. No clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vcedge.runtime.stream.state import Numbers
from vcedge.schema import F64


@dataclass(frozen=True)
class RunWhen:
    """The machine runs while this channel is above `above` and below `below`, as far as they are given."""

    channel: int
    above: float = -math.inf
    below: float = math.inf


class Inhibition:
    """Tells whether the samples of one stream may raise an alarm."""

    def __init__(self, run_when: RunWhen | None = None, numbers: Numbers | None = None) -> None:
        self._run_when = run_when
        self._numbers = numbers or Numbers.fresh()

    @property
    def until_ns(self) -> int:
        """Samples before this time are inhibited from outside; 0: none."""
        return self._numbers.until_ns

    def inhibit(self, until_ns: int) -> None:
        """Allow no alarm for samples before this time; 0 ends it."""
        self._numbers.until_ns = until_ns

    def follow(self, other: Inhibition) -> None:
        """Continue from another stream of the same asset."""
        self._numbers.running, self._numbers.until_ns = other.running, other.until_ns

    @property
    def running(self) -> bool:
        """What the channel of `run_when` said last."""
        return bool(self._numbers.running)

    @property
    def always(self) -> bool:
        """Whether every later sample counts, whatever is in it."""
        return self._run_when is None and self._numbers.until_ns == 0

    def inhibited(self, time_ns: int, values: F64) -> bool:
        """Return whether this sample (C,) may raise no alarm. Where the channel is missing, its last value holds."""
        numbers = self._numbers
        if self._run_when is not None:
            value = float(values[self._run_when.channel])
            if not math.isnan(value):
                numbers.running = bool(self._run_when.above < value < self._run_when.below)
        if numbers.until_ns and time_ns >= numbers.until_ns:
            numbers.until_ns = 0
        return not numbers.running or time_ns < numbers.until_ns

    def count_running(self, values: F64) -> int:
        """Return how many of the first rows (N, C) are sure to be of a machine at work.

        `inhibited` of each would be false and change nothing, whatever the sensors' health makes of its values.
        """
        if self._numbers.until_ns or not self._numbers.running:
            return 0
        if self._run_when is None:
            return len(values)
        told = values[:, self._run_when.channel]
        stands = (told <= self._run_when.above) | (told >= self._run_when.below)  # not where it is missing
        return int(stands.argmax()) if stands.any() else len(values)
