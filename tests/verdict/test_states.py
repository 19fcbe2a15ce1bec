"""The share of new operating states in the last quarter of a recording."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcedge.schema import F64
from vcedge.verdict.states import share_of_new_states

ROWS = 2000


def machine(seed: int = 0) -> F64:
    """Return rows of three channels that move about four states, each of which occurs in every quarter."""
    rng = np.random.default_rng(seed)
    states = np.repeat(np.tile([0.0, 3.0, 1.0, 2.0], ROWS // 200), 50)
    return np.column_stack([states, -states, np.zeros(ROWS)]) + rng.standard_normal((ROWS, 3))


def test_a_recording_whose_states_all_occur_before_has_no_new_ones() -> None:
    assert share_of_new_states(machine()) == 0.0


def test_a_state_that_begins_in_the_last_quarter_is_new() -> None:
    values = machine()
    values[-250:, 2] += 8.0
    assert share_of_new_states(values) == pytest.approx(0.5, abs=0.05)


def test_a_short_recording_and_one_that_stands_still_have_no_share() -> None:
    assert share_of_new_states(machine()[:300]) is None
    assert share_of_new_states(np.ones((ROWS, 2))) is None


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(0, 5))
def test_the_share_depends_neither_on_units_nor_on_a_few_missing_values(zero: float, unit: float, seed: int) -> None:
    values = machine(seed)
    values[-200:, 1] -= 9.0
    share = share_of_new_states(values)
    assert share_of_new_states(zero + unit * values) == pytest.approx(share, abs=0.01)
    holes = np.random.default_rng(seed).random(values.shape) < 0.05
    assert share_of_new_states(np.where(holes, np.nan, values)) == pytest.approx(share, abs=0.05)


def test_a_channel_without_any_value_counts_for_nothing() -> None:
    values = machine()
    values[:, 2] = np.nan
    assert share_of_new_states(values) == 0.0
