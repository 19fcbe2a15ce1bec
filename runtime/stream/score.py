"""The score of one sample, and the status of the sample."""

from __future__ import annotations

from typing import Literal, NamedTuple

from vcedge.runtime.stream.events import Event, Top

Status = Literal["warmup", "ok", "imputed", "stale", "gap", "stuck", "limit", "rate", "clock", "inhibited"]
UNJUDGED: tuple[Status, ...] = ("clock", "gap", "stale", "warmup", "inhibited")
"""Statuses of rows that cannot raise an alarm."""


class Score(NamedTuple):
    """Holds the result of one sample. Alarms depend on `raw`; `score` is the same calibrated to [0, 1].

    A tuple, because there is one for each message and a frozen dataclass takes four times as long to create.
    """

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
