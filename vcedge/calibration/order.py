"""Chooses the order of the linear forecasters by the error on rows that the fit did not use.

The best forecaster is not the best detector: with more past rows it learns to follow a fault. So ORDERS has two
candidates, and the second replaces the first only where it is clearly better (docs/decisions has the numbers).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.calibration.linear_model import AHEAD, Rows, fit_linear_model
from vcedge.calibration.split import Ranges, all_but, cut_blocks

ORDERS = (5, 2)
RIDGE = 10.0
CLEARLY = 0.9
"""Largest ratio of the second order's squared error to the first's with which it is chosen."""
MOST_ERROR = 25.0
"""Largest squared error that counts, in squared standard deviations of the channel."""


@dataclass(frozen=True)
class OrderChoice:
    """Holds order and ridge, and the mean squared errors of the candidates on cross-fitted rows."""

    order: int
    ridge: float
    losses: tuple[tuple[int, float], ...] = ()
    """(order, mean squared error in squared standard deviations) of each candidate; empty if nothing was chosen."""


def most_reach(order: int | None = None) -> int:
    """Return how many rows before the present one the forecasters of all candidates, and of a given order, need."""
    return max(*ORDERS, order or 0) + AHEAD - 1


def choose_order(rows: Rows, ranges: Ranges, order: int | None, ridge: float | None) -> OrderChoice:
    """Choose the order, if it is not given, on ranges of rows."""
    ridge = RIDGE if ridge is None else ridge
    if order is not None or not rows.sensors.any():
        return OrderChoice(order or ORDERS[0], ridge)
    losses = tuple((candidate, _loss(rows, ranges, candidate, ridge)) for candidate in ORDERS)
    return OrderChoice(ORDERS[1 if losses[1][1] < CLEARLY * losses[0][1] else 0], ridge, losses)


def _loss(rows: Rows, ranges: Ranges, order: int, ridge: float) -> float:
    """Return the mean squared error of the sensors on cross-fitted rows."""
    blocks, found = cut_blocks(ranges), []
    for number, block in enumerate(blocks):
        model = fit_linear_model(rows, all_but(blocks, number), order, ridge)
        squares = model.squares(model.standardised(rows), block, rows)["single"]
        found.append(np.minimum(squares * model.highway.spread**2, MOST_ERROR)[:, rows.sensors])
    return float(np.nanmean(np.concatenate(found)))
