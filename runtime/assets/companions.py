"""What runs beside the model in charge of an asset: a shadow, the stages that it watches over, an update on trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vcedge.runtime.assets.compute_stages import Stages
from vcedge.runtime.assets.shadow import Twin
from vcedge.runtime.assets.trial import Trial
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.rows import Policy
from vcedge.runtime.stream.score import Score
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64

AS_TRAINED: Policy = (1, 0.0)


class Companions:
    """Of one asset. None of them changes a score; a safe pair computes more and says ON more often."""

    def __init__(self, twin: Twin | None = None, stages: Stages | None = None) -> None:
        self.twin = twin
        self.stages = stages
        self.trial: Trial | None = None
        self.stage_changed = False
        """Whether another stage began with the last message."""
        self._counted = (0, 0, 0)
        self._kept_trial: dict[str, Any] | None = None
        """What a snapshot knew of a trial, until it is known whether that goes on."""

    @property
    def streams(self) -> list[Stream]:
        """All that see the samples of the asset besides the stream in charge."""
        twins = (self.twin, None if self.trial is None else self.trial.twin)
        return [twin.stream for twin in twins if twin is not None]

    @property
    def events(self) -> list[Event]:
        """Disagreements that began or ended with the last message."""
        return [] if self.twin is None else self.twin.events

    @property
    def in_event(self) -> bool:
        """Whether the other model of a safe pair has an event open."""
        return self.twin is not None and self.twin.safe and self.twin.stream.in_event

    def policy(self, wanted: Policy, levels: int) -> Policy:
        """The compute policy of the next rows, where `wanted` was set by hand."""
        floor, bias = wanted
        if self.stages is not None:
            stage_floor, stage_bias = self.stages.policy
            floor, bias = max(floor, stage_floor), bias + stage_bias
        if self.twin is not None and self.twin.wants_all:
            floor = levels
        return min(floor, levels), bias

    def follow(
        self,
        times: tuple[int, ...],
        values: F64,
        policy: Policy,
        scores: Sequence[Score],
        opened: list[bool],
        us: float,
    ) -> list[bool]:
        """The rows (N, C) of a message that were judged as `scores`; whether there is an anomaly after each."""
        if self.trial is not None and not self.trial.failure:
            self._try(self.trial, times, values, policy, scores, opened, us)
        if self.twin is None:
            return opened
        seen = self.twin.follow(times, values, AS_TRAINED, scores, opened, us)
        self.stage_changed = self._count()
        return [a or b for a, b in zip(opened, seen, strict=True)] if self.twin.safe else opened

    def reset(self) -> None:
        """Another model is in charge: what was counted was about the one before."""
        if self.twin is not None:
            self.twin.agreement.restart()
        self._counted = (0, 0, 0)

    def continue_trial(self, trial: Trial) -> None:
        """Put back what the snapshot knew of a trial, if it was this one; else it counts anew. Raises DataError."""
        kept, self._kept_trial = self._kept_trial, None
        if kept is not None and (kept["digest"], kept["phase"]) == (trial.digest, trial.phase):
            trial.twin.restore(kept["twin"])

    def snapshot(self) -> dict[str, Any]:
        """All that is to outlive the service, as JSON values; `restore` is the inverse."""
        return {
            "twin": None if self.twin is None else self.twin.snapshot(),
            "stages": None if self.stages is None else self.stages.snapshot(),
            "trial": None if self.trial is None else self.trial.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot, as far as the configuration still has what it is of. Raises DataError."""
        if self.twin is not None and snapshot["twin"] is not None:
            self.twin.restore(snapshot["twin"])
            self._counted = self._counts(self.twin)
        if self.stages is not None and snapshot["stages"] is not None:
            self.stages.restore(snapshot["stages"])
        self._kept_trial = snapshot.get("trial")

    def _try(
        self,
        trial: Trial,
        times: tuple[int, ...],
        values: F64,
        policy: Policy,
        scores: Sequence[Score],
        opened: list[bool],
        us: float,
    ) -> None:
        """An engine that fails is a failed trial: the asset goes on with the model in charge."""
        floor = min(policy[0], trial.twin.stream.detector.levels)
        try:
            trial.twin.follow(times, values, (floor, policy[1]), scores, opened, us)
        except Exception as error:
            trial.failure = f"its engine failed: {type(error).__name__}: {error}"

    def _count(self) -> bool:
        if self.twin is None or self.stages is None:
            return False
        before, self._counted = self._counted, self._counts(self.twin)
        ticks, missed, extra = (new - old for old, new in zip(before, self._counted, strict=True))
        return self.stages.push(ticks, missed, extra)

    def _counts(self, twin: Twin) -> tuple[int, int, int]:
        memory = twin.agreement.memory
        return memory.ticks, memory.only_second, memory.only_first
