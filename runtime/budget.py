"""Keeps the promise about computing: the mean updated share of quiet rows stays at its target when operation drifts.

The scheduler learned on a recording what is lively. Where a machine has become livelier since, it would open ever more
often, for nothing. A bias on its logit follows the share that was spent, slowly and only downwards; while an event is
open it neither counts nor learns, so that what is unusual gets all the network that the scheduler asks for.
"""

from __future__ import annotations

RATE = 0.05
"""How much the bias moves for a row, times the share's deviation from its target: a livelier way of operating is paid
for within some hundred rows."""
LEAST_BIAS = -12.0
"""Every level but the floor is out of reach then; lower would only take longer to come back."""


class Budget:
    """Integral control of the updated share by a bias on the scheduler's logit."""

    def __init__(self, target: float) -> None:
        self._target = target
        self.bias = 0.0
        """What is added to the scheduler's logit on quiet rows, at most 0. All there is to snapshot."""

    def spend(self, share: float) -> None:
        """Count the share of the hidden dimensions that a quiet row updated."""
        self.bias = min(max(self.bias + RATE * (self._target - share), LEAST_BIAS), 0.0)
