"""Holds the last published state of an asset, which is published again only when it changes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from vcedge.runtime.assets.asset import Asset
from vcedge.runtime.codecs.timestamps import milliseconds
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
    threshold: float = math.nan
    """The threshold in use; NaN before the first."""
    threshold_s: float = 0.0
    events: bool = False
    """Whether the recent events have changed since the state of feedback was published."""
    feedback_s: float = 0.0
    inhibited_ns: int = 0
    """The end of inhibition, in the time of the samples; 0: none."""

    def last_score(self, now_s: float) -> dict[str, Any]:
        """Return age, time and number of the last score as JSON values."""
        last = self.score
        if last is None:
            return {"age_s": None, "last": None, "seq": 0}
        return {"age_s": round(now_s - self.score_s, 3), "last": milliseconds(last.time_ns), "seq": last.seq}

    def condition(self, asset: Asset, now_s: float) -> Condition:
        """Return the condition of the input: `waiting` before the first sample, `stale` in silence, else as scored."""
        if self.score is None:
            return "waiting", ()
        if now_s - self.score_s > asset.stream.detector.schema.max_gap_ns / NS_PER_S:
            return "stale", asset.names
        return self.score.status, self.score.missing


def threshold_report(asset: Asset) -> dict[str, float]:
    """Return the calibrated threshold in nats, and the threshold in use over it: a ratio of nats, 1 if nothing rose."""
    calibrated = asset.stream.detector.calibration.threshold
    return {"threshold_calibrated": calibrated, "threshold_factor": round(asset.stream.threshold / calibrated, 4)}
