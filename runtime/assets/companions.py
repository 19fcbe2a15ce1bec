"""The models beside the one in charge of an asset: a shadow, the compute stages that it guards, an update on trial."""

from __future__ import annotations

from typing import Any

from vcedge.runtime.assets.compute_stages import ComputeStages
from vcedge.runtime.assets.scored_rows import ScoredRows
from vcedge.runtime.assets.shadow import Shadow
from vcedge.runtime.assets.trial import Trial
from vcedge.runtime.engine.interface import AS_TRAINED, ComputePolicy
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.stream import Stream


class Companions:
    """Runs the other models of one asset.

    None of them changes a score of the model in charge. A safe pair computes more, and reports an anomaly where either
    model sees one.
    """

    def __init__(self, shadow: Shadow | None = None, stages: ComputeStages | None = None) -> None:
        self.shadow = shadow
        self.stages = stages
        self.trial: Trial | None = None
        self.stage_changed = False
        """Whether another stage began with the last message."""
        self._counted = (0, 0, 0)
        """Ticks, missed and extra alarms that the stages have counted."""
        self._saved_trial: dict[str, Any] | None = None
        """State of a trial from the snapshot, until `continue_trial` restores it."""

    @property
    def streams(self) -> list[Stream]:
        """The streams that get the samples of the asset, without the stream in charge."""
        shadows = (self.shadow, None if self.trial is None else self.trial.shadow)
        return [shadow.stream for shadow in shadows if shadow is not None]

    @property
    def events(self) -> list[Event]:
        """Disagreements that began or ended with the last message."""
        return [] if self.shadow is None else self.shadow.events

    @property
    def in_event(self) -> bool:
        """Whether the other model of a safe pair has an event open."""
        return self.shadow is not None and self.shadow.safe and self.shadow.stream.in_event

    def policy(self, wanted: ComputePolicy, levels: int) -> ComputePolicy:
        """Return the compute policy of the next rows, where `wanted` was set by hand, for a model with these levels."""
        if self.stages is None and self.shadow is None:
            return wanted
        floor, bias = wanted
        if self.stages is not None:
            stage_floor, stage_bias = self.stages.policy
            floor, bias = max(floor, stage_floor), bias + stage_bias
        if self.shadow is not None and self.shadow.needs_full_compute:
            floor = levels
        return ComputePolicy(min(floor, levels), bias)

    def follow(self, rows: ScoredRows) -> list[bool]:
        """Let the other models score the rows of a message; return whether there is an anomaly after each, (N,)."""
        if self.trial is not None and not self.trial.failure:
            self.trial.follow(rows)
        if self.shadow is None:
            return rows.opened
        opened = self.shadow.follow(rows, AS_TRAINED)
        self.stage_changed = self._count(self.shadow)
        return [a or b for a, b in zip(rows.opened, opened, strict=True)] if self.shadow.safe else rows.opened

    def reset(self) -> None:
        """Restart the counts: another model is in charge."""
        if self.shadow is not None:
            self.shadow.agreement.restart()
        self._counted = (0, 0, 0)

    def continue_trial(self, trial: Trial) -> None:
        """Restore a trial's state from the snapshot, if it has one; else the counts start at zero. Raises DataError."""
        saved, self._saved_trial = self._saved_trial, None
        if saved is not None and (saved["digest"], saved["phase"]) == (trial.digest, trial.phase):
            trial.shadow.restore(saved["twin"])

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `restore` is the inverse."""
        return {
            "twin": None if self.shadow is None else self.shadow.snapshot(),
            "stages": None if self.stages is None else self.stages.snapshot(),
            "trial": None if self.trial is None else self.trial.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Continue from a snapshot, as far as the configuration still has its parts. Raises DataError."""
        if self.shadow is not None and snapshot["twin"] is not None:
            self.shadow.restore(snapshot["twin"])
            self._counted = _counts(self.shadow)
        if self.stages is not None and snapshot["stages"] is not None:
            self.stages.restore(snapshot["stages"])
        self._saved_trial = snapshot.get("trial")

    def _count(self, shadow: Shadow) -> bool:
        """Pass what the shadow has counted since the last call to the stages; return whether another stage begins."""
        if self.stages is None:
            return False
        before, self._counted = self._counted, _counts(shadow)
        ticks, missed, extra = (new - old for old, new in zip(before, self._counted, strict=True))
        return self.stages.push(ticks, missed, extra)


def _counts(shadow: Shadow) -> tuple[int, int, int]:
    state = shadow.agreement.state
    return state.ticks, state.only_second, state.only_first
