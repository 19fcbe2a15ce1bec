"""Keeps the promise about computing: the mean updated share stays at its target when operation drifts.

The scheduler learned on a recording what is lively. Where a machine has become livelier since, it would open ever more
often, for nothing. An account is kept of the share that rows update: each is credited a little less than the target and
pays what it took, a surprise's and an event's rows too. What quiet rows save, up to some dense ones, is there for the
next load step: that is what a gate is for. An overdrawn account is a bias on the scheduler's logit, only ever
downwards. The first rows of an event get what the scheduler asks for, and a surprise the full network; an event that
lasts is no news.
"""

from __future__ import annotations

import math

from vcedge.runtime.stream.state import Numbers

AIM = 0.9
"""What a row is credited, of the target above the floor: not all that an event's first rows took is paid back."""
RATE = 1.0
"""How much the logit falls for what one dense row took beyond its credit."""
LEAST_BIAS = -12.0
"""Every level but the floor is out of reach then; lower would only take longer to come back."""
MOST_BIAS = 20.0
"""Every level is open with it; more would only overflow."""
MOST_SAVED = 8.0
"""About so many dense rows can be saved up: a load step's worth, not a night's."""
EVENT_ROWS = 8
"""Rows after an event opened on which nothing is taken from the scheduler."""


class ComputeBudget:
    """Integral control of the updated share by a bias on the scheduler's logit."""

    def __init__(self, target: float, floor: float = 0.0, numbers: Numbers | None = None) -> None:
        """Hold the mean share to `target`; `floor` is the share of the first level, which every row updates.

        A target of 1 takes nothing away.
        """
        self._above = (AIM if target < 1.0 else 1.0) * max(target - floor, 0.0)
        self._target = min(target, floor + self._above)
        self._numbers = numbers or Numbers.fresh()

    def target(self, logit_bias: float = 0.0) -> float:
        """Return what the mean share is held to where somebody adds this to the scheduler's logit.

        That multiplies its odds, and the target as far as that is above the floor: otherwise the budget would take it
        back. A target at the floor would never let a surprise be paid back, and so shut the gate for good.
        """
        return min(self._target + (math.exp(min(logit_bias, MOST_BIAS)) - 1.0) * self._above, 1.0)

    def bias(self, *, in_event: bool) -> float:
        """Return what is added to the scheduler's logit on the next row, at most 0.

        `in_event` says whether an event was open before it.
        """
        numbers = self._numbers
        return 0.0 if in_event and numbers.spent_rows < EVENT_ROWS else min(numbers.balance, 0.0)

    def spend(self, share: float, *, in_event: bool, logit_bias: float = 0.0) -> None:
        """Count the share of the hidden dimensions that the row updated; `in_event` as for its bias.

        The part that somebody asked for by a floor is not the scheduler's, and not to be counted.
        """
        numbers = self._numbers
        numbers.spent_rows = numbers.spent_rows + 1 if in_event else 0
        balance = numbers.balance + RATE * (self.target(logit_bias) - share)
        numbers.balance = min(max(balance, LEAST_BIAS), MOST_SAVED)

    def rest(self) -> None:
        """Count a row of a machine that stands: it pays a debt and saves nothing."""
        self._numbers.balance = min(self._numbers.balance + RATE * self.target(), 0.0)
        self._numbers.spent_rows = 0

    def rules(self) -> dict[str, float]:
        """Return the constants that the kernel needs, by the names in kernel/stream/rows.h."""
        return {
            "target": self._target,
            "above_floor": self._above,
            "most_bias": MOST_BIAS,
            "rate": RATE,
            "least_bias": LEAST_BIAS,
            "most_saved": MOST_SAVED,
            "event_rows": EVENT_ROWS,
        }
