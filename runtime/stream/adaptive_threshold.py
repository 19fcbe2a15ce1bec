"""The threshold under slow drift: it follows the machine's age, keeps the promised number of events, learns no fault.

Two things are learned, both from rows alone, without a clock, and both as a factor on the calibrated threshold:

- the level: how far the statistic's logarithm has moved from its held-out median, a slow mean of clipped deviations.
  It counts once it has come a third of the way to the threshold: with several ways of running, a longer stay in a
  louder one moves the mean and not the peaks;
- the pressure: every event that ends raises the threshold a step, and quiet rows take it back at the promised rate of
  events. However wrong the calibration is, no more events come than were promised, and as many more as there are
  steps up to the bound (adaptive conformal inference, on events instead of rows).

Nothing is learned while an event is open. The factor is never below 1 and never above MOST: a fault that grows so
slowly that it is taken for drift is found when its statistic is MOST times what would have sufficed.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from vcedge.detector import Calibration
from vcedge.limits import events_per_row

MOST = 4.0
"""Largest factor on the calibrated threshold. Errors count squared: twice the size of the smallest fault found."""
STEP = 0.1
"""What an event that ends adds to the threshold's logarithm."""
CLIP = 1.0
"""A row moves the level as if it deviated by at most so many usual widths."""
SLACK_PART = 1 / 3
"""Part of the way from the held-out median to the threshold that the level may come up without an effect."""
MEMORY_PART, MEMORY_ROWS = 0.5, (200, 5000)
"""Rows over which the level is averaged: this part of the held-out rows, within these bounds."""
SETTLING_PART = 0.1
"""For so many rows, as part of the held-out ones, a new stream learns its level even above the threshold: after a
calibration elsewhere or long ago an event may be open from the first row, and would stop all learning for ever."""
SETTLING_START = 30
"""The first rows count as if so many had been at the calibrated level."""
SMALLEST = 1e-12
MOST_IMPUTED = 0.25
"""Largest share of missing channels with which a row still tells what normal is, for whoever calls `learn`."""


@dataclass
class Memory:
    """All that is learned."""

    level: float = 0.0
    """Logarithm of the statistic's median over the held-out one; not below 0."""
    pressure: float = 0.0
    """What events added to the threshold's logarithm and quiet rows have not yet taken back."""
    rows: int = 0
    """Rows learned from."""


class AdaptiveThreshold:
    """The threshold of one stream; `enabled=False` keeps it where it was calibrated."""

    def __init__(self, calibration: Calibration, period_ns: int, enabled: bool = True) -> None:
        self._limits = calibration
        self._enabled = enabled and calibration.rows > 0
        self._median = math.log(calibration.usual.median)
        self._clip = CLIP * calibration.usual.width
        self._relief = STEP * events_per_row(calibration.false_alarms_per_day, period_ns)
        self._gain = 1.0 / min(max(MEMORY_PART * calibration.rows, MEMORY_ROWS[0]), MEMORY_ROWS[1])
        self._settling = int(SETTLING_PART * calibration.rows)
        self._most = math.log(MOST)
        self._slack = SLACK_PART * max(math.log(calibration.threshold) - self._median, 0.0)
        self._memory = Memory()
        self._value = calibration.threshold

    @property
    def value(self) -> float:
        """The threshold of the next row, in the unit of `raw`."""
        return self._value

    def learn(self, raw: float, in_event: bool) -> None:
        """One row of sound input past the warm-up, and whether an event is open after it."""
        if not self._enabled:
            return
        memory, gain = self._memory, self._gain
        if memory.rows < self._settling:
            gain = max(gain, 1.0 / (memory.rows + SETTLING_START))
        elif in_event or raw > self._value:
            return
        memory.rows += 1
        deviation = math.log(max(raw, SMALLEST)) - self._median - memory.level
        memory.level += gain * min(max(deviation, -self._clip), self._clip)
        memory.level = min(max(memory.level, 0.0), self._most + self._slack)
        memory.pressure = max(memory.pressure - self._relief, 0.0)
        self._update()

    def event_ended(self) -> None:
        """An event is over, whatever it was."""
        if self._enabled:
            self._memory.pressure = min(self._memory.pressure + STEP, self._most)
            self._update()

    def snapshot(self) -> dict[str, Any]:
        """What was learned, as JSON values; `restore` is the inverse."""
        return asdict(self._memory)

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot of the same calibration."""
        self._memory = Memory(**snapshot)
        self._update()

    def _update(self) -> None:
        level = max(self._memory.level - self._slack, 0.0)
        self._value = self._limits.threshold * math.exp(min(level + self._memory.pressure, self._most))
