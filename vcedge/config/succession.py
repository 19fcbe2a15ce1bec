"""Sections of runtime.yaml about a second model: beside the one in charge, in its place, and stages of compute."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from vcedge.config.strict import Strict


class ShadowConfig(Strict):
    """A second model on the same samples. It decides nothing, unless the pair is `safe`."""

    model: Path
    engine: str = Field(default="auto", min_length=1)
    safe: bool = False
    """While the two disagree, everything is computed; and there is an anomaly where either says so."""
    disagree_ticks: int = Field(default=10, ge=1)
    """Samples of an event that one of them sees alone before that is called a disagreement."""


class StageConfig(Strict):
    """One stage on the way from full compute to little. The shadow watches whether anything is missed by it."""

    min_level: int = Field(default=1, ge=1)
    looseness: float = Field(default=1.0, gt=0)
    """As in the topic compute/set."""
    dwell_ticks: int = Field(default=86_400, ge=1)
    """Judged samples before the next stage."""
    budget: int = Field(default=0, ge=0)
    """Alarms of the shadow that may be missed meanwhile; one more is a step back."""
    extra_budget: int | None = Field(default=None, ge=0)
    """Alarms that the shadow does not share and may be raised meanwhile, likewise; null: any number."""


class UpdateConfig(Strict):
    """Which models are taken as updates, and what they must show before and after they take over."""

    key: Path
    """The public key of who signs them."""
    shadow_ticks: int = Field(default=600, ge=1)
    """Judged samples beside the model in charge before it takes over."""
    probation_ticks: int = Field(default=3600, ge=1)
    """Judged samples after that, beside the model before it."""
    max_alarm_share: float = Field(default=0.01, ge=0, le=1)
    """More samples with an alarm than the other model has, as a share of the ticks above."""
    max_error_ratio: float = Field(default=2.0, gt=0)
    """Mean of `raw` over threshold against the other model's."""
    max_us: float = Field(default=20_000.0, gt=0)
    """Mean time of a sample in microseconds."""
