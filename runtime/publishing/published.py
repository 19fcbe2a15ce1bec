"""Holds the last published state of an asset, which is published again only when it changes."""

from __future__ import annotations

from dataclasses import dataclass

from vcedge.runtime.assets.asset import Asset
from vcedge.runtime.stream.score import Score
from vcedge.schema import NS_PER_S

Condition = tuple[str, tuple[str, ...]]
"""Status and missing channels of an asset's input."""


@dataclass
class Published:
    """Holds what was last published of one asset. Times are those of a monotonic clock."""

    score: Score | None = None
    score_s: float = 0.0
    anomaly: bool | None = None
    """None before the first."""
    health: Condition | None = None
    health_s: float = 0.0
    agreement_s: float = 0.0
    inhibited_ns: int = 0
    """The end of inhibition, in the time of the samples; 0: none."""

    def age_s(self, now_s: float) -> float | None:
        """Return the seconds since the last score; None before the first."""
        return None if self.score is None else now_s - self.score_s

    def condition(self, asset: Asset, now_s: float) -> Condition:
        """Return the condition of the input: `waiting` before the first sample, `stale` in silence, else as scored."""
        if self.score is None:
            return "waiting", ()
        if now_s - self.score_s > asset.stream.detector.schema.max_gap_ns / NS_PER_S:
            return "stale", asset.names
        return self.score.status, self.score.missing
