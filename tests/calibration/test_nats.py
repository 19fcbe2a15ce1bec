"""Lines from the logarithm of a reading to nats, and the smoothing before them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from vcedge.calibration.nats import LEAST_WIDTH, fit_line, fit_lines
from vcedge.calibration.readings import weighted_means
from vcedge.schema import F64
from vcedge.scorer import MOST_GROUP_NATS, Line


def test_median_has_ln_2_and_the_99_percent_quantile_ln_100_nats() -> None:
    reading = np.random.default_rng(0).lognormal(1.0, 0.7, 10_000)
    line = fit_line(reading, span=1, rows=10**9)
    nats = line.nats(np.log(np.quantile(reading, [0.5, 0.99])), -20, 200)
    assert nats == pytest.approx([math.log(2), math.log(100)], abs=1e-3)
    exponential = -np.log(np.random.default_rng(1).random(10**6))  # P(nats > n) = e^-n if the tail is as assumed
    line = fit_line(np.exp(exponential), span=1, rows=10**9)
    assert (line.nats(exponential, -20, 200) > 6).mean() == pytest.approx(math.exp(-6), rel=0.2)


@given(st.floats(1, 50), st.integers(100, 10_000))
def test_long_means_of_few_rows_have_flatter_lines(span: float, rows: int) -> None:
    reading = np.random.default_rng(0).lognormal(0.0, 0.5, 500)
    sure, unsure = fit_line(reading, span, 10**9), fit_line(reading, span, rows)
    assert unsure.gain < sure.gain
    middle = float(np.log(np.median(reading)))
    assert unsure.nats(np.array([middle]), -20, 200)[0] == pytest.approx(math.log(2), abs=2e-3)


@given(arrays.arrays(np.float64, st.integers(2, 80), elements=st.floats(0, 1e300)), st.floats(1, 1e4))
def test_every_reading_has_a_finite_rising_line(reading: F64, span: float) -> None:
    line = fit_line(reading, span, len(reading))
    assert math.isfinite(line.offset)
    assert 0 < line.gain <= 3.913 / LEAST_WIDTH


@given(
    arrays.arrays(np.float64, st.tuples(st.integers(2, 60), st.integers(1, 3)), elements=st.floats(1e-12, 1e6)),
    st.floats(1, 500),
)
def test_every_channel_has_a_finite_rising_line(smooth: F64, span: float) -> None:
    intercept, slope = fit_lines(smooth, span)
    assert np.isfinite(intercept).all()
    assert np.isfinite(slope).all()
    assert (slope > 0).all()


def test_channels_that_hardly_vary_have_no_steeper_line_than_a_normal_one() -> None:
    span = 20.0
    _, slope = fit_lines(np.full((10_000, 1), 2.0), span)
    assert slope[0] == pytest.approx(3.912 / (2.33 * math.sqrt(2 / span)), rel=0.01)


@given(st.floats(-50, 50), st.floats(0.1, 100), st.floats(-100, 100))
def test_excess_counts_from_the_99_percent_quantile(offset: float, gain: float, logarithm: float) -> None:
    excess = Line(offset, gain).excess(logarithm)
    nats = offset + gain * logarithm
    assert 0 <= excess <= MOST_GROUP_NATS
    assert (excess > 0) == (nats > 4.605)


@given(
    arrays.arrays(np.float64, st.tuples(st.integers(1, 200), st.integers(1, 3)), elements=st.floats(0, 1e6)),
    st.floats(0.001, 1.0),
)
def test_smoothing_in_chunks_equals_a_step_a_row(rows: F64, alpha: float) -> None:
    start = np.full(rows.shape[1], 2.0)
    expected, state = [], start
    for row in rows:
        state = state + alpha * (row - state)
        expected.append(state)
    np.testing.assert_allclose(weighted_means(rows, alpha, start), expected, rtol=1e-9, atol=1e-6)
