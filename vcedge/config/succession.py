"""Defines the sections of runtime.yaml about a second model: shadow deployment, updates, and compute stages."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from vcedge.config.strict import Strict


class ShadowConfig(Strict):
    """Configures a second model on the same samples. It decides nothing unless the pair is `safe`."""

    model: Path
    engine: str = Field(default="auto", min_length=1)
    safe: bool = False
    """While the two disagree, the whole network is computed; either model can raise an anomaly."""
    disagree_ticks: int = Field(default=10, ge=1)
    """Samples of an event that only one model detects, before it counts as a disagreement."""


class StageConfig(Strict):
    """Configures one stage between full and little compute. The shadow shows which alarms the stage misses."""

    min_level: int = Field(default=1, ge=1)
    looseness: float = Field(default=1.0, gt=0)
    """As in the topic compute/set."""
    dwell_ticks: int = Field(default=86_400, ge=1)
    """Scored samples before the next stage."""
    budget: int = Field(default=0, ge=0)
    """Alarms of the shadow that the stage may miss; one more moves a stage back."""
    extra_budget: int | None = Field(default=None, ge=0)
    """Alarms that the stage may raise without the shadow; one more moves a stage back. null: any number."""


class UpdateConfig(Strict):
    """Configures which models are accepted as updates, and their bounds before and after activation."""

    key: Path
    """The public key that verifies their signatures."""
    shadow_ticks: int = Field(default=600, ge=1)
    """Scored samples in the shadow of the active model, before activation."""
    probation_ticks: int = Field(default=3600, ge=1)
    """Scored samples after activation, in comparison with the previous model."""
    max_alarm_share: float = Field(default=0.01, ge=0, le=1)
    """Samples with an alarm in excess of the other model's, as a share of the samples above."""
    max_excess_nats: float = Field(default=4.0, gt=0)
    """Nats by which the mean of `raw` less threshold may exceed the other model's."""
    max_us: float = Field(default=20_000.0, gt=0)
    """Mean time of a sample in microseconds."""
