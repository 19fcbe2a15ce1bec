"""Compute stages: steps forward and back, and restored state."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcedge.config.succession import StageConfig
from vcedge.runtime.assets.compute_stages import ComputeStages

STAGES = [StageConfig(min_level=4, dwell_ticks=10), StageConfig(min_level=2, dwell_ticks=20, budget=1), StageConfig()]


def test_stages_step_forward_back_and_forward_again() -> None:
    stages = ComputeStages(STAGES)
    assert stages.policy == (4, 0.0)
    assert not stages.push(9, 0)
    assert stages.push(1, 0)
    assert stages.policy[0] == 2
    assert not stages.push(5, 1)  # within its budget
    assert stages.push(1, 1)
    assert (stages.state.stage, stages.state.steps_back) == (0, 1)
    for _ in range(2):
        stages.push(20, 0)
    assert stages.state.stage == 2
    assert not stages.push(1_000_000, 0)  # no stage follows the last


def test_extra_alarms_beyond_the_budget_step_back() -> None:
    stages = ComputeStages([StageConfig(dwell_ticks=10), StageConfig(dwell_ticks=10, extra_budget=1)])
    assert stages.push(10, 0, 1000)
    assert not stages.push(5, 0, 1)
    assert stages.push(1, 0, 1)
    assert (stages.state.stage, stages.state.extra, stages.state.steps_back) == (0, 0, 1)


def test_stage_set_by_hand_survives_a_restart() -> None:
    stages = ComputeStages(STAGES)
    stages.move(1, hold=True)
    assert not stages.push(1000, 1000)
    again = ComputeStages(STAGES)
    again.restore(json.loads(json.dumps(stages.snapshot())))
    assert again.report() == stages.report()
    fewer = ComputeStages(STAGES[:1])
    fewer.restore(stages.snapshot())
    assert fewer.state.stage == 0
    with pytest.raises(ValueError, match="expected 0 to 2"):
        stages.move(3, hold=False)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), max_size=50))
def test_stages_change_one_step_at_a_time(steps: list[tuple[int, int]]) -> None:
    stages = ComputeStages(STAGES)
    for ticks, missed in steps:
        before = stages.state.stage
        stages.push(ticks, missed)
        assert abs(stages.state.stage - before) <= 1
        if missed > 1:
            assert stages.state.stage == max(0, before - 1)
