"""The score of one sample, and what can be said of the sample itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vcedge.runtime.events import Event, Top

Status = Literal["warmup", "ok", "imputed", "stale", "gap", "stuck", "limit", "rate", "clock", "inhibited"]
UNJUDGED: tuple[Status, ...] = ("clock", "gap", "stale", "warmup", "inhibited")
"""Statuses of rows that cannot raise an alarm."""


@dataclass(frozen=True)
class Score:
    """What is known after one sample. `raw` is what alarms are decided on, `score` the same in [0, 1]."""

    time_ns: int
    seq: int
    raw: float
    score: float
    alarm: bool
    threshold: float
    updated: int
    hidden: int
    status: Status
    top: Top
    wake: str
    missing: tuple[str, ...]
    events: tuple[Event, ...]
