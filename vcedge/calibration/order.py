"""Order and ridge of the linear forecaster, chosen by how well it forecasts rows it has not seen.

The best forecaster is not the best detector: with more rows behind it, it learns to follow a fault, and with less
ridge it leans on differences of channels. So the shortest order is taken that forecasts nearly as well as the best,
and fewer than three rows or less ridge are not tried (docs/decisions/0011-scorer.md has the numbers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vcedge.calibration.highway import SPREAD_FLOOR, fold_sums
from vcedge.calibration.split import Split
from vcedge.detector import Features
from vcedge.schema import F64

ORDERS = (3, 5, 8)
RIDGES = (10.0, 100.0, 1000.0)
NEARLY = 0.05
"""How much larger the error's variance may be than the best, as a logarithm, averaged over channels."""


@dataclass(frozen=True)
class Choice:
    """The order and ridge that are taken, and the held-out error of all that were tried."""

    order: int
    ridge: float
    losses: tuple[tuple[int, float, float], ...]
    """(order, ridge, mean logarithm of the held-out error's variance over channels)."""


def choose_order(
    values: F64, features: Features, split: Split, orders: tuple[int, ...], ridges: tuple[float, ...]
) -> Choice:
    """Order and ridge for values (N, C), by cross-fitting on the rows before the tail."""
    folds = fold_sums(values, features, split, max(orders))
    losses = [(order, ridge, _loss(folds, order, ridge, values.shape[1])) for order in orders for ridge in ridges]
    return Choice(*pick(losses), tuple(losses))


def pick(losses: Sequence[tuple[int, float, float]], nearly: float = NEARLY) -> tuple[int, float]:
    """The shortest order that is nearly as good as the best, and its best ridge, of (order, ridge, loss)."""
    best = min(loss for _, _, loss in losses)
    order = min(order for order, _, loss in losses if loss <= best + nearly)
    return order, min((loss, ridge) for tried, ridge, loss in losses if tried == order)[1]


def _loss(folds: list[tuple[F64, F64, F64, int]], order: int, ridge: float, channels: int) -> float:
    """Mean over channels of the logarithm of the held-out error's variance, no smaller than the spread's floor.

    A shorter order's sums are the upper left block of the longest one's.
    """
    size = 1 + order * channels
    left = sum(fold[0][:size, :size] for fold in folds) + ridge * np.eye(size)
    right = sum(fold[1][:size] for fold in folds)
    squares, rows = np.zeros(channels), 0
    for gram, cross, power, count in folds:
        gram, cross = gram[:size, :size], cross[:size]
        weights = np.linalg.solve(left - gram, right - cross)
        squares += power - 2 * (weights * cross).sum(axis=0) + (weights * (gram @ weights)).sum(axis=0)
        rows += count
    return float(np.log(np.maximum(squares / max(rows, 1), SPREAD_FLOOR**2)).mean())
