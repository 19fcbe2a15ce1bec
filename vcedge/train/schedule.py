"""Defines the schedules of a training: mask sharpness, target of the updated share and its price, learning rate."""

from __future__ import annotations

import math

from torch import Tensor

from vcedge.detector import CellSpec
from vcedge.train.scheduler import MaskMode

SHARPNESS = (2.0, 8.0)
"""First and last lam D of eq. 8 divided by the number of levels: soft masks overlap widely first, hardly at last."""
AIM, MOST = 0.7, 0.9
"""Fractions of the promised target: the share to train for, and the largest share that the best network may have.
Unseen rows need slightly more updates, and a network whose budget is always spent loses its slow memory."""
START_SHARE = 0.7
"""Updated share at the start of a training, which is high so that a nearly dense network is learned first."""
RATE, GAIN, LIMIT = 0.05, 2.0, 4.0
"""Dual ascent in units of the task loss: integral gain, proportional gain (damps oscillation) and bound of the price.
A gate freezes when the price of an update stays above about 2."""
ANNEAL_UNTIL, HARD_FROM = 0.5, 0.7
"""Fractions of the training: the mask is fully sharp after the first, and hard, as exported, from the second."""


def mask_mode(progress: float, levels: int) -> MaskMode:
    """Return the mask's form at `progress` in [0, 1]: its sharpness grows geometrically, then the mask is hard."""
    grown = min(progress / ANNEAL_UNTIL, 1.0)
    sharpness = levels * SHARPNESS[0] * (SHARPNESS[1] / SHARPNESS[0]) ** grown
    hard = progress >= HARD_FROM
    return MaskMode(levels * SHARPNESS[1] / 2 if hard else sharpness, hard)


def cosine(progress: float, first: float, last: float) -> float:
    """Return the learning rate at `progress` in [0, 1]: half a cosine from `first` to `last`."""
    return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2


def shares_for(target: float, spec: CellSpec) -> tuple[float, float]:
    """Return the share to train for and the largest share to keep, if `target` is promised.

    Every row updates at least the smallest level, so neither is below it.
    """
    aim = max(AIM * target, (spec.boundaries[0] / spec.hidden + target) / 2)
    return aim, max(MOST * target, aim)


def share_budget(progress: float, target: float) -> float:
    """Return the updated share to aim at: it falls from START_SHARE to the target."""
    return target + max(START_SHARE - target, 0.0) * max(0.0, 1.0 - progress / ANNEAL_UNTIL)


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
