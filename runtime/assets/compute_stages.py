"""Compute given up step by step, as long as the shadow shows that nothing is missed by it. No clock.

A stage is a floor on the level and a looseness. After its samples with no more missed alarms than its budget, and where
that is bounded no more alarms that the shadow does not share, the next one begins; one more is a step back, to where it
was good.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vcedge.config.succession import StageConfig
from vcedge.runtime.stream.rows import Policy


@dataclass
class Memory:
    """All that is remembered."""

    stage: int = 0
    ticks: int = 0
    """Judged samples in this stage."""
    missed: int = 0
    """Alarms of the shadow alone in this stage."""
    extra: int = 0
    """Alarms of the model in charge alone."""
    hold: bool = False
    """Whether somebody wants it to stay where it is."""
    steps_back: int = 0
    """Since the beginning."""


class Stages:
    """Of one asset."""

    def __init__(self, stages: Sequence[StageConfig]) -> None:
        self._stages = tuple(stages)
        self.memory = Memory()

    @property
    def policy(self) -> Policy:
        """What the present stage asks for."""
        stage = self._stages[self.memory.stage]
        return stage.min_level, math.log(stage.looseness)

    def push(self, ticks: int, missed: int, extra: int = 0) -> bool:
        """Judged samples, missed alarms and those of the model in charge alone since the last call; whether another
        stage begins."""
        memory, stage = self.memory, self._stages[self.memory.stage]
        memory.ticks += ticks
        memory.missed += missed
        memory.extra += extra
        spent = memory.missed > stage.budget or (stage.extra_budget is not None and memory.extra > stage.extra_budget)
        if spent and not memory.hold:
            memory.steps_back += 1
            return self._enter(max(0, memory.stage - 1))
        if memory.ticks >= stage.dwell_ticks and not memory.hold and memory.stage + 1 < len(self._stages):
            return self._enter(memory.stage + 1)
        return False

    def move(self, stage: int | None, hold: bool) -> None:
        """By hand: to a stage, counted from 0, and whether to stay there. Raises ValueError for one that is none."""
        if stage is not None and not 0 <= stage < len(self._stages):
            raise ValueError(f"key 'stage' is {stage}, expected 0 to {len(self._stages) - 1}")
        self.memory.hold = hold
        if stage is not None:
            self._enter(stage)

    def report(self) -> dict[str, Any]:
        """What is published, as JSON values."""
        stage = self._stages[self.memory.stage]
        return {**asdict(self.memory), **stage.model_dump(), "stages": len(self._stages)}

    def snapshot(self) -> dict[str, Any]:
        """The memory as JSON values; `restore` is the inverse."""
        return asdict(self.memory)

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot; a stage that the configuration no longer has begins anew at the last one it has."""
        memory = Memory(**snapshot)
        self.memory = memory if memory.stage < len(self._stages) else Memory(stage=len(self._stages) - 1)

    def _enter(self, stage: int) -> bool:
        memory = self.memory
        memory.stage, memory.ticks, memory.missed, memory.extra = stage, 0, 0, 0
        return True
