"""Defines the sections of runtime.yaml about operation: when a machine runs, the log, and the metrics."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from vcedge.config.strict import Strict


class RunWhenConfig(Strict):
    """Says when a machine runs: while `channel` is above `above` and below `below`, as far as they are given."""

    channel: str = Field(min_length=1)
    above: float | None = None
    """In the channel's unit."""
    below: float | None = None

    @model_validator(mode="after")
    def _has_a_limit(self) -> RunWhenConfig:
        if self.above is None and self.below is None:
            raise ValueError("expected above or below, a limit in the channel's unit, such as above: 50")
        if self.above is not None and self.below is not None and self.above >= self.below:
            raise ValueError(f"expected above ({self.above:g}) less than below ({self.below:g})")
        return self


class LogConfig(Strict):
    """Configures the log that the service writes to stderr."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


class MetricsConfig(Strict):
    """Configures the address at which Prometheus scrapes the service."""

    port: int = Field(ge=1, le=65535)
    host: str = Field(default="127.0.0.1", min_length=1)
    """An address of this device; 0.0.0.0 for all of them: whoever reaches it can read the metrics."""
    assets: int = Field(default=100, ge=0, le=10_000)
    """Number of assets with series of their own: the first by name."""
