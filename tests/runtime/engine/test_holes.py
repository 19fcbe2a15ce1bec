"""Missing values: a hole gets the likeliest value, so that it neither raises nor hides anything, however long it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.detectors import recording, samples, tiny_detector, with_roles
from vcedge.detector import Detector
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64

ENGINES = ("numpy", "auto")
LINEAR = tiny_detector(channels=4, cell=None)
ROLES = with_roles(tiny_detector(channels=5, cell=None), ("sensor", "command", "constant", "sensor", "sensor"))


def raw_of(detector: Detector, values: F64, engine: str = "numpy") -> F64:
    runs = load_engine(detector, engine)
    state = runs.new_state()
    return np.array([runs.step(row, state)[0] for row in values])


def test_a_missing_sensor_gets_its_forecast_and_what_the_others_tell() -> None:
    engine, highway = NumpyEngine(LINEAR), LINEAR.highway
    state, values = engine.new_state(), recording(5, 101, 4)
    for row in values[:100]:
        engine.step(row, state)
    features = LINEAR.features
    z = (values[100] - features.center) / features.scale
    error = (z - state.forecast - highway.bias) / highway.spread
    inverse = np.linalg.inv(np.linalg.inv(LINEAR.scorer.whiten.astype(float) @ LINEAR.scorer.whiten))
    likely = -sum(inverse[1, o] * error[o] for o in (0, 2, 3)) / inverse[1, 1]
    values[100, 1] = np.nan
    expected = state.forecast[1] + highway.bias[1] + highway.spread[1] * likely
    engine.step(values[100], state)
    assert state.lags[0, 1] == pytest.approx(expected, rel=1e-5)
    assert state.residual[1] == pytest.approx(likely, rel=1e-3)


def test_one_of_two_sensors_that_agree_fills_the_other() -> None:
    """With residuals of correlation .99 the filled value is near the true one, whatever the forecast missed."""
    correlated = np.array([[1.0, 0.99], [0.99, 1.0]])
    values, vectors = np.linalg.eigh(correlated)
    whiten = (vectors / np.sqrt(values)) @ vectors.T
    detector = tiny_detector(channels=2, cell=None)
    detector = replace(detector, scorer=replace(detector.scorer, whiten=whiten.astype(np.float32)))
    engine = NumpyEngine(detector)
    state = engine.new_state()
    for row in recording(5, 50, 2):
        engine.step(row, state)
    highway, features = detector.highway, detector.features
    z = state.forecast + highway.bias + highway.spread * np.array([6.0, 6.0])
    row = features.center + features.scale * z
    engine.step(np.array([row[0], np.nan]), state)
    assert state.lags[0, 1] == pytest.approx(z[1], abs=0.1 * float(highway.spread[1]))


@pytest.mark.parametrize("engine", ENGINES)
def test_before_a_forecast_and_without_one_the_last_value_stays(engine: str) -> None:
    runs = load_engine(ROLES, engine)
    state, values = runs.new_state(), recording(5, 20, 5)
    values[0, 0] = np.nan
    values[1:, 1] = values[1:, 2] = np.nan
    values[1, 3] = np.nan
    for row in values[:2]:
        runs.step(row, state)
    assert state.lags[1, 0] == 0.0
    assert state.lags[0, 3] == state.lags[1, 3] != 0.0
    for row in values[2:]:
        runs.step(row, state)
    command, constant = ((values[0, c] - ROLES.features.center[c]) / ROLES.features.scale[c] for c in (1, 2))
    assert state.lags[0, 1:3] == pytest.approx([command, constant], rel=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("share", [0.05, 0.25])
def test_random_holes_do_not_raise_the_statistic(share: float, engine: str) -> None:
    values = recording(9, 2500, 4)
    holed = np.where(np.random.default_rng(2).random(values.shape) < share, np.nan, values)
    whole, found = (raw_of(LINEAR, rows, engine)[100:] for rows in (values, holed))
    assert np.median(found) < np.median(whole) + 0.2
    assert np.quantile(found, 0.99) < np.quantile(whole, 0.99) + 0.5
    assert np.median(found) > np.median(whole) - (1.0 if share < 0.1 else 3.0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("channel", range(4))
def test_a_dead_sensor_raises_no_statistic(channel: int, engine: str) -> None:
    values = recording(8, 4000, 4)
    detector = replace(LINEAR, scorer=replace(LINEAR.scorer, distance=None, cycle=None))  # random ones fit no row
    whole = raw_of(detector, values, engine)
    values[300:3700, channel] = np.nan
    holed = raw_of(detector, values, engine)
    assert np.isfinite(holed).all()
    assert holed[300:].max() < whole.max() + 1.0
    assert np.median(holed[300:3700]) < np.median(whole) + 0.2


@pytest.mark.parametrize("channel", range(4))
def test_a_dead_sensor_does_not_diverge_where_its_feedback_oscillates(channel: int) -> None:
    """A forecast fed back to itself must not grow."""
    weights = LINEAR.highway.weights.copy()
    weights[1:5] = 0.1
    np.fill_diagonal(weights[1:5], 1.6)
    weights[5:9] = 0.0
    np.fill_diagonal(weights[5:9], -0.75)
    detector = replace(LINEAR, highway=replace(LINEAR.highway, weights=weights))
    values = recording(8, 900, 4)
    whole = raw_of(detector, values)
    values[300:600, channel] = np.nan
    assert raw_of(detector, values).max() < whole.max() + 3.0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sensor_that_dies_for_thousands_of_rows_keeps_no_event_open(engine: str) -> None:
    threshold = float(np.quantile(raw_of(LINEAR, recording(9, 4000, 4)), 0.99)) + 0.1
    limits = replace(LINEAR.calibration, threshold=threshold, median=0.7, memory=200.0, lasting=threshold)
    stream = Stream(load_engine(replace(LINEAR, calibration=limits), engine))
    values = recording(10, 5000, 4)
    values[:, 2] = np.where(np.arange(5000) < 400, values[:, 2], np.nan)
    open_rows = 0
    for sample in samples(values):
        stream.push(sample)
        open_rows += stream.in_event
    assert open_rows < 0.03 * 5000
    assert not stream.in_event


@pytest.mark.parametrize("engine", ENGINES)
def test_a_fault_of_another_sensor_is_found_beside_a_dead_one(engine: str) -> None:
    values = recording(8, 900, 4)
    values[:, 2] = np.where(np.arange(900) < 300, values[:, 2], np.nan)
    quiet = raw_of(LINEAR, values, engine)
    values[700:760, 0] += 6 * LINEAR.features.scale[0] * np.resize([1.0, -1.0], 60)
    assert (raw_of(LINEAR, values, engine)[705:760] > quiet[705:760] + 5.0).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_holes_of_a_cycle_get_mean_and_spread_of_the_last_cycle(engine: str) -> None:
    detector = tiny_detector(cell=None)
    cycle = detector.scorer.cycle
    assert cycle is not None
    runs = load_engine(detector, engine)
    state, values = runs.new_state(), recording(5, 2 * cycle.period, 3)
    values[cycle.period :, 1] = np.nan
    for row in values[: cycle.period]:
        runs.step(row, state)
    before = state.cycle_ring.copy()
    for row in values[cycle.period :]:
        runs.step(row, state)
    np.testing.assert_allclose(state.cycle_ring[:, :, 1], before[:, :, 1], rtol=1e-12)
    assert (state.cycle_ring[:, 0, 0] != before[:, 0, 0]).all()
