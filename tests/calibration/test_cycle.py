"""The machine's own cycle: its period, and what is usual of its mean and spread."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.detectors import recording
from tests.support.fits import cyclic, fitted, steps
from vcedge.calibration.cycle import BLOCKS, LEAST_CYCLES, cycle_statistics, find_period, fit_cycle, split_period
from vcedge.schema import F64


@given(st.integers(5, 60), st.integers(0, 1000))
def test_period_of_a_cyclic_signal_is_found(period: int, seed: int) -> None:
    rows = 60 * period
    found = find_period(cyclic(seed, rows, period), rows)
    assert found % period == 0 or abs(found - period) <= 1
    assert found > 0


@given(st.integers(0, 1000))
def test_noise_has_no_period(seed: int) -> None:
    assert find_period(np.random.default_rng(seed).standard_normal((3000, 2)), 3000) == 0


@given(st.integers(0, 1000))
def test_a_random_walk_has_no_period(seed: int) -> None:
    walk = np.cumsum(np.random.default_rng(seed).standard_normal((3000, 3)), axis=0)
    assert find_period(walk, 3000) == 0


def test_other_signals_without_a_period() -> None:
    assert find_period(recording(1, 3000, 3), 3000) == 0
    assert find_period(np.zeros((3000, 2)), 3000) == 0
    assert find_period(np.linspace(0, 1, 3000)[:, None], 3000) == 0
    assert find_period(np.zeros((3000, 0)), 3000) == 0


def test_a_period_that_is_not_repeated_often_counts_as_none() -> None:
    values = cyclic(1, 3000, 100)
    assert find_period(values, 3000) == 0
    assert find_period(values, LEAST_CYCLES * 100) == 100


@given(st.integers(4, 2000))
def test_blocks_multiply_to_about_the_period(period: int) -> None:
    block, blocks = split_period(period)
    assert blocks <= BLOCKS[1]
    assert abs(block * blocks - period) <= max(0.03 * period, 1)
    if period <= BLOCKS[1]:
        assert (block, blocks) == (1, period)


@given(st.integers(1, 40), st.integers(1, 12))
def test_statistics_are_mean_and_spread_of_the_last_rows(rows: int, period: int) -> None:
    z = np.random.default_rng(rows).standard_normal((rows, 2))
    mean, spread = cycle_statistics(z, period)
    last = z[max(rows - period, 0) :]
    assert mean[-1] == pytest.approx(last.mean(axis=0))
    assert spread[-1] == pytest.approx(np.log(last.std(axis=0) + 0.02), abs=1e-5)


def standardised(values: F64) -> F64:
    return np.asarray((values - values.mean(axis=0)) / values.std(axis=0))


def test_a_small_change_of_the_cycle_is_far_from_usual() -> None:
    """One row does not show it: each value is within the range of normal ones."""
    z = standardised(cyclic(1, 4000, 20, noise=0.3))
    model = fit_cycle([z[:3000]], 20, np.ones(3))
    usual = model.deviations(z[3000:])
    shifted = z[3000:].copy()
    shifted[500:, 0] = 0.6 + 0.6 * shifted[500:, 0]
    changed = model.deviations(shifted)
    assert np.array_equal(changed[:499], usual[:499])
    assert changed[520:].min() > 2 * np.quantile(usual[20:], 0.99)


def test_deviation_changes_where_a_block_is_complete() -> None:
    z = standardised(cyclic(1, 4000, 96))
    model = fit_cycle([z], 96, np.ones(3))
    assert (model.block, model.blocks) == (4, 24)
    found = model.deviations(z[:1000])
    changes = np.flatnonzero(np.diff(found)) + 1
    assert set((changes + 1) % 4) == {0}
    assert (found[:95] <= 1).all()  # an incomplete cycle is no evidence


def test_neighbouring_cycles_that_differ_little_count_as_few() -> None:
    z = standardised(cyclic(1, 4000, 20))
    slow = z + np.sin(np.arange(4000) / 600)[:, None]  # the mean drifts over thirty cycles
    live = np.ones(3)
    sure, unsure = fit_cycle([z], 20, live), fit_cycle([slow], 20, live)
    variances = [cycle_statistics(rows, 20)[0, 19:].var(axis=0) for rows in (z, slow)]
    inflation = [
        1 / (model.scale[0] ** 2 * np.maximum(v, 1e-6)) for model, v in zip((sure, unsure), variances, strict=True)
    ]
    assert (inflation[1] > 5 * inflation[0]).all()


def test_gaps_and_constants() -> None:
    z = standardised(cyclic(1, 4000, 20))
    z[:, 2] = 0.0
    model = fit_cycle([z[:1500], z[1507:]], 20, np.array([1.0, 1.0, 0.0]))
    assert (model.scale[:, 2] == 0).all()
    moved = z[:500].copy()
    moved[:, 2] = 5.0
    assert np.array_equal(model.deviations(moved), model.deviations(z[:500]))


def test_only_a_recording_that_repeats_a_cycle_has_one() -> None:
    assert fitted(recording(1, 2000, 3))[0].scorer.cycle is None
    cycle = fitted(cyclic(1, 3000, 30))[0].scorer.cycle
    assert cycle is not None
    assert cycle.period == 30
    pieces = tuple((start, start + 40) for start in range(0, 3000, 40))
    assert fitted(cyclic(1, 3000, 30), pieces)[0].scorer.cycle is None  # no stretch shows two


def test_holes_do_not_make_a_cycle_unusual() -> None:
    detector = fitted(cyclic(1, 4000, 30))[0]
    new = cyclic(2, 1500, 30)
    holes = new.copy()
    holes[np.random.default_rng(0).random(new.shape) < 0.1] = np.nan
    raw = [steps(detector, values).raw[60:] for values in (new, holes)]
    threshold = detector.calibration.threshold
    assert (raw[1] > threshold).mean() <= (raw[0] > threshold).mean() + 0.05
