"""Implements Omega of eq. 10, the penalty on updates, in several forms, all in units of the task loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal

from torch import Tensor

from benchmarks.paper.unrolled import Unrolled
from vcedge.train.schedule import Price, share_budget

Form = Literal["steered", "price", "l1", "one-sided"]
WEIGHT = 0.5
"""Weight of the penalties on each step; 0.1 to 0.7 of the task loss works."""
AIM = 0.95
"""Share of the wanted cost that training aims at."""
PACE, SETTLE = 3e-3, 0.3
"""Steering of a step's target: its largest change in one update, and the power with which the trained cost follows the
validated one."""
LEAST = -3.0
"""Lower bound of a target, which may be negative."""
STEEP = 3.0
"""Factor on (k/D)² for the price, which without it would settle too late, as the square is small."""


class Penalty(ABC):
    """Computes one form of Omega; `wanted` is the target of the mean cost."""

    def __init__(self, wanted: float) -> None:
        self._wanted = wanted

    @abstractmethod
    def __call__(self, result: Unrolled, loss: Tensor, progress: float) -> Tensor:
        """Return the penalty of a window whose task loss is `loss`, at a share `progress` of the training."""

    def settle(self, cost: float) -> None:  # noqa: B027  # most have nothing to settle
        """Adapt to the cost of the hard form on the validation pieces, after each epoch."""


class Symmetric(Penalty):
    """Penalises, as the paper's l1, each step's distance from a fixed target, and does not bound the mean."""

    def __call__(self, result: Unrolled, loss: Tensor, progress: float) -> Tensor:
        return WEIGHT * loss.detach() * (result.opened - self._wanted**0.5).abs().mean()


class OneSided(Penalty):
    """Penalises the excess of each step over a fixed target."""

    def __call__(self, result: Unrolled, loss: Tensor, progress: float) -> Tensor:
        return WEIGHT * loss.detach() * (result.opened - self._wanted**0.5).clamp(min=0.0).mean()


class Steered(Penalty):
    """Penalises as the paper's l1, with a target that moves slowly until the mean cost is `wanted`.

    See docs/decisions/0050-a-steered-penalty-for-the-reproduction.md.
    """

    def __init__(self, wanted: float) -> None:
        super().__init__(wanted)
        self.aim = AIM * wanted
        """Mean cost to reach on the training pieces, moved until the validated cost is AIM times `wanted`."""
        self.target = self.aim**0.5
        """Target of each step. Below zero it increases the weight instead."""

    def settle(self, cost: float) -> None:
        moved = self.aim * (AIM * self._wanted / max(cost, 1e-3)) ** SETTLE
        self.aim = min(max(moved, 0.5 * self._wanted), 1.5 * self._wanted)

    def __call__(self, result: Unrolled, loss: Tensor, progress: float) -> Tensor:
        over = float(result.cost.detach().mean()) / self.aim - 1
        self.target = min(max(self.target - PACE * max(-1.0, min(over, 1.0)), LEAST), 1.0)
        weight = WEIGHT * max(1.0, 1.0 - self.target)
        return weight * loss.detach() * (result.opened - max(self.target, 0.0)).abs().mean()


class Priced(Penalty):
    """Applies the price on the mean of `vcedge train`, whose budget falls in the first half.

    See docs/decisions/0004-a-price-instead-of-a-penalty.md.
    """

    def __init__(self, wanted: float) -> None:
        super().__init__(wanted)
        self._price = Price()

    def __call__(self, result: Unrolled, loss: Tensor, progress: float) -> Tensor:
        aim = cost_budget(self._wanted, progress)
        return self._price.penalty(STEEP * result.cost.mean(), STEEP * aim, loss)


FORMS: Mapping[Form, type[Penalty]] = {"steered": Steered, "price": Priced, "l1": Symmetric, "one-sided": OneSided}


def cost_budget(wanted: float, progress: float) -> float:
    """Return the mean cost to aim at: high at first, so that the dense network is learned first."""
    return share_budget(progress, AIM * wanted)
