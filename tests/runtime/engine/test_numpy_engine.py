"""The reference engine in numpy: the engine contract, and its levels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.detectors import recording, variants
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
