"""Adapts the threshold to slow drift: it follows the machine's ageing and keeps the promised rate of events.

Two terms are learned, from rows alone and without a clock; both multiply the calibrated threshold:

- the drift: how far the statistic's logarithm has moved from its held-out median, as a slow mean of clipped deviations.
  It counts once it has come a third of the way to the threshold: with several operating modes, a longer stay in a
  noisier one moves the mean but not the peaks;
- the pressure: every event that ends raises the threshold by a step, and quiet rows lower it at the promised rate of
  events. However wrong the calibration is, there are no more events than promised, plus the steps up to the bound
  (adaptive conformal inference, on events instead of rows).

Nothing is learned while an event is open. The factor stays between 1 and MOST: a fault that grows so slowly that it is
learned as drift is detected when its statistic is MOST times the calibrated threshold.
"""

from __future__ import annotations

import math

from vcedge.limits import Calibration, events_per_row
from vcedge.runtime.stream.state import Numbers

MOST = 4.0
"""Largest factor on the calibrated threshold. Errors are squared, so the smallest detected fault doubles in size."""
STEP = 0.1
"""Increase of the threshold's logarithm when an event ends."""
CLIP = 1.0
"""Largest deviation of a row that counts, in usual widths."""
SLACK_PART = 1 / 3
"""Share of the way from the held-out median to the threshold that the drift may rise without effect."""
AVERAGED_PART, AVERAGED_ROWS = 0.5, (200, 5000)
"""Rows over which the drift is averaged: this share of the held-out rows, within these bounds."""
SETTLING_PART = 0.1
"""First rows, as a share of the held-out ones, in which a new stream learns its drift even above the threshold: after
an old calibration, or one elsewhere, an event may be open from the first row and would stop all learning."""
SETTLING_START = 30
"""Number of rows at the calibrated median that the mean of the first rows begins with."""
SMALLEST = 1e-12
MOST_WIDENING = 4.0
"""Largest widening by people's judgements, in the unit of the statistic."""
MOST_IMPUTED = 0.25
"""Largest share of missing channels in a row to learn from; checked by the caller of `learn`."""


class AdaptiveThreshold:
    """Adapts the threshold of one stream; `enabled=False` keeps the calibrated one.

    The state in `numbers`: drift (logarithm of the statistic's median over the held-out one, at least 0), pressure (the
    steps of events that quiet rows have not yet taken back), learned_rows and threshold.
    """

    def __init__(
        self, calibration: Calibration, period_ns: int, *, enabled: bool = True, numbers: Numbers | None = None
    ) -> None:
        self._calibration = calibration
        self.enabled = enabled and calibration.rows > 0
        self._median = math.log(calibration.usual.median)
        self._clip = CLIP * calibration.usual.width
        self._relief = STEP * events_per_row(calibration.false_alarms_per_day, period_ns)
        self._gain = 1.0 / min(max(AVERAGED_PART * calibration.rows, AVERAGED_ROWS[0]), AVERAGED_ROWS[1])
        self._settling = int(SETTLING_PART * calibration.rows)
        self._most = math.log(MOST)
        self._slack = SLACK_PART * max(math.log(calibration.threshold) - self._median, 0.0)
        self._numbers = numbers or Numbers.fresh()
        if numbers is None:
            self.start()

    def start(self) -> None:
        """Reset to the calibrated threshold."""
        self._numbers.drift = self._numbers.pressure = 0.0
        self._numbers.learned_rows = 0
        self._numbers.threshold = self._calibration.threshold

    @property
    def value(self) -> float:
        """Threshold of the next row, in the unit of `raw`: the adapted one, widened by people's judgements."""
        return self._numbers.threshold + self._numbers.widening

    @property
    def drift(self) -> float:
        """Logarithm of the statistic's median over the held-out one."""
        return self._numbers.drift

    @property
    def pressure(self) -> float:
        """Steps of events in the threshold's logarithm that quiet rows have not yet taken back."""
        return self._numbers.pressure

    def learn(self, raw: float, *, in_event: bool) -> None:
        """Learn from one valid row after the warm-up; `in_event`: an event is open after it."""
        if not self.enabled:
            return
        numbers, gain = self._numbers, self._gain
        rows = numbers.learned_rows
        if rows < self._settling:
            gain = max(gain, 1.0 / (rows + SETTLING_START))
        elif in_event or raw > self.value:
            return
        numbers.learned_rows = rows + 1
        drift = numbers.drift
        deviation = math.log(max(raw, SMALLEST)) - self._median - drift
        drift += gain * min(max(deviation, -self._clip), self._clip)
        numbers.drift = min(max(drift, 0.0), self._most + self._slack)
        numbers.pressure = max(numbers.pressure - self._relief, 0.0)
        self.update()

    def event_ended(self) -> None:
        """Raise the threshold by a step."""
        if self.enabled:
            self._numbers.pressure = min(self._numbers.pressure + STEP, self._most)
            self.update()

    def update(self) -> None:
        """Recompute the threshold from drift and pressure, as after a restore."""
        level = max(self._numbers.drift - self._slack, 0.0)
        self._numbers.threshold = self._calibration.threshold * math.exp(
            min(level + self._numbers.pressure, self._most)
        )

    def rules(self) -> dict[str, float]:
        """Return the constants of the kernel, by their names in kernel/stream/rows.h."""
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
