"""Inhibits alarms while a machine stands or is being serviced.

A channel of the samples (`run_when`) says whether it runs, and `inhibit` sets it from outside, up to a time of the
samples. No clock is read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vcedge.runtime.stream.state import Numbers
from vcedge.schema import F64


@dataclass(frozen=True)
class RunWhen:
    """Says that the machine runs while this channel is above `above` and below `below`."""

    channel: int
    above: float = -math.inf
    below: float = math.inf


class Inhibition:
    """Decides whether the samples of one stream may raise an alarm."""

    def __init__(self, run_when: RunWhen | None = None, numbers: Numbers | None = None) -> None:
        self._run_when = run_when
        self._numbers = numbers or Numbers.fresh()

    @property
    def until_ns(self) -> int:
        """Time before which samples are inhibited from outside; 0: none."""
        return self._numbers.until_ns

    def inhibit(self, until_ns: int) -> None:
        """Allow no alarm for samples before this time; 0 ends it."""
        self._numbers.until_ns = until_ns

    def copy_from(self, other: Inhibition) -> None:
        """Continue from another stream of the same asset."""
        self._numbers.running, self._numbers.until_ns = other.running, other.until_ns

    @property
    def running(self) -> bool:
        """Whether the machine ran, by the last value of the channel of `run_when`."""
        return bool(self._numbers.running)

    @property
    def possible(self) -> bool:
        """Whether a sample can be inhibited at all."""
        return self._run_when is not None or self._numbers.until_ns != 0

    def inhibited(self, time_ns: int, values: F64) -> bool:
        """Return whether this sample (C,) is inhibited. If the channel is missing, its last value holds."""
        numbers = self._numbers
        if self._run_when is not None:
            value = float(values[self._run_when.channel])
            if not math.isnan(value):
                numbers.running = bool(self._run_when.above < value < self._run_when.below)
        if numbers.until_ns and time_ns >= numbers.until_ns:
            numbers.until_ns = 0
        return not numbers.running or time_ns < numbers.until_ns

    def count_running(self, values: F64) -> int:
        """Return how many of the first rows (N, C) are certainly not inhibited.

        For each, `inhibited` would return False and change nothing, whichever values the sensors' health removes.
        """
        if self._numbers.until_ns or not self._numbers.running:
            return 0
        if self._run_when is None:
            return len(values)
        readings = values[:, self._run_when.channel]
        stands = (readings <= self._run_when.above) | (readings >= self._run_when.below)  # False if missing
        return int(stands.argmax()) if stands.any() else len(values)
