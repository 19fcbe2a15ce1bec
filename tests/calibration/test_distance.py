"""The distance to rows seen in training: small near any of the operating states, large elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.detectors import recording
from tests.support.fits import fitted
from vcedge.calibration.distance import CENTROIDS, LEAST_DISTINCT, fit_centroids, squared_distances, tells
from vcedge.calibration.statistic import SURE_ROWS
from vcedge.schema import F64

STATES = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, 3.0]])


def states(seed: int, rows: int) -> F64:
    """Return rows of a machine that changes between three operating states."""
    rng = np.random.default_rng(seed)
    return np.asarray(STATES[np.arange(rows) // 40 % 3] + 0.1 * rng.standard_normal((rows, 2)))


def test_rows_between_the_operating_states_are_far_away() -> None:
    centroids = fit_centroids(states(1, 3000), 3000, np.ones(2))
    usual = np.quantile(centroids.distances(states(2, 1000)), 0.99)
    assert centroids.distances(np.array([[0.0, 0.0]]))[0] > 3 * usual  # the mean of all rows, within every range
    assert (centroids.distances(STATES) < usual).all()


def test_constants_are_left_out() -> None:
    rows = np.hstack([states(1, 1000), np.zeros((1000, 1))])
    centroids = fit_centroids(rows, 1000, np.array([1.0, 1.0, 0.0]))
    moved = rows[:10].copy()
    moved[:, 2] = 9.0
    assert np.array_equal(centroids.distances(moved), centroids.distances(rows[:10]))
    without = fit_centroids(rows[:, :2], 1000, np.ones(2))
    assert centroids.distances(rows) == pytest.approx(without.distances(rows[:, :2]))


def test_number_of_centroids_grows_with_the_rows() -> None:
    counts = [len(fit_centroids(states(1, n), n, np.ones(2)).centers) for n in (30, 250, 5000)]
    assert counts == [CENTROIDS[0], 10, CENTROIDS[1]]


def test_few_distinct_rows_tell_nothing() -> None:
    assert not tells(np.tile(np.arange(float(LEAST_DISTINCT))[:, None], (20, 1)))
    assert tells(np.arange(LEAST_DISTINCT + 1.0)[:, None])
    steps = recording(1, 1000, 2)
    steps[:, :] = np.round(np.clip((steps - steps.mean(axis=0)) / steps.std(axis=0), -2, 2))
    assert fitted(steps)[0].scorer.distance is None


def test_weight_grows_with_the_rows_up_to_one() -> None:
    weights = []
    for rows in (500, 3000):
        distance = fitted(recording(1, rows, 3))[0].scorer.distance
        assert distance is not None
        weights.append(distance.weight)
    assert weights == [400 / SURE_ROWS, 1.0]


@given(st.integers(2, 60), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_distances_are_those_to_the_nearest_centroid(rows: int, channels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    z = np.clip(10 * rng.standard_normal((rows, channels)), -10, 10)
    centroids = fit_centroids(z, rows, np.ones(channels))
    direct = np.sqrt(((z[:, None] * centroids.scale - centroids.centers) ** 2).mean(axis=2).min(axis=1))
    np.testing.assert_allclose(centroids.distances(z), direct, atol=1e-6)
    assert np.isfinite(centroids.centers).all()
    assert (squared_distances(z, z).diagonal() >= 0).all()
