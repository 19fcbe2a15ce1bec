"""Chooses order and ridge of the linear forecaster by the error on rows that the fit did not use.

The best forecaster is not the best detector: with more past rows it learns to follow a fault, and with less ridge it
relies on differences of channels. So the choice is the shortest order that forecasts nearly as well as the best; orders
below three and smaller ridges are no candidates (docs/decisions/0011-scorer.md has the numbers).
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
"""Logarithm of how much larger the error's variance may be than the best, averaged over channels."""


@dataclass(frozen=True)
class OrderChoice:
    """Holds the chosen order and ridge, and the held-out error of all candidates."""

    order: int
    ridge: float
    losses: tuple[tuple[int, float, float], ...]
    """(order, ridge, mean over channels of the logarithm of the held-out error's variance) of each candidate."""


def choose_order(
    values: F64, features: Features, split: Split, orders: tuple[int, ...], ridges: tuple[float, ...]
) -> OrderChoice:
    """Choose order and ridge for values (N, C) by cross-fitting on the rows before the tail."""
    folds = fold_sums(values, features, split, max(orders))
    losses = [(order, ridge, _loss(folds, order, ridge, values.shape[1])) for order in orders for ridge in ridges]
    return OrderChoice(*best_order(losses), tuple(losses))


def best_order(losses: Sequence[tuple[int, float, float]], nearly: float = NEARLY) -> tuple[int, float]:
    """Return the shortest order that is nearly as good as the best, and its best ridge, of (order, ridge, loss)."""
    best = min(loss for _, _, loss in losses)
    order = min(order for order, _, loss in losses if loss <= best + nearly)
    return order, min((loss, ridge) for tried, ridge, loss in losses if tried == order)[1]


def _loss(folds: list[tuple[F64, F64, F64, int]], order: int, ridge: float, channels: int) -> float:
    """Return the mean over channels of the logarithm of the held-out error's variance, floored as the spread is.

    The sums of a shorter order are the upper left block of those of the longest.
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
