"""Reduces compute step by step, as long as the shadow shows that this misses no alarm. No clock.

A stage is a floor on the level and a looseness. The next stage begins after `dwell_ticks` samples, if the stage missed
no more alarms than its budget, and raised no more alarms alone than its `extra_budget`, if it has one. One alarm more
is a step back to the stage before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vcedge.config.succession import StageConfig
from vcedge.runtime.engine.interface import ComputePolicy


@dataclass
class StageState:
    """Holds the present stage and what was counted in it."""

    stage: int = 0
    ticks: int = 0
    """Judged samples in this stage."""
    missed: int = 0
    """Alarms in this stage that only the shadow raised."""
    extra: int = 0
    """Alarms in this stage that only the model in charge raised."""
    hold: bool = False
    """Whether the stage is held by hand."""
    steps_back: int = 0
    """Steps back in all stages."""


class ComputeStages:
    """Tracks the compute stage of one asset."""

    def __init__(self, stages: Sequence[StageConfig]) -> None:
        self._stages = tuple(stages)
        self.state = StageState()

    @property
    def policy(self) -> ComputePolicy:
        """The compute policy of the present stage."""
        stage = self._stages[self.state.stage]
        return ComputePolicy(stage.min_level, math.log(stage.looseness))

    def push(self, ticks: int, missed: int, extra: int = 0) -> bool:
        """Count judged samples, missed and extra alarms; return whether another stage begins."""
        state, stage = self.state, self._stages[self.state.stage]
        state.ticks += ticks
        state.missed += missed
        state.extra += extra
        spent = state.missed > stage.budget or (stage.extra_budget is not None and state.extra > stage.extra_budget)
        if spent and not state.hold:
            state.steps_back += 1
            return self._enter(max(0, state.stage - 1))
        if state.ticks >= stage.dwell_ticks and not state.hold and state.stage + 1 < len(self._stages):
            return self._enter(state.stage + 1)
        return False

    def move(self, stage: int | None, *, hold: bool) -> None:
        """Go to a stage, counted from 0, or stay in the present one; `hold` keeps it.

        Raises ValueError for a stage that does not exist.
        """
        if stage is not None and not 0 <= stage < len(self._stages):
            raise ValueError(f"key 'stage' is {stage}, expected 0 to {len(self._stages) - 1}")
        self.state.hold = hold
        if stage is not None:
            self._enter(stage)

    def report(self) -> dict[str, Any]:
        """Return the state and the stage's settings as JSON values."""
        stage = self._stages[self.state.stage]
        return {**asdict(self.state), **stage.model_dump(), "stages": len(self._stages)}

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `restore` is the inverse."""
        return asdict(self.state)

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Continue from a snapshot; a stage that was removed from the configuration becomes the last one there is."""
        state = StageState(**snapshot)
        self.state = state if state.stage < len(self._stages) else StageState(stage=len(self._stages) - 1)

    def _enter(self, stage: int) -> bool:
        state = self.state
        state.stage, state.ticks, state.missed, state.extra = stage, 0, 0, 0
        return True
