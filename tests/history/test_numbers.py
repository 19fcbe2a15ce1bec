"""Numbers in cells of text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcedge.history.numbers import floats_of, number_of, numeric_share


@pytest.mark.parametrize(
    ("cell", "decimal", "value"),
    [
        ("1.5", ".", 1.5),
        (" -2 ", ".", -2.0),
        ("1e-3", ".", 1e-3),
        ("1,5", ",", 1.5),
        ("-1,5E2", ",", -150.0),
        ("12", ",", 12.0),
        ("TRUE", ".", 1.0),
        ("false", ",", 0.0),
    ],
)
def test_numbers_are_read(cell: str, decimal: str, value: float) -> None:
    assert number_of(cell, decimal) == value
    assert floats_of([cell, "2"], decimal, pytest.fail).tolist() == [value, 2.0]


@pytest.mark.parametrize("cell", ["", "  ", "nan", "NaN", "NULL", "n/a", "-"])
def test_missing_values_are_recognised(cell: str) -> None:
    assert np.isnan(floats_of([cell], ".", pytest.fail)).all()


@pytest.mark.parametrize("cell", ["Bad", "1_000", "١٢", "inf", "-Infinity", "1e999", "0x10", "1,5", "1.2.3"])
def test_other_texts_are_missing_and_reported(cell: str) -> None:
    reported: list[str] = []
    assert np.isnan(floats_of([cell, "1"], ".", reported.append)).tolist() == [True, False]
    assert reported == [cell]


def test_point_is_refused_with_decimal_comma() -> None:
    reported: list[str] = []
    values = floats_of(["1,5", "1.234", "1.234,5"], ",", reported.append)
    assert values[0] == 1.5
    assert reported == ["1.234", "1.234,5"]


def test_share_of_numbers() -> None:
    assert numeric_share(["1", "x", "", "2"], ".") == 2 / 3
    assert np.isnan(numeric_share(["", "null"], "."))


@given(st.lists(st.floats(allow_infinity=False)))
def test_every_float_round_trip(values: list[float]) -> None:
    cells = [repr(value) for value in values]
    np.testing.assert_array_equal(floats_of(cells, ".", pytest.fail), values)
    commas = [cell.replace(".", ",") for cell in cells]
    np.testing.assert_array_equal(floats_of(commas, ",", pytest.fail), values)


@given(st.lists(st.text(max_size=8)), st.sampled_from(".,"))
def test_column_is_read_like_its_cells(cells: list[str], decimal: str) -> None:
    reported: list[str] = []
    values = floats_of(cells, decimal, reported.append)
    alone = [number_of(cell, decimal) for cell in cells]
    np.testing.assert_array_equal(values, [np.nan if value is None else value for value in alone])
    assert reported == [cell.strip() for cell, value in zip(cells, alone, strict=True) if value is None]
