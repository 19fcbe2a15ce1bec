"""The fitted statistic: the engine computes what calibration fits, and no row is judged by a model that has seen it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.detectors import recording, recording_of
from tests.support.fits import Steps, cyclic, fitted, steps
from vcedge.calibration.cycle import CycleModel
from vcedge.calibration.distance import Centroids
from vcedge.calibration.recalibrate import recalibrate
from vcedge.calibration.split import rows_in
from vcedge.detector import Detector
from vcedge.schema import F64
from vcedge.scorer import HIGH_NATS, LEAST_NATS, MOST_NATS, NOVELTY_REST, READINGS, TRACKS

PERIOD = 20


def cyclic_and_more(seed: int, rows: int) -> F64:
    """Return three sensors that repeat a cycle, a command, and a constant."""
    values = np.hstack([cyclic(seed, rows, PERIOD), np.zeros((rows, 2))])
    values[:, 3] = np.arange(rows) // (PERIOD // 2) % 2
    values[:, 4] = 3.0
    return values


@pytest.fixture(scope="module")
def detector() -> Detector:
    return fitted(cyclic_and_more(1, 3000))[0]


@pytest.fixture(scope="module")
def faulty() -> F64:
    """New rows: at first normal, then one channel shifts, then the cycle is slower."""
    values = cyclic_and_more(2, 800)
    values[300:380, 1] += np.linspace(0, 3, 80)
    values[500:, :3] = cyclic(3, 300, 26)
    values[700:, 4] = 4.0
    return values


@pytest.fixture(scope="module")
def found(detector: Detector, faulty: F64) -> Steps:
    return steps(detector, faulty)


def readings_of(detector: Detector, smooth: F64, novelty: F64) -> F64:
    """Return the readings (N, READINGS) by their definition, from smoothed squares (N, TRACKS, C)."""
    scorer, sensors, columns = detector.scorer, detector.sensors, []
    for index, track in enumerate(TRACKS):
        squares = smooth[:, index, sensors]
        if track.amount == "roots":
            columns.append(np.sqrt(squares).mean(axis=1))
        elif track.amount == "rms":
            columns.append(np.sqrt(squares.mean(axis=1)))
        elif track.amount == "sum":
            columns.append(squares.sum(axis=1))
        lines = scorer.intercept[index, sensors], scorer.slope[index, sensors]
        nats = np.clip(lines[0] + lines[1] * np.log(np.maximum(squares, 1e-12)), 0, 30)
        columns.append(1 + (nats**track.power).mean(axis=1) ** (1 / track.power))
    return np.column_stack([*columns, novelty])


def test_all_parts_are_fitted(detector: Detector) -> None:
    assert [channel.role for channel in detector.schema.channels] == [
        "sensor",
        "sensor",
        "sensor",
        "command",
        "constant",
    ]
    assert detector.scorer.distance is not None
    assert detector.scorer.cycle is not None
    assert detector.scorer.cycle.period == PERIOD
    assert detector.scorer.weights == pytest.approx(np.full(READINGS, 1 / READINGS))


def test_readings_of_the_engine_follow_their_definition(detector: Detector, found: Steps) -> None:
    expected = readings_of(detector, found.smooth, found.readings[:, -1])
    np.testing.assert_allclose(found.readings, expected, rtol=1e-9)


def test_statistic_of_the_engine_is_the_sum_of_what_calibration_computes(detector: Detector, found: Steps) -> None:
    scorer = detector.scorer
    assert scorer.distance is not None
    assert scorer.cycle is not None
    mean = np.log(np.maximum(found.readings / scorer.usual, 1e-6)) @ scorer.weights
    nats = scorer.line.nats(mean, LEAST_NATS, MOST_NATS)
    centroids = Centroids(scorer.distance.scale.astype(float), scorer.distance.centroids.astype(float))
    model = CycleModel(
        scorer.cycle.block, scorer.cycle.blocks, scorer.cycle.mean.astype(float), scorer.cycle.scale.astype(float)
    )

    def excess(reading: F64, offset: float, gain: float) -> F64:
        return np.maximum(0, np.clip(offset + gain * np.log(np.maximum(reading, 1e-9)), 0, 60) - HIGH_NATS)

    distance = excess(centroids.distances(found.z), scorer.distance.line.offset, scorer.distance.line.gain)
    cycle = excess(model.deviations(found.z), scorer.cycle.line.offset, scorer.cycle.line.gain)
    settled = slice(PERIOD, None)  # before the first cycle is complete the engine reads none
    assert distance.max() > 1.0
    assert cycle.max() > 1.0
    expected = nats + scorer.distance.weight * distance + cycle
    np.testing.assert_allclose(found.raw[settled], expected[settled], rtol=1e-3, atol=0.02)


def test_contributions_sum_to_the_statistic_and_name_the_channel(detector: Detector, found: Steps) -> None:
    np.testing.assert_allclose(found.contributions.sum(axis=1), np.maximum(found.raw, 0), rtol=1e-9, atol=1e-9)
    assert (found.contributions >= 0).all()
    assert found.contributions[340:380].sum(axis=0).argmax() == 1


def test_a_new_value_of_a_constant_is_novel_and_lasts(detector: Detector, faulty: F64, found: Steps) -> None:
    assert found.readings[:200, -1] == pytest.approx(NOVELTY_REST, abs=0.2)
    same = faulty.copy()
    same[700:, 4] = 3.0
    without = steps(detector, same)
    assert (found.readings[705:, -1] > without.readings[705:, -1] + 0.4).all()
    assert (found.raw[705:] > without.raw[705:]).all()
    assert without.contributions[705:, 4].max() == 0.0


def test_faults_are_far_above_the_threshold_and_normal_rows_are_not(detector: Detector, found: Steps) -> None:
    threshold = detector.calibration.threshold
    assert (found.raw[60:300] > threshold).mean() < 0.05
    assert (found.raw[340:380] > threshold + 5).all()
    assert (found.raw[560:] > threshold + 2).all()


def test_cross_fitted_rows_cover_each_row_once_and_resemble_new_ones() -> None:
    values, sequences = recording(1, 4000, 3), ((0, 1500), (1500, 4000))
    detector, linear = fitted(values, sequences)
    statistic = linear.statistic
    assert statistic.rows == rows_in(linear.split.fitted) == 3200
    assert [len(block) for block in statistic.cross_fitted] == [800] * 4
    assert [len(stretch) for stretch in statistic.stretches] == [1500, 1700]
    assert statistic.ranges == ((0, 1500), (1500, 3200))
    assert np.array_equal(np.concatenate(statistic.cross_fitted), np.concatenate(statistic.stretches))
    seen = np.concatenate(statistic.cross_fitted)
    new = steps(detector, recording(2, 4000, 3)).raw
    assert np.median(seen) == pytest.approx(np.median(new), abs=0.4)
    assert np.quantile(seen, 0.99) == pytest.approx(np.quantile(new, 0.99), abs=1.0)


def test_few_rows_do_not_make_training_rows_look_better_than_new_ones() -> None:
    """Scored by the model that was fitted to them, rows of few data would look far more usual than new rows."""
    values = np.random.default_rng(0).standard_normal((400, 8))
    detector, linear = fitted(values)
    seen = np.concatenate(linear.statistic.cross_fitted)
    same = steps(detector, values[:320]).raw
    new = steps(detector, np.random.default_rng(1).standard_normal((2000, 8))).raw
    assert np.median(same) < np.median(new) - 0.3
    assert np.median(seen) > np.median(new) - 0.3


@pytest.mark.parametrize("kinds", [("command",), ("constant",), ("command", "constant")])
def test_without_sensors_only_novelty_counts(kinds: tuple[str, ...]) -> None:
    rng = np.random.default_rng(3)
    values = np.tile([1.0, 2.0, 0.0], (1000, 1))
    if "command" in kinds:
        values[:, 0] = np.repeat(rng.integers(0, 2, 50), 20)
    if kinds == ("command",):
        values[:, 1:] = values[:, :1]
    detector, linear = fitted(values)
    assert {channel.role for channel in detector.schema.channels} == set(kinds)
    assert all((block == 0).all() for block in linear.statistic.cross_fitted)
    assert (detector.scorer.distance, detector.scorer.cycle) == (None, None)
    new = values[:200].copy()
    new[100:, 0] = 5.0
    raw = steps(detector, new).raw
    assert np.abs(raw[:100]).max() < 1e-9
    assert (raw[101:] > detector.calibration.threshold).all()
    assert detector.calibration.score(float(raw[150])) > 0.99


@pytest.mark.parametrize("missing", [0.05, 0.3])
def test_missing_values_in_training_and_after(missing: float) -> None:
    detector, linear = fitted(recording(4, 2000, 4, missing=missing))
    assert all(np.isfinite(block).all() for block in linear.statistic.cross_fitted)
    whole, holes = recording(5, 1500, 4), recording(5, 1500, 4, missing=missing)
    raw = [steps(detector, values).raw for values in (whole, holes)]
    assert np.isfinite(raw[1]).all()
    assert (raw[1] > detector.calibration.threshold).mean() < (raw[0] > detector.calibration.threshold).mean() + 0.05


def test_a_wider_span_smooths_more() -> None:
    values, new = recording(6, 1500, 3), recording(7, 1500, 3)
    base = fitted(values)[0]
    raw = steps(base, new).raw
    slow = recalibrate(replace(base, scorer=replace(base.scorer, span=100.0)), recording_of(values), 1.0)
    assert slow.scorer.span == 100.0
    jumps = [np.abs(np.diff(found)).mean() for found in (raw, steps(slow, new).raw)]
    assert jumps[1] < 0.7 * jumps[0]


@pytest.mark.parametrize("period", [2, 5, 60])
def test_a_cycle_that_repeats_exactly_is_normal_and_a_jump_is_not(period: int) -> None:
    values = np.stack([np.sin(2 * np.pi * np.arange(4000) / period + 0.3), np.arange(4000) % period], axis=1)
    values[3900:, 0] += 20 * values[:, 0].std()
    detector, _ = fitted(values[:3000])
    raw = steps(detector, values[3000:]).raw
    threshold = detector.calibration.threshold
    assert raw[:900].max() < threshold
    assert raw[900:].min() > threshold
