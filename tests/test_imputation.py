"""Imputation: the last value replaces a missing one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcedge.imputation import hold_last
from vcedge.schema import F64

NAN = np.nan


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([NAN, NAN, 3.0, NAN, 5.0, NAN], [7.0, 7.0, 3.0, 3.0, 5.0, 5.0]),
        ([1.0, 2.0], [1.0, 2.0]),
        ([], []),
        ([[NAN, 1.0], [2.0, NAN], [NAN, NAN]], [[7.0, 1.0], [2.0, 1.0], [2.0, 1.0]]),
    ],
)
def test_missing_values_hold_the_last_one(values: list[float], expected: list[float]) -> None:
    rows: F64 = np.array(values, np.float64)
    before = rows.copy()
    np.testing.assert_array_equal(hold_last(rows, np.isnan(rows), 7.0), np.array(expected))
    np.testing.assert_array_equal(rows, before)


@given(st.lists(st.tuples(*[st.floats(-9, 9) | st.just(NAN)] * 2), max_size=12))
def test_columns_are_imputed_as_sample_by_sample(rows: list[tuple[float, float]]) -> None:
    values: F64 = np.array(rows, np.float64).reshape(-1, 2)
    expected, last = [], np.full(2, 7.0)
    for row in values:
        last = np.where(np.isnan(row), last, row)
        expected.append(last)
    held = hold_last(values, np.isnan(values), 7.0)
    np.testing.assert_array_equal(held, np.reshape(expected, (-1, 2)))
