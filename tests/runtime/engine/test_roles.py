"""Roles of channels: a command is context without errors of its own, a constant says something only if it changes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.detectors import recording, tiny_detector, variants, with_roles
from vcedge.detector import Detector
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.engine.registry import load_engine
from vcedge.schema import F64
from vcedge.scorer import NOVELTY_REST

DETECTOR = with_roles(tiny_detector(channels=5), ("sensor", "command", "constant", "sensor", "sensor"))
COMMAND, CONSTANT = 1, 2
ENGINES = ("numpy", "auto")


def plant(rows: int = 400, seed: int = 3) -> F64:
    """Return a recording whose command switches and whose constant stands still."""
    values = recording(seed, rows, 5)
    values[:, COMMAND] = DETECTOR.features.center[COMMAND] + np.where(np.arange(rows) // 50 % 2, 1.0, -1.0)
    values[:, CONSTANT] = DETECTOR.features.center[CONSTANT]
    return values


def raw_of(engine: Engine, values: F64) -> F64:
    state = engine.new_state()
    return np.array([engine.step(row, state)[0] for row in values])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("detector", [DETECTOR, DETECTOR.without_network(), variants()["commands"]])
def test_channels_that_are_no_sensors_have_no_errors(detector: Detector, engine: str) -> None:
    runs = load_engine(detector, engine)
    state, others = runs.new_state(), ~detector.sensors
    for row in recording(4, 300, detector.channels):
        runs.step(row, state)
        assert not state.residual[others].any()
        assert not state.smooth[:, others].any()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_command_that_switches_within_its_range_adds_nothing_of_its_own(engine: str) -> None:
    runs, state = load_engine(DETECTOR, engine), load_engine(DETECTOR, engine).new_state()
    for row in plant():
        runs.step(row, state)
        assert state.novelty[COMMAND] == 0.0
    assert state.readings[-1] == NOVELTY_REST


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("channel", [COMMAND, CONSTANT])
def test_a_value_that_training_has_not_seen_is_novelty(channel: int, engine: str) -> None:
    values = plant()
    usual = raw_of(load_engine(DETECTOR, engine), values)
    values[300:, channel] = DETECTOR.seen.high[channel] + 1.1 * DETECTOR.seen.margin[channel]
    runs = load_engine(DETECTOR, engine)
    state, raw, shares = runs.new_state(), [], []
    for row in values:
        one, _, contributions = runs.step(row, state)
        raw.append(one)
        shares.append(contributions[channel])
    assert raw[:300] == usual[:300].tolist()
    assert (np.array(raw[300:]) > usual[300:]).all()
    assert state.novelty[channel] > 0.99
    positive = np.maximum(raw, 0)
    assert positive[320:].any()
    assert (np.array(shares)[320:] >= 0.1 * positive[320:]).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("channel", [COMMAND, CONSTANT])
def test_rounding_beyond_the_range_is_no_novelty(channel: int, engine: str) -> None:
    values = plant()
    values[300:, channel] = DETECTOR.seen.high[channel] + 0.9 * DETECTOR.seen.margin[channel]
    runs = load_engine(DETECTOR, engine)
    state = runs.new_state()
    for row in values:
        runs.step(row, state)
    assert not state.novelty.any()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_constant_within_its_margin_changes_nothing_but_the_network_input(engine: str) -> None:
    """No forecast, distance or cycle depends on it."""
    linear = DETECTOR.without_network()
    values, moved = plant(), plant()
    moved[::2, CONSTANT] += 0.5 * linear.seen.margin[CONSTANT]
    weights = linear.highway.weights
    weights[[1 + CONSTANT, 6 + CONSTANT]] = 0.0  # as training leaves them: a constant has no variance
    linear.scorer.horizon.weights[[1 + CONSTANT, 6 + CONSTANT]] = 0.0
    np.testing.assert_array_equal(
        raw_of(load_engine(linear, engine), values), raw_of(load_engine(linear, engine), moved)
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_novelty_of_a_sensor_grows_with_how_far_it_is_outside(engine: str) -> None:
    found = []
    for beyond in (0.1, 0.5, 1.0, 100.0):
        values = plant()
        values[300:, 0] = DETECTOR.seen.high[0] + beyond * DETECTOR.features.scale[0]
        runs = load_engine(DETECTOR, engine)
        state = runs.new_state()
        for row in values:
            runs.step(row, state)
        found.append(state.novelty[0])
    reached = 1 - (1 - 2 / 21) ** 100
    assert found == pytest.approx(np.array([0.1, 0.5, 1.0, 1.0]) * reached)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_missing_value_is_no_novelty(engine: str) -> None:
    values = plant()
    values[300:] = np.where(np.arange(5) == 3, values[300:], np.nan)
    runs = load_engine(DETECTOR, engine)
    state = runs.new_state()
    for row in values:
        runs.step(row, state)
    assert not state.novelty.any()
