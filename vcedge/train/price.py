"""Adapts the price of an update in the loss, a Lagrange multiplier that holds the updated share at its target."""

from __future__ import annotations

from torch import Tensor

RATE, GAIN, LIMIT = 0.05, 2.0, 4.0
"""Dual ascent in units of the task loss: integral gain, proportional gain (damps oscillation) and bound of the price.
A gate freezes when the price of an update stays above about 2."""


class Price:
    """Adapts the price of an update from step to step (docs/decisions/0004-a-price-instead-of-a-penalty.md)."""

    def __init__(self) -> None:
        self.value = 0.0

    def penalty(self, share: Tensor, budget: float, loss: Tensor) -> Tensor:
        """Adapt the price and return Omega of eq. 10 for a mean share; the task loss sets its unit."""
        excess = share - budget
        over = float(excess.detach())
        self.value = min(max(self.value + RATE * over, -LIMIT), LIMIT)
        return (self.value + GAIN * over) * loss.detach() * excess
