"""The linear forecaster: equal to the strongest simple detector's, and its residuals are those of held-out rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.detectors import recording, tiny_detector
from tests.support.fits import fitted
from tests.support.real_data import data_dir, reference_scoring
from vcedge.calibration.highway import fit_features, fit_highway, fit_weights, intervals, standardise
from vcedge.calibration.split import split_by_time
from vcedge.calibration.trace import run_engine
from vcedge.detector import Detector
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.schema import F64, schema_of

ORDER, RIDGE, SPAN = 5, 10.0, 20.0


def linear_detector(train: F64) -> Detector:
    """Return the detector without network, its forecaster fitted to all rows."""
    rows = ((0, len(train)),)
    features = fit_features(train, rows, flags=False)
    sensors = np.ones(train.shape[1], bool)
    z = standardise(train, features)
    kept = intervals(rows, frozenset({0}), ORDER)
    highway, _ = fit_highway(z, np.isfinite(train), kept, sensors, (ORDER, RIDGE, 1))
    channels = train.shape[1]
    return replace(
        tiny_detector(channels=channels, cell=None),
        schema=schema_of([f"c{i}" for i in range(channels)], 1.0, 10.0),
        features=features,
        highway=highway,
    )


def smoothed_error(detector: Detector, test: F64) -> F64:
    """Return the smoothed mean square of the highway's residuals along some rows, as the simple detector has it."""
    residual = run_engine(NumpyEngine(detector), test, ((0, len(test)),)).residual
    raw = np.minimum(residual.astype(np.float64) ** 2, 1e6).mean(axis=1)
    raw[0] *= 2 / (SPAN + 1)
    for t in range(1, len(raw)):
        raw[t] = raw[t - 1] + 2 / (SPAN + 1) * (raw[t] - raw[t - 1])
    return raw


def simple_detector(train: F64, test: F64) -> F64:
    """Return scores of ridge-VAR(5) with EWMA 20, written from the definition in float64 without the package."""
    mean, sd = train.mean(axis=0), train.std(axis=0)
    z_train, z = (np.clip((x - mean) / sd, -10, 10) for x in (train, test))

    def design(x: F64) -> F64:
        return np.array([np.concatenate(([1.0], x[t - ORDER : t][::-1].ravel())) for t in range(ORDER, len(x))])

    a = design(z_train)
    w = np.linalg.inv(a.T @ a + RIDGE * np.eye(a.shape[1])) @ a.T @ z_train[ORDER:]
    fitted = z_train[ORDER:] - a @ w
    scaled = (z[ORDER:] - design(z) @ w - fitted.mean(axis=0)) / np.maximum(fitted.std(axis=0), 0.05)
    raw = np.zeros(len(z))
    for t in range(ORDER, len(z)):
        error = float(np.minimum(scaled[t - ORDER] ** 2, 1e6).mean())
        raw[t] = raw[t - 1] + 2 / (SPAN + 1) * (error - raw[t - 1])
    return raw


def test_forecaster_equals_the_simple_detector() -> None:
    values = recording(2, 1500, 4)
    train, test = values[:700], values[700:]
    assert smoothed_error(linear_detector(train), test) == pytest.approx(
        simple_detector(train, test), rel=1e-4, abs=1e-6
    )


def test_forecaster_equals_the_reference_on_skab() -> None:
    scoring = reference_scoring()
    for case in list(scoring.load_skab(str(data_dir())))[:4]:
        expected = scoring.b_ridge(case["train"], span=20)(case["test"])
        assert smoothed_error(linear_detector(case["train"]), case["test"]) == pytest.approx(
            expected, rel=1e-4, abs=1e-6
        )


def test_network_off_keeps_only_the_linear_part() -> None:
    detector = tiny_detector(channels=4)
    values = recording(3, 300, 4)
    rows = ((0, len(values)),)
    off = run_engine(NumpyEngine(detector.without_network()), values, rows)
    bare = run_engine(NumpyEngine(tiny_detector(channels=4, cell=None)), values, rows)
    assert not np.array_equal(run_engine(NumpyEngine(detector), values, rows).raw, off.raw)
    assert (off.updated == 0).all()
    assert np.isfinite(bare.raw).all()


def test_the_networks_targets_are_residuals_of_rows_outside_the_fit() -> None:
    values = np.random.default_rng(0).standard_normal((400, 6))  # nothing to forecast: 31 weights fit noise only
    detector, linear = fitted(values)
    residual, features, rows = linear.residual(), detector.features, linear.split.fitted
    weights = fit_weights(values, features, rows[:1], ORDER, 10.0)
    z = standardise(values[:260], features)
    lags = np.hstack([np.ones((255, 1)), *(z[ORDER - k : 260 - k] for k in range(1, ORDER + 1))])
    seen = (z[ORDER:] - lags @ weights).std()
    assert seen < 0.96
    assert float(np.nanstd(residual * detector.highway.spread)) > 1.0
    assert np.isnan(residual[:ORDER]).all()
    assert np.isfinite(residual[ORDER:320]).all()
    assert np.isnan(residual[320:]).all()  # held out from the whole fit


def test_lags_and_state_do_not_cross_a_gap() -> None:
    values = recording(4, 900, 3)
    values[450:] += 50.0  # after the gap everything is elsewhere
    sequences = ((0, 450), (450, 900))
    residual = fitted(values, sequences)[1].residual()
    assert np.isnan(residual[450 : 450 + ORDER]).all()
    assert np.isfinite(residual[450 + ORDER : 720]).all()
    engine, split = NumpyEngine(tiny_detector()), split_by_time(sequences, ORDER)
    trace = run_engine(engine, values, split.all, split.starts)
    assert np.flatnonzero(trace.first).tolist() == [0, 450]
    fresh = run_engine(engine, values, ((450, 900),))
    assert np.array_equal(trace.raw[450:], fresh.raw)


def test_missing_values_are_not_fitted() -> None:
    values = recording(5, 600, 3, missing=0.1)
    detector, linear = fitted(values)
    assert np.isnan(linear.residual()[np.isnan(values)]).all()
    assert np.isfinite(detector.highway.weights).all()
    assert np.isfinite(detector.highway.spread).all()
    # Holding the last value for missing ones would make the usual error of the forecast larger than it is.
    whole = fitted(recording(5, 600, 3))[0].highway.spread
    assert detector.highway.spread == pytest.approx(whole, rel=0.3)


def test_commands_are_context_and_constants_are_nothing() -> None:
    values = recording(6, 1000, 4)
    values[:, 1] = np.arange(1000) // 50 % 2  # a command that channel 0 follows
    values[1:, 0] += 20.0 * values[:-1, 1]
    values[:, 2] = 5.0
    highway = fitted(values)[0].highway
    weights = highway.weights[1:].reshape(ORDER, 4, 4)
    assert (highway.weights[:, [1, 2]] == 0).all()  # neither is forecast
    assert (highway.bias[[1, 2]] == 0).all()
    assert (highway.spread[[1, 2]] == 1).all()
    assert (weights[:, 2] == 0).all()  # a constant is no input
    assert np.abs(weights[0, 1, 0]) > 0.1  # the command is
