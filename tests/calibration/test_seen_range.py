"""The range that each channel showed in training, and the margin around it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vcedge.calibration import seen_range
from vcedge.calibration.seen_range import BLOCKS, LEAST_MARGIN, ROUNDING
from vcedge.schema import F64, LARGEST_READING
from vcedge.seen_range import SeenRange


def fit_seen_range(values: F64) -> SeenRange:
    return seen_range.fit_seen_range(values, ((0, len(values)),))


def column(values: F64) -> SeenRange:
    return fit_seen_range(values[:, None])


def test_a_stationary_channel_has_the_least_margin() -> None:
    seen = column(np.tile([10.0, 14.0, 12.0, 11.0], 100))
    assert (seen.low[0], seen.high[0]) == (10.0, 14.0)
    assert seen.margin_low[0] == seen.margin_high[0] == seen.margin[0] == pytest.approx(4 * LEAST_MARGIN)


def test_a_drifting_channel_has_a_margin_of_what_a_block_adds() -> None:
    seen = column(np.arange(800.0))
    assert (seen.low[0], seen.high[0], seen.margin_low[0], seen.margin_high[0]) == (0.0, 799.0, 100.0, 100.0)


def test_a_cold_start_widens_the_lower_end_alone() -> None:
    values = np.tile([40.0, 44.0, 42.0, 41.0], 100)
    values[:20] = np.linspace(20.0, 40.0, 20)
    seen = column(values)
    assert (seen.margin_low[0], seen.margin_high[0]) == (20.0, pytest.approx(24 * LEAST_MARGIN))


def test_a_channel_that_stood_still_has_a_margin_for_rounding_only() -> None:
    seen = fit_seen_range(np.tile([0.0, 21.1], (100, 1)))
    assert seen.low.tolist() == seen.high.tolist() == [0.0, 21.1]
    assert seen.margin.tolist() == [0.0, 21.1 * ROUNDING]
    assert abs(float(np.float32(21.1)) - 21.1) <= seen.margin[1]


def test_missing_values_and_channels() -> None:
    values = np.full((80, 3), np.nan)
    values[::3, 0] = 1.0
    values[5:8, 1] = [3.0, 7.0, 5.0]  # one block has all values: its neighbours say nothing about the margin
    seen = fit_seen_range(values)
    assert seen.low.tolist() == [1.0, 3.0, -LARGEST_READING]
    assert seen.high.tolist() == [1.0, 7.0, LARGEST_READING]
    assert seen.margin_low[1] == seen.margin_high[1] == 4.0
    assert np.isfinite(seen.margin).all()


def test_rows_outside_the_sequences_were_not_seen() -> None:
    values = np.tile([10.0, 14.0, 12.0, 11.0], 100)[:, None]
    values[150:170] = 99.0  # as left out by labels
    values[:3] = values[-2:] = -99.0
    seen = seen_range.fit_seen_range(values, ((3, 150), (170, 398)))
    assert (seen.low[0], seen.high[0]) == (10.0, 14.0)


def test_the_margins_of_many_channels_are_wider() -> None:
    values = np.random.default_rng(0).normal(size=(4000, 30))
    few, many = fit_seen_range(values[:2000, :3]), fit_seen_range(values[:2000])
    assert (few.margin <= many.margin[:3]).all()
    beyond = (values[2000:] > many.high + many.margin_high) | (values[2000:] < many.low - many.margin_low)
    assert beyond.sum() <= 6  # of 60,000; 2 channels are expected to exceed their margins


@given(arrays.arrays(np.float64, (64, 2), elements=st.one_of(st.floats(-1e30, 1e30), st.just(np.nan))))
def test_no_block_is_beyond_range_and_margin_of_the_others(values: F64) -> None:
    seen = fit_seen_range(values)
    assert (seen.low <= seen.high).all()
    assert (seen.margin_low >= 0).all()
    assert (seen.margin_high >= 0).all()
    for block in np.split(np.arange(64), BLOCKS):
        others = np.delete(values, block, axis=0)
        for channel in range(2):
            rest, own = others[:, channel], values[block, channel]
            rest, own = rest[np.isfinite(rest)], own[np.isfinite(own)]
            if len(rest) and len(own):
                rounding = 1e-12 * np.abs(values[np.isfinite(values)]).max()
                assert rest.min() - own.min() <= seen.margin_low[channel] + rounding
                assert own.max() - rest.max() <= seen.margin_high[channel] + rounding
