"""What changes along a training: the sharpness of the mask, the updated share that is aimed at, the learning rate."""

from __future__ import annotations

import math

from vcedge.detector import CellSpec
from vcedge.train.scheduler import MaskMode

SHARPNESS = (2.0, 8.0)
"""First and last lam D of eq. 8 for each level: from blocks that overlap widely to blocks that hardly do."""
AIM, MOST = 0.7, 0.9
"""The share trained for, and the most that the network kept may have, of the target that is promised: rows never seen
are a little livelier, and a network whose budget is always overdrawn forgets what it should remember."""
START_SHARE = 0.7
ANNEAL_UNTIL, HARD_FROM = 0.5, 0.7
"""Shares of the training after which the mask is fully sharp, and from which the exported, hard mask is used."""


def mask_mode(progress: float, levels: int) -> MaskMode:
    """The mask at a share of the training: its sharpness grows geometrically, then it is hard."""
    grown = min(progress / ANNEAL_UNTIL, 1.0)
    sharpness = levels * SHARPNESS[0] * (SHARPNESS[1] / SHARPNESS[0]) ** grown
    hard = progress >= HARD_FROM
    return MaskMode(levels * SHARPNESS[1] / 2 if hard else sharpness, hard)


def cosine(progress: float, first: float, last: float) -> float:
    """The learning rate at a share of the training."""
    return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2


def shares_for(target: float, spec: CellSpec) -> tuple[float, float]:
    """What is trained for and what the network kept should not exceed, where `target` is promised.

    Neither is out of reach: every row updates the smallest level.
    """
    aim = max(AIM * target, (spec.boundaries[0] / spec.hidden + target) / 2)
    return aim, max(MOST * target, aim)


def share_budget(progress: float, target: float) -> float:
    """The updated share aimed at: from START_SHARE down to the target, so that the dense network is learned first."""
    return target + max(START_SHARE - target, 0.0) * max(0.0, 1.0 - progress / ANNEAL_UNTIL)
