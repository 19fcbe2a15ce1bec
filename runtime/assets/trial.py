"""Decides whether a new model may take over, and may stay, by comparing counts with bounds. No clock.

First the new model runs in the shadow of the model in charge. Then it is in charge, on probation, and the model before
it runs in its shadow, so that a rollback loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from vcedge.config.succession import UpdateConfig
from vcedge.runtime.assets.agreement import AgreementState, ModelTotals
from vcedge.runtime.assets.scored_rows import ScoredRows
from vcedge.runtime.assets.shadow import Shadow
from vcedge.runtime.engine.interface import ComputePolicy

Phase = Literal["shadow", "probation"]
ENOUGH = 0.1
"""Share of the planned samples after which means are compared."""


def assess(bounds: UpdateConfig, phase: Phase, pair: AgreementState) -> str | None:
    """Return None while the trial is undecided, "" if the new model has passed, else what is wrong with it.

    `pair` compares the model in charge, `first`, with the other one.
    """
    new, old = (pair.second, pair.first) if phase == "shadow" else (pair.first, pair.second)
    planned = bounds.shadow_ticks if phase == "shadow" else bounds.probation_ticks
    ticks = pair.ticks
    if new.alarms - old.alarms > bounds.max_alarm_share * planned:
        return f"alarms on {new.alarms} of {ticks} samples, the other model on {old.alarms}"
    if ticks < ENOUGH * planned:
        return None
    fault = _exceeded_bound(bounds, new, old, ticks)
    return fault if fault or ticks >= planned else None


def _exceeded_bound(bounds: UpdateConfig, new: ModelTotals, old: ModelTotals, ticks: int) -> str:
    if new.us > bounds.max_us * ticks:
        return f"takes {new.us / ticks:.0f} us a sample, allowed {bounds.max_us:.0f}"
    more = (new.excess - old.excess) / ticks
    if more > bounds.max_excess_nats:
        return (
            f"its raw less threshold is {more:.1f} nats above that of the other model, "
            f"allowed {bounds.max_excess_nats:g}"
        )
    return ""


@dataclass
class Trial:
    """Tracks an update on trial. `shadow` runs the new model; on probation it runs the model before."""

    shadow: Shadow
    digest: str
    """Digest of the new model's file."""
    phase: Phase = "shadow"
    starts: int = 0
    """How often the service was started in this phase."""
    failure: str = ""
    """Why the trial cannot continue; empty while it can."""

    def follow(self, rows: ScoredRows) -> None:
        """Score rows that the model in charge has scored. An exception fails the trial, and nothing else."""
        try:
            levels = self.shadow.stream.detector.levels
            self.shadow.follow(rows, ComputePolicy(min(rows.policy.min_level, levels), rows.policy.logit_bias))
        except Exception as error:
            self.failure = f"its engine failed: {type(error).__name__}: {error}"

    def snapshot(self) -> dict[str, Any]:
        """Return the counts and the shadow's state as JSON values."""
        return {"digest": self.digest, "phase": self.phase, "twin": self.shadow.snapshot()}
