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

from vcedge.limits import Calibration, events_per_row
from vcedge.runtime.stream.state import Numbers

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


class AdaptiveThreshold:
    """Adapts the threshold of one stream; `enabled=False` keeps it where it was calibrated.

    Works on `numbers`: drift (logarithm of the statistic's median over the held-out one, not below 0), pressure (what
    events added to the threshold's logarithm and quiet rows have not yet taken back), and learned_rows.
    """

    def __init__(
        self, calibration: Calibration, period_ns: int, *, enabled: bool = True, numbers: Numbers | None = None
    ) -> None:
        self._calibration = calibration
        self.enabled = enabled and calibration.rows > 0
        self._median = math.log(calibration.usual.median)
        self._clip = CLIP * calibration.usual.width
        self._relief = STEP * events_per_row(calibration.false_alarms_per_day, period_ns)
        self._gain = 1.0 / min(max(MEMORY_PART * calibration.rows, MEMORY_ROWS[0]), MEMORY_ROWS[1])
        self._settling = int(SETTLING_PART * calibration.rows)
        self._most = math.log(MOST)
        self._slack = SLACK_PART * max(math.log(calibration.threshold) - self._median, 0.0)
        self._numbers = numbers or Numbers.fresh()
        if numbers is None:
            self.start()

    def start(self) -> None:
        """Forget what was learned."""
        self._numbers.drift = self._numbers.pressure = 0.0
        self._numbers.learned_rows = 0
        self._numbers.threshold = self._calibration.threshold

    @property
    def value(self) -> float:
        """The threshold of the next row, in the unit of `raw`."""
        return self._numbers.threshold

    @property
    def drift(self) -> float:
        """Logarithm of the statistic's median over the held-out one."""
        return self._numbers.drift

    @property
    def pressure(self) -> float:
        """What events added to the threshold's logarithm and quiet rows have not yet taken back."""
        return self._numbers.pressure

    def learn(self, raw: float, *, in_event: bool) -> None:
        """Learn from one row of sound input past the warm-up; `in_event` says whether an event is open after it."""
        if not self.enabled:
            return
        numbers, gain = self._numbers, self._gain
        rows = numbers.learned_rows
        if rows < self._settling:
            gain = max(gain, 1.0 / (rows + SETTLING_START))
        elif in_event or raw > numbers.threshold:
            return
        numbers.learned_rows = rows + 1
        drift = numbers.drift
        deviation = math.log(max(raw, SMALLEST)) - self._median - drift
        drift += gain * min(max(deviation, -self._clip), self._clip)
        numbers.drift = min(max(drift, 0.0), self._most + self._slack)
        numbers.pressure = max(numbers.pressure - self._relief, 0.0)
        self.update()

    def event_ended(self) -> None:
        """Raise the threshold by a step: an event is over, whatever it was."""
        if self.enabled:
            self._numbers.pressure = min(self._numbers.pressure + STEP, self._most)
            self.update()

    def update(self) -> None:
        """Set the threshold by what was learned, as after a restore."""
        level = max(self._numbers.drift - self._slack, 0.0)
        self._numbers.threshold = self._calibration.threshold * math.exp(
            min(level + self._numbers.pressure, self._most)
        )

    def rules(self) -> dict[str, float]:
        """Return the constants that the kernel needs, by the names in kernel/stream/rows.h."""
        return {
            "calibrated": self._calibration.threshold,
            "median": self._median,
            "clip": self._clip,
            "relief": self._relief,
            "gain": self._gain,
            "most": self._most,
            "slack": self._slack,
            "smallest": SMALLEST,
            "most_imputed": MOST_IMPUTED,
            "settling": self._settling,
            "settling_start": SETTLING_START,
        }
