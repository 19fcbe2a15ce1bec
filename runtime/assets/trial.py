"""Whether a new model may take over, and may stay: counts against bounds, nothing else. No clock.

First it runs in the shadow of the model in charge. Then it is in charge, on probation, and the model before it runs in
its shadow, so that going back loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from vcedge.config.succession import UpdateConfig
from vcedge.runtime.assets.agreement import Memory, Side
from vcedge.runtime.assets.shadow import Twin

Phase = Literal["shadow", "probation"]
ENOUGH = 0.1
"""Share of the planned samples after which means are believed."""


def verdict(bounds: UpdateConfig, phase: Phase, pair: Memory) -> str | None:
    """None while it is not decided; empty when it has passed; else what is wrong with the new model.

    `pair` compares the model in charge, `first`, with the other one.
    """
    new, old = (pair.second, pair.first) if phase == "shadow" else (pair.first, pair.second)
    planned = bounds.shadow_ticks if phase == "shadow" else bounds.probation_ticks
    ticks = pair.ticks
    if new.alarms - old.alarms > bounds.max_alarm_share * planned:
        return f"alarms on {new.alarms} of {ticks} samples, the other model on {old.alarms}"
    if ticks < ENOUGH * planned:
        return None
    wrong = _means(bounds, new, old, ticks)
    return wrong if wrong or ticks >= planned else None


def _means(bounds: UpdateConfig, new: Side, old: Side, ticks: int) -> str:
    if new.us > bounds.max_us * ticks:
        return f"takes {new.us / ticks:.0f} us a sample, allowed {bounds.max_us:.0f}"
    if new.error > bounds.max_error_ratio * old.error:
        ratio = new.error / old.error if old.error > 0 else float("inf")
        return (
            f"its raw over threshold is {ratio:.2f} times that of the other model, allowed {bounds.max_error_ratio:g}"
        )
    return ""


@dataclass
class Trial:
    """An update that is being tried: `twin` is the new model in the shadow, the one before it on probation."""

    twin: Twin
    digest: str
    """Of the new model's file."""
    serial: int
    phase: Phase = "shadow"
    starts: int = 0
    """How often the service was started while the new model was on probation."""
    failure: str = ""
    """Why it could not go on at all."""

    def snapshot(self) -> dict[str, Any]:
        """What it has seen and counted, as JSON values."""
        return {"digest": self.digest, "phase": self.phase, "twin": self.twin.snapshot()}
