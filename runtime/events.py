"""From rows above a limit to events: one that opens, grows and ends, instead of a hundred alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RELEASE = 0.8
"""An event ends when the statistic falls below this share of the threshold: hysteresis against chatter."""
GROWTH = 1.25
"""An open event is reported again when its peak has grown by this factor."""

EventKind = Literal["anomaly", "stuck"]
Top = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Event:
    """What is published of an event: `new` when it opens, `update` when its peak grows, `end` when it is over.

    `peak` and `top` are those of the largest row so far, also in `end`, however little the peak had grown.
    """

    id: str
    kind: EventKind
    type: Literal["new", "update", "end"]
    start_ns: int
    time_ns: int
    peak: float
    top: Top


class EventTracker:
    """Follows one kind of event of one stream.

    Ids are made of the start's time and the kind: a sample that is delivered again after a crash makes the same
    event, not a second one.
    """

    def __init__(self, kind: EventKind) -> None:
        self._kind: EventKind = kind
        self._open: Event | None = None  # as it was last published
        self._peak = 0.0
        self._top: Top = ()

    @property
    def is_open(self) -> bool:
        """Whether an event is going on."""
        return self._open is not None

    def push(self, time_ns: int, value: float, threshold: float, top: Top, allowed: bool = True) -> Event | None:
        """One row: the event to publish, if any. Where `allowed` is false nothing opens."""
        if self._open is None:
            if not allowed or value <= threshold:
                return None
            self._open = Event(f"{self._kind}-{time_ns}", self._kind, "new", time_ns, time_ns, value, top)
            self._peak, self._top = value, top
            return self._open
        if value < RELEASE * threshold:
            return self.close(time_ns)
        if value > self._peak:
            self._peak, self._top = value, top
        if value > GROWTH * self._open.peak:
            self._open = self._changed("update", time_ns)
            return self._open
        return None

    def close(self, time_ns: int) -> Event | None:
        """End what is open, as when the stream is cut by a gap."""
        if self._open is None:
            return None
        ended = self._changed("end", time_ns)
        self._open = None
        return ended

    def _changed(self, kind: Literal["update", "end"], time_ns: int) -> Event:
        assert self._open is not None
        return Event(self._open.id, self._kind, kind, self._open.start_ns, time_ns, self._peak, self._top)
