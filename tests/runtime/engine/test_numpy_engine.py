"""The reference engine in numpy: the engine contract, and equality with independent formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.detectors import recording, tiny_detector, variants
from vcedge.calibration.trace import run_engine
from vcedge.detector import ERROR_CAP, ScorerPart
from vcedge.runtime.engine.checks import CHECKS, check_engine
from vcedge.runtime.engine.interface import AS_TRAINED, ComputePolicy
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.engine.state import WAKE_SURPRISE, State
from vcedge.schema import F64

VARIANTS = variants()


@pytest.mark.parametrize("name", VARIANTS)
def test_engine_keeps_its_contract(name: str) -> None:
    detector = VARIANTS[name]
    results = check_engine(NumpyEngine, detector, recording(1, 300, detector.channels))
    assert [result for result in results if result.problem] == []
    assert len(results) == len(CHECKS)


def test_contract_checks_find_a_broken_engine() -> None:
    class Leaky(NumpyEngine):
        """Shares one state among all streams, writes into its input, ignores the policy and keeps what it saw."""

        def step(self, values: F64, state: State, policy: ComputePolicy = AS_TRAINED) -> tuple[float, int, F64]:
            values += 0.0
            self.log = [*getattr(self, "log", []), values.copy()]
            self.shared = getattr(self, "shared", state)
            return super().step(values, self.shared, ComputePolicy(1, policy.logit_bias))

    results = check_engine(Leaky, VARIANTS["vcgru"], recording(1, 100, 3))
    failed = {result.name for result in results if result.problem}
    assert {"states_are_independent", "input_is_untouched", "policy_is_obeyed", "memory_is_bounded"} <= failed


@pytest.mark.parametrize("name", ["vcgru", "vcrnn"])
def test_quiet_rows_use_lower_levels(name: str) -> None:
    detector = VARIANTS[name]
    engine, state = NumpyEngine(detector), NumpyEngine(detector).new_state()
    levels = [engine.step(row, state)[1] for row in recording(3, 2000, 3)]
    assert len(set(levels)) == detector.levels


def test_surprise_forces_the_full_level_for_its_first_ticks_only() -> None:
    detector = VARIANTS["vcgru"]
    limits = replace(detector.calibration, surprise_limit=50.0, surprise_ticks=4)
    engine = NumpyEngine(replace(detector, calibration=limits))
    state = engine.new_state()
    quiet = np.tile(detector.features.center, (40, 1))
    for row in quiet:
        engine.step(row, state, ComputePolicy(logit_bias=-1e6))
    jump = quiet + 30 * detector.features.scale * np.resize([1, -1], (40, 1))  # every row far off its forecast
    levels = []
    for row in jump:
        levels.append(engine.step(row, state, ComputePolicy(logit_bias=-1e6))[1])
        if len(levels) == 1:
            assert state.wake == WAKE_SURPRISE
    assert levels[:4] == [detector.levels] * 4
    assert set(levels[4:]) == {1}


def parts_of_imputed_channel(before: F64, after: F64, others: list[int]) -> F64:
    """Return smoothed errors (parts,) of channel 1 after a step that imputed its error from the other channels."""
    alpha = np.array([2 / (part.span + 1) for part in VARIANTS["vcgru"].scorer.parts])
    squared = before[:, others] + (after - before)[:, others] / alpha[:, None]
    return np.asarray(before[:, 1] + alpha * (squared.mean(axis=1) - before[:, 1]))


def test_missing_channel_holds_its_value_and_counts_one_row_after_it_returns() -> None:
    engine = NumpyEngine(VARIANTS["vcgru"])
    state = engine.new_state()
    rows = recording(5, 200, 3)
    for row in rows[:100]:
        engine.step(row, state)
    held, before = state.lags[0, 1], state.smooth.copy()
    holed = rows[100].copy()
    holed[1] = np.nan
    engine.step(holed, state)
    assert state.lags[0, 1] == held
    assert state.held.tolist() == [False, True, False]
    assert state.smooth[:, 1] == pytest.approx(parts_of_imputed_channel(before, state.smooth, [0, 2]), rel=1e-9)
    before = state.smooth.copy()
    engine.step(
        rows[101] + [0.0, 1e3, 0.0], state
    )  # the value returns, far from the held one: no past to compare it with
    assert state.smooth[:, 1] == pytest.approx(parts_of_imputed_channel(before, state.smooth, [0, 2]), rel=1e-9)
    assert state.residual[1] == 0
    engine.step(rows[102], state)
    assert state.residual[1] != 0


@pytest.mark.parametrize("channel", range(4))
def test_dead_channel_does_not_diverge(channel: int) -> None:
    """Also where channels lean on each other so much that a forecast fed back would grow."""
    detector = tiny_detector(channels=4, cell=None)
    weights = detector.highway.weights.copy()
    weights[1:5] = 0.1
    np.fill_diagonal(weights[1:5], 1.6)  # alone, each channel's own feedback is unstable
    weights[5:9] = 0.0
    np.fill_diagonal(weights[5:9], -0.75)
    detector = replace(detector, highway=replace(detector.highway, weights=weights))
    engine = NumpyEngine(detector)
    rows = recording(8, 900, 4)
    whole = run_engine(engine, rows, ((0, 900),)).raw
    rows[300:600, channel] = np.nan
    holed = run_engine(engine, rows, ((0, 900),)).raw
    assert holed.max() < 1.5 * whole.max()


def test_statistic_is_the_weighted_geometric_mean_of_relative_parts() -> None:
    detector = VARIANTS["linear"]
    rows = recording(6, 400, 3)

    def run(parts: tuple[ScorerPart, ...]) -> F64:
        engine = NumpyEngine(replace(detector, scorer=replace(detector.scorer, parts=parts)))
        state = engine.new_state()
        return np.array([engine.step(row, state)[0] for row in rows])

    parts = detector.scorer.parts
    alone = np.array([run((replace(part, weight=1.0),)) for part in parts])  # (parts, rows)
    weights = np.array([part.weight for part in parts])
    assert run(parts) == pytest.approx(np.exp(weights @ np.log(alone)), rel=1e-9)


def test_new_state_starts_from_the_usual_values() -> None:
    detector = VARIANTS["linear"]
    engine = NumpyEngine(detector)
    raw, _, contributions = engine.step(recording(6, 1, 3)[0], engine.new_state())
    assert raw == pytest.approx(1.0)
    assert contributions.sum() == pytest.approx(raw)


def test_error_parts_are_smoothed_root_means_of_whitened_errors() -> None:
    """Written down once more from the definition, in double precision."""
    detector = VARIANTS["linear"]
    features, highway, scorer = detector.features, detector.highway, detector.scorer
    rows = recording(6, 200, 3)
    z = np.clip((rows - features.center) / features.scale, -features.clip, features.clip)
    smooth, part = np.full(3, scorer.parts[0].usual ** 2), scorer.parts[0]
    engine = NumpyEngine(detector)
    state = engine.new_state()
    for t in range(len(rows)):
        engine.step(rows[t], state)
        if t >= highway.order:
            lags = z[t - highway.order : t][::-1].ravel()
            residual = (z[t] - highway.weights[0] - lags @ highway.weights[1:] - highway.bias) / highway.spread
            squared = np.minimum((residual @ scorer.whiten) ** 2, ERROR_CAP)
            smooth = smooth + 2 / (part.span + 1) * (squared - smooth)
        assert state.parts[0] == pytest.approx(np.sqrt(smooth).mean(), rel=1e-4)


def test_windows_of_the_components_have_no_reconstruction_error() -> None:
    """What lies in their span leaves no error, and what is orthogonal to it leaves all of it."""
    detector = VARIANTS["linear"]
    model = detector.scorer.reconstruction
    still = replace(model, mean=np.zeros_like(model.mean))
    level = np.tile([1.0, -0.5, 2.0], len(model.lags)).astype(np.float32)  # the window of a constant signal
    inside = replace(still, components=(level / np.linalg.norm(level))[None])
    outside = replace(still, components=np.eye(9, dtype=np.float32)[:1] * 0)
    values = detector.features.center + detector.features.scale * level[:3]
    smooth = []
    for reconstruction in (inside, outside):
        scorer = replace(detector.scorer, reconstruction=reconstruction)
        engine = NumpyEngine(replace(detector, scorer=scorer))
        state = engine.new_state()
        for _ in range(300):
            engine.step(values, state)
        smooth.append(state.smooth[-1])
    assert smooth[0] == pytest.approx(np.zeros(3), abs=1e-9)
    assert smooth[1] == pytest.approx(len(model.lags) * level[:3] ** 2, rel=1e-5)


def test_unknown_channels_get_the_mean_error_of_the_others() -> None:
    """Half of the channels missing must not halve the statistic."""
    detector = tiny_detector(channels=6, cell=None)
    engine = NumpyEngine(detector)
    rows = recording(9, 1500, 6)
    holed = rows.copy()
    holed[:, :3] = np.nan
    whole, half = (run_engine(engine, values, ((0, 1500),)).raw[100:] for values in (rows, holed))
    assert 0.7 < np.median(half) / np.median(whole) < 1.4
