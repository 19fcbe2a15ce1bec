"""Adapts the threshold to the level of normal operation, and accumulates evidence that lasts.

The level is a clipped running average of the statistic. The threshold rises with what the level has risen above its
median in training, at most MOST_RISE nats: a machine that drifts is not flooded. It never falls below the calibrated
threshold, and events leave no other trace: what rose during a fault falls again as fast, so the same fault is found
again. Only people's judgements of events change the threshold for longer (`widening`).

A moderate excess that lasts is an alarm too: the lasting mean, ten times faster than the level, has a limit of its own,
which rises twice as fast with the level.
"""

from __future__ import annotations

from vcedge.limits import LASTING_PART, LASTING_RISE, MOST_RISE, Calibration
from vcedge.runtime.stream.state import Numbers

STEP = 2.0
"""Largest deviation of a row from the level that counts, in nats."""
START_ROWS = 5
"""Rows at the median that the average of the first rows begins with: they tell where the level is now."""
MOST_WIDENING = 4.0
"""Most nats by which people's judgements raise the threshold."""
MOST_IMPUTED = 0.25
"""Largest share of missing channels in a row to learn from; checked by the caller of `learn`."""


class AdaptiveThreshold:
    """Adapts the threshold of one stream; `enabled=False` keeps the calibrated one.

    The state in `numbers`: level, lasting_mean, learned_rows, threshold, and lasting (nats of the lasting mean above
    its limit). Without `numbers` it has its own, and counts evidence that lasts if it is enabled.
    """

    def __init__(self, calibration: Calibration, *, enabled: bool = True, numbers: Numbers | None = None) -> None:
        self._calibration = calibration
        self.enabled = enabled and calibration.rows > 0
        self._memory = calibration.memory
        self._lasting_gain = 2.0 / (LASTING_PART * calibration.memory + 1.0)
        self._most_lasting = calibration.promise.reference + MOST_RISE
        margin = max(calibration.threshold - calibration.promise.reference, 0.0)
        self._lasting_limit = calibration.lasting + margin  # as far as the threshold is above its own reference
        self._numbers = numbers or Numbers.fresh()
        if numbers is None:
            self._numbers.adapts = self.enabled
            self.start()

    def start(self) -> None:
        """Reset to the calibrated threshold."""
        self._numbers.level = self._numbers.lasting_mean = self._calibration.median
        self._numbers.learned_rows = 0
        self.update()

    def restart(self) -> None:
        """Forget evidence that lasted, as after a gap; the level stays."""
        self._numbers.lasting_mean = self._numbers.level
        self.update()

    @property
    def value(self) -> float:
        """Threshold of the next row, in the unit of `raw`: the adapted one, widened by people's judgements."""
        return self._numbers.threshold + self._numbers.widening

    @property
    def level(self) -> float:
        """Level of normal operation, in nats; the median of training at first."""
        return self._numbers.level

    @property
    def lasting_mean(self) -> float:
        """Mean of the statistic over the last rows, in nats."""
        return self._numbers.lasting_mean

    @property
    def rise(self) -> float:
        """Nats by which the level has risen above the median of training, at most MOST_RISE."""
        return min(max(self._numbers.level - self._calibration.median, 0.0), MOST_RISE)

    def evidence(self, raw: float) -> float:
        """Return the value that is compared with the threshold: `raw`, or the lasting mean if that says more."""
        numbers = self._numbers
        return max(raw, numbers.threshold + numbers.lasting) if numbers.adapts else raw

    def learn(self, raw: float) -> None:
        """Learn from one valid row after the warm-up."""
        if not self.enabled:
            return
        numbers = self._numbers
        capped = min(raw, self._most_lasting + self.rise)
        numbers.lasting_mean += self._lasting_gain * (capped - numbers.lasting_mean)
        step = min(max(raw - numbers.level, -STEP), STEP)
        numbers.level += step / min(self._memory, numbers.learned_rows + START_ROWS)
        numbers.learned_rows += 1
        self.update()

    def update(self) -> None:
        """Recompute the threshold from the level, as after a restore."""
        numbers, rise = self._numbers, self.rise
        numbers.threshold = self._calibration.threshold + rise
        numbers.lasting = numbers.lasting_mean - (self._lasting_limit + LASTING_RISE * rise)

    def rules(self) -> dict[str, float]:
        """Return the constants of the kernel, by their names in kernel/stream/rows.h."""
        return {
            "calibrated": self._calibration.threshold,
            "median": self._calibration.median,
            "memory": self._memory,
            "lasting_gain": self._lasting_gain,
            "most_lasting": self._most_lasting,
            "lasting_limit": self._lasting_limit,
            "lasting_rise": LASTING_RISE,
            "most_rise": MOST_RISE,
            "most_step": STEP,
            "start_rows": START_ROWS,
            "most_imputed": MOST_IMPUTED,
        }
