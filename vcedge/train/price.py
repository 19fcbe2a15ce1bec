"""What an update costs in the loss: a price that follows how far the updated share is from its target."""

from __future__ import annotations

from torch import Tensor

RATE, GAIN, LIMIT = 0.05, 2.0, 4.0
"""Dual ascent, in units of the task loss: how fast the price follows the share's deviation from its target, how much
that deviation counts at once (it damps the swing), and where the price ends: beyond about 2 the gate freezes (PAPER.md,
point 2)."""


class Price:
    """The price of an update, carried from step to step of a training. Why it is learned: decision note 4."""

    def __init__(self) -> None:
        self.value = 0.0

    def penalty(self, share: Tensor, budget: float, loss: Tensor) -> Tensor:
        """Omega of eq. 10 for a mean share, and the price moved on. `loss` is the task loss, for the unit."""
        excess = share - budget
        over = float(excess.detach())
        self.value = min(max(self.value + RATE * over, -LIMIT), LIMIT)
        return (self.value + GAIN * over) * loss.detach() * excess
