"""The score of one sample, and what can be said of the sample itself."""

from __future__ import annotations

from typing import Literal, NamedTuple

from vcedge.runtime.stream.events import Event, Top

Status = Literal["warmup", "ok", "imputed", "stale", "gap", "stuck", "limit", "rate", "clock", "inhibited"]
UNJUDGED: tuple[Status, ...] = ("clock", "gap", "stale", "warmup", "inhibited")
"""Statuses of rows that cannot raise an alarm."""


class Score(NamedTuple):
    """What is known after one sample. `raw` is what alarms are decided on, `score` the same in [0, 1].

    (A tuple, like `Incoming` and `Publication`: there is one for each message, and a frozen dataclass takes four times
    as long to make.)
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
