"""The order of the forecasters: five rows, or two where these are clearly better."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.detectors import recording
from tests.support.fits import schema_of_rows
from vcedge.calibration.calibrate import rows_of
from vcedge.calibration.linear_model import AHEAD
from vcedge.calibration.order import CLEARLY, ORDERS, RIDGE, OrderChoice, choose_order, most_reach
from vcedge.schema import F64


def chosen(values: F64, order: int | None = None, ridge: float | None = None) -> OrderChoice:
    rows = rows_of(values, frozenset({0}), schema_of_rows(values))
    return choose_order(rows, ((0, len(values)),), order, ridge)


def test_the_first_is_taken_where_both_are_about_as_good() -> None:
    choice = chosen(recording(1, 1500, 3))
    assert (choice.order, choice.ridge) == (ORDERS[0], RIDGE)
    assert [order for order, _ in choice.losses] == list(ORDERS)


def test_the_second_is_taken_where_few_rows_cannot_tell_so_many_weights() -> None:
    choice = chosen(np.random.default_rng(0).standard_normal((320, 40)))
    assert choice.order == ORDERS[1]
    losses = dict(choice.losses)
    assert losses[ORDERS[1]] < CLEARLY * losses[ORDERS[0]]


def test_a_given_order_is_kept_and_nothing_is_measured() -> None:
    assert chosen(recording(1, 500, 2), order=3, ridge=7.0) == OrderChoice(3, 7.0)
    assert chosen(np.tile([1.0, 2.0], (500, 1))) == OrderChoice(ORDERS[0], RIDGE)  # no sensor to forecast


@pytest.mark.parametrize(("order", "rows"), [(None, 5), (3, 5), (8, 8)])
def test_rows_that_all_candidates_need(order: int | None, rows: int) -> None:
    assert most_reach(order) == rows + AHEAD - 1
