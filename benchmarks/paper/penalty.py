"""Omega of eq. 10: what updating costs in the loss. All forms are in units of the task loss, and carried along."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal

from torch import Tensor

from benchmarks.paper.unrolled import Unrolled
from vcedge.train.price import Price
from vcedge.train.schedule import share_budget

Form = Literal["steered", "price", "l1", "one-sided"]
WEIGHT = 0.5
"""Of the penalties on each step (PAPER.md, point 2: 0.1 to 0.7 of the task loss)."""
AIM = 0.95
"""Of the cost that is promised, what is trained for."""
PACE, SETTLE = 3e-3, 0.3
"""How a step's target is steered: how far it moves in one update, at most, and by which power the cost that is trained
for follows the one that was validated."""
LEAST = -3.0
"""How far a target may go below zero."""
STEEP = 3.0
"""(k/D)² is small where k/D is not: the price sees it in units of its third, or it settles too late."""


class Penalty(ABC):
    """One form. `wanted` is the mean cost that is promised."""

    def __init__(self, wanted: float) -> None:
        self._wanted = wanted

    @abstractmethod
    def __call__(self, result: Unrolled, loss: Tensor, progress: float) -> Tensor:
        """The penalty of a window whose task loss is `loss`, at a share of the training."""

    def settle(self, cost: float) -> None:  # noqa: B027  # most have nothing to settle
        """Called after each epoch with the cost of the hard form on the validation pieces."""


class Symmetric(Penalty):
    """The paper's l1: each step pays for its distance from a fixed target, and nothing holds the mean."""

    def __call__(self, result: Unrolled, loss: Tensor, progress: float) -> Tensor:
        return WEIGHT * loss.detach() * (result.opened - self._wanted**0.5).abs().mean()


class OneSided(Penalty):
    """Each step pays for what is above a fixed target."""

    def __call__(self, result: Unrolled, loss: Tensor, progress: float) -> Tensor:
        return WEIGHT * loss.detach() * (result.opened - self._wanted**0.5).clamp(min=0.0).mean()


class Steered(Penalty):
    """The paper's l1, its target moved slowly until the mean cost is the wanted one: decision note 50."""

    def __init__(self, wanted: float) -> None:
        super().__init__(wanted)
        self.aim = AIM * wanted
        """Of the mean cost on the training pieces; moved so that the one that is validated is AIM of what is wanted."""
        self.target = self.aim**0.5
        """Of each step. Below zero it pulls no further down: the weight grows by it instead."""

    def settle(self, cost: float) -> None:
        moved = self.aim * (AIM * self._wanted / max(cost, 1e-3)) ** SETTLE
        self.aim = min(max(moved, 0.5 * self._wanted), 1.5 * self._wanted)

    def __call__(self, result: Unrolled, loss: Tensor, progress: float) -> Tensor:
        over = float(result.cost.detach().mean()) / self.aim - 1
        self.target = min(max(self.target - PACE * max(-1.0, min(over, 1.0)), LEAST), 1.0)
        weight = WEIGHT * max(1.0, 1.0 - self.target)
        return weight * loss.detach() * (result.opened - max(self.target, 0.0)).abs().mean()


class Priced(Penalty):
    """A price on the mean, whose budget falls in the first half: that of `vcedge train` (decision note 4)."""

    def __init__(self, wanted: float) -> None:
        super().__init__(wanted)
        self._price = Price()

    def __call__(self, result: Unrolled, loss: Tensor, progress: float) -> Tensor:
        aim = falling(self._wanted, progress)
        return self._price.penalty(STEEP * result.cost.mean(), STEEP * aim, loss)


FORMS: Mapping[Form, type[Penalty]] = {"steered": Steered, "price": Priced, "l1": Symmetric, "one-sided": OneSided}


def falling(wanted: float, progress: float) -> float:
    """The mean cost aimed at: high at first, so that the dense network is learned first."""
    return share_budget(progress, AIM * wanted)
