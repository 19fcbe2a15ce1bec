"""Whether a machine is at work: what it does while it stands or is being serviced is no reason for an alarm.

`run_when` names the channel that tells it; `inhibit` says it from outside, up to a time of the samples. No clock.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from vcedge.schema import F64


@dataclass(frozen=True)
class RunWhen:
    """The machine runs while this channel is above `above` and below `below`, as far as they are given."""

    channel: int
    above: float = -math.inf
    below: float = math.inf


@dataclass
class Memory:
    """All that is remembered."""

    running: bool = True
    """What the channel said last."""
    until_ns: int = 0
    """Samples before this time are inhibited from outside."""


class Operation:
    """Of one stream."""

    def __init__(self, run_when: RunWhen | None = None) -> None:
        self._run_when = run_when
        self._memory = Memory()

    @property
    def until_ns(self) -> int:
        """Samples before this time are inhibited from outside; 0: none."""
        return self._memory.until_ns

    def inhibit(self, until_ns: int) -> None:
        """No alarm for samples before this time; 0 ends it."""
        self._memory.until_ns = until_ns

    @property
    def always(self) -> bool:
        """Whether every later sample counts, whatever is in it."""
        return self._run_when is None and self._memory.until_ns == 0

    def inhibited(self, time_ns: int, values: F64) -> bool:
        """Whether this sample (C,) may raise no alarm. Where the channel is missing, what it said last holds."""
        memory = self._memory
        if self._run_when is not None:
            value = float(values[self._run_when.channel])
            if not math.isnan(value):
                memory.running = self._run_when.above < value < self._run_when.below
        if memory.until_ns and time_ns >= memory.until_ns:
            memory.until_ns = 0
        return not memory.running or time_ns < memory.until_ns

    def at_work(self, values: F64) -> int:
        """How many of the first rows (N, C) are sure to be of a machine at work: `inhibited` of each would be false and
        change nothing, whatever the sensors' health makes of its values."""
        if self._memory.until_ns or not self._memory.running:
            return 0
        if self._run_when is None:
            return len(values)
        told = values[:, self._run_when.channel]
        stands = (told <= self._run_when.above) | (told >= self._run_when.below)  # not where it is missing
        return int(stands.argmax()) if stands.any() else len(values)

    def snapshot(self) -> dict[str, Any]:
        """The memory as JSON values; `restore` is the inverse."""
        return asdict(self._memory)

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._memory = Memory(**snapshot)
