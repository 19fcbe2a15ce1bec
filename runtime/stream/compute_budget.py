"""Holds the mean updated share at its target when operation drifts.

The scheduler learned from a recording how much the machine varies. If the machine varies more since then, the gate
would open more often than was promised. The budget credits each row with a little less than the target and charges it
for the share that it updated, rows of a surprise or an event included. Quiet rows save, up to a few dense rows, for the
next load step. A negative balance is a bias on the scheduler's logit, never an upward one. The first rows of an event
get what the scheduler asks for, and a surprise the full network; an event that lasts gets no more than other rows.
"""

from __future__ import annotations

import math

from vcedge.runtime.stream.state import Numbers

AIM = 0.9
"""Share of the target above the floor that a row is credited; the rest pays for the first rows of events."""
RATE = 1.0
"""Fall of the logit for one dense row beyond its credit."""
LEAST_BIAS = -12.0
"""Least balance: no level above the floor is in reach, and less would only take longer to pay back."""
MOST_BIAS = 20.0
"""Largest bias that counts: it opens every level, and more would overflow."""
MOST_SAVED = 8.0
"""Largest balance, about this number of dense rows: enough for a load step."""
EVENT_ROWS = 8
"""Number of rows after the start of an event whose logit has no bias."""


class ComputeBudget:
    """Controls the updated share by a bias on the scheduler's logit, with integral action."""

    def __init__(self, target: float, floor: float = 0.0, numbers: Numbers | None = None) -> None:
        """Hold the mean share to `target`; `floor` is the share of the first level, which every row updates.

        With a target of 1 the bias is always 0.
        """
        self._above = (AIM if target < 1.0 else 1.0) * max(target - floor, 0.0)
        self._target = min(target, floor + self._above)
        self._numbers = numbers or Numbers.fresh()

    def target(self, logit_bias: float = 0.0) -> float:
        """Return the target of the mean share under a policy that adds `logit_bias` to the scheduler's logit.

        The bias multiplies the odds, and so the part of the target above the floor; otherwise the budget would cancel
        it. With a target at the floor, a surprise could never be paid back and the gate would stay shut.
        """
        return min(self._target + (math.exp(min(logit_bias, MOST_BIAS)) - 1.0) * self._above, 1.0)

    def bias(self, *, in_event: bool) -> float:
        """Return the bias on the next row's logit, at most 0; `in_event`: an event was open before it."""
        numbers = self._numbers
        return 0.0 if in_event and numbers.spent_rows < EVENT_ROWS else min(numbers.balance, 0.0)

    def spend(self, share: float, *, in_event: bool, logit_bias: float = 0.0) -> None:
        """Charge the share of the hidden dimensions that a row updated; `in_event` as for its bias.

        The caller subtracts the part that a policy's floor asked for.
        """
        numbers = self._numbers
        numbers.spent_rows = numbers.spent_rows + 1 if in_event else 0
        balance = numbers.balance + RATE * (self.target(logit_bias) - share)
        numbers.balance = min(max(balance, LEAST_BIAS), MOST_SAVED)

    def repay(self) -> None:
        """Credit an inhibited row: it reduces a debt and saves nothing."""
        self._numbers.balance = min(self._numbers.balance + RATE * self.target(), 0.0)
        self._numbers.spent_rows = 0

    def rules(self) -> dict[str, float]:
        """Return the constants of the kernel, by their names in kernel/stream/rows.h."""
        return {
            "target": self._target,
            "above_floor": self._above,
            "most_bias": MOST_BIAS,
            "rate": RATE,
            "least_bias": LEAST_BIAS,
            "most_saved": MOST_SAVED,
            "event_rows": EVENT_ROWS,
        }
