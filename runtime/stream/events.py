"""From rows above a limit to events: one that opens, grows and ends, instead of a hundred alarms.

A pure state machine: no clock, and its whole memory can be taken out and put back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import repeat
from typing import Any, Literal

from vcedge.limits import RELEASE, EventRule

__all__ = ["GROWTH", "RELEASE", "Event", "EventKind", "EventTracker", "Top", "top_of", "track_events"]
GROWTH = 1.25
"""An open event is reported again when its peak has grown by this factor."""

EventKind = Literal["anomaly", "stuck", "limit", "rate", "dropout", "clock", "disagreement", "model"]
Top = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Event:
    """What is published of an event: `new` when it opens, `update` when its peak grows, `end` when it is over.

    `peak` and `top` are those of the largest row so far, also in `end`, however little the peak had grown. `start_ns`
    is the first row above the threshold, `time_ns` the row that opened, updated or ended it. The last three are of
    anomaly events, and are filled in by `explainer`.
    """

    id: str
    kind: EventKind
    type: Literal["new", "update", "end"]
    start_ns: int
    time_ns: int
    peak: float
    top: Top
    resembles: str = ""
    """Kinds of injected faults that it looks like: "spike", "offset or drift", "unclear"; empty where none is known."""
    agreement: float = 0.0
    """Share of that name in the likelihood of all names, 0 to 1."""
    why: str = ""
    """Why the gate woke: "Pressure change", "surprise", "memory"; empty where it did not."""


@dataclass(frozen=True)
class Memory:
    """All that a tracker remembers."""

    open: Event | None = None
    """As it was last published."""
    start_ns: int = 0
    """First of the rows above the threshold, before there are enough of them for an event."""
    above: int = 0
    """Rows in a row above the threshold while nothing is open."""
    below: int = 0
    """Rows in a row below the release while an event is open."""
    peak: float = 0.0
    top: Top = ()


class EventTracker:
    """Follows one kind of event of one stream.

    Ids are made of the start's time and the kind: a sample that is delivered again after a crash makes the same
    event, not a second one.
    """

    def __init__(self, kind: EventKind, rule: EventRule | None = None) -> None:
        self._kind: EventKind = kind
        self._rule = rule or EventRule()
        self._memory = Memory()

    @property
    def is_open(self) -> bool:
        """Whether an event is going on."""
        return self._memory.open is not None

    @property
    def open(self) -> Event | None:
        """What is going on, as it was last published."""
        return self._memory.open

    def push(self, time_ns: int, value: float, threshold: float, top: Top, allowed: bool = True) -> Event | None:
        """One row: the event to publish, if any. Where `allowed` is false nothing opens."""
        memory = self._memory
        if memory.open is None:
            if allowed and value > threshold:
                return self._exceeded(time_ns, value, top)
            if memory.above:
                self._memory = Memory()
            return None
        if value < self._rule.release * threshold:
            if memory.below >= self._rule.hold_rows:
                return self.close(time_ns)
            self._memory = replace(memory, below=memory.below + 1)
            return None
        if memory.below or value > memory.peak:
            peak, top = (value, top) if value > memory.peak else (memory.peak, memory.top)
            self._memory = replace(memory, below=0, peak=peak, top=top)
        return self._publish("update", time_ns) if value > GROWTH * memory.open.peak else None

    def close(self, time_ns: int) -> Event | None:
        """End what is open, as when the stream is cut by a gap."""
        ended = None if self._memory.open is None else self._publish("end", time_ns)
        self._memory = Memory()
        return ended

    def snapshot(self) -> dict[str, Any]:
        """The memory as JSON values; `restore` is the inverse."""
        return asdict(self._memory)

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot of a tracker of the same kind and rule."""
        memory = Memory(**{**snapshot, "top": top_of(snapshot["top"])})
        event = snapshot["open"]
        self._memory = replace(memory, open=event and Event(**{**event, "top": top_of(event["top"])}))

    def _exceeded(self, time_ns: int, value: float, top: Top) -> Event | None:
        """A row above the threshold while nothing is open: the last one that an event needs, or one more."""
        memory = self._memory
        start_ns = time_ns if memory.above == 0 else memory.start_ns
        if value > memory.peak or memory.above == 0:
            memory = replace(memory, peak=value, top=top)
        self._memory = replace(memory, start_ns=start_ns, above=memory.above + 1)
        return None if self._memory.above < self._rule.min_rows else self._publish("new", time_ns)

    def _publish(self, type_: Literal["new", "update", "end"], time_ns: int) -> Event:
        memory = self._memory
        name = f"{self._kind}-{memory.start_ns}"
        event = Event(name, self._kind, type_, memory.start_ns, time_ns, memory.peak, memory.top)
        self._memory = replace(memory, open=event)
        return event


def track_events(
    values: Iterable[float], threshold: float, rule: EventRule, allowed: Iterable[bool] | None = None
) -> Iterator[tuple[int, Event]]:
    """Yield the row and the event of each anomaly event that a stream would report at a fixed threshold.

    Rows stand in the place of times. Nothing opens at a row that is not `allowed`; an event that is still open ends
    after the last row.
    """
    tracker, row = EventTracker("anomaly", rule), -1
    for row, (value, allow) in enumerate(zip(values, repeat(True) if allowed is None else allowed, strict=False)):
        event = tracker.push(row, value, threshold, (), allow)
        if event is not None:
            yield row, event
    last = tracker.close(row + 1)
    if last is not None:
        yield row + 1, last


def top_of(pairs: Any) -> Top:
    """Channels and shares as they were before JSON made lists of them."""
    return tuple((str(name), float(share)) for name, share in pairs)
