"""Turns rows above a threshold into events that open, grow and end.

A pure state machine without a clock; its state is a `TrackerRecord`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Literal

from vcedge.limits import RELEASE, EventRule
from vcedge.runtime.stream.state import CLOSED, NO_TOP, OPENED, UPDATED, TrackerRecord

__all__ = ["GROWTH", "RELEASE", "Event", "EventKind", "EventTracker", "Top", "top_of", "track_events"]
GROWTH = 1.25
"""Growth of an open event's peak that is published as an update."""

EventKind = Literal["anomaly", "stuck", "limit", "rate", "dropout", "clock", "range", "disagreement", "model"]
EventType = Literal["new", "update", "end"]
Top = tuple[tuple[str, float], ...]
TopCodes = tuple[int, ...]
"""Leading channels as in `ScoreBlock.top`, TOP_CHANNELS of them."""


@dataclass(frozen=True)
class Event:
    """Holds what is published about an event: `new` when it opens, `update` when its peak grows or it is named, `end`.

    `peak` and `top` are those of the largest row so far. `start_ns` is the first row above the threshold, `time_ns` the
    row that opened, updated or ended the event. `explainer` sets the next three fields, of anomaly events alone.
    """

    id: str
    kind: EventKind
    type: EventType
    start_ns: int
    time_ns: int
    peak: float
    top: Top
    resembles: str = ""
    """Kinds of injected faults that it resembles: "spike", "offset or drift", "unclear"; empty until it is settled."""
    agreement: float = 0.0
    """Share of that name in the likelihood of all names, 0 to 1."""
    why: str = ""
    """Reason why the gate woke: "Pressure change", "surprise", "memory"; empty if it did not."""
    text: str = ""
    """Sentence for people, of range events alone: "BearingTemperature 51.6 °C, never above 42.8 in training"."""


class EventTracker:
    """Tracks the events of one kind of one stream.

    An id consists of kind and start time, so a sample that is delivered again after a crash gives the same event.
    """

    def __init__(
        self,
        kind: EventKind,
        rule: EventRule | None = None,
        record: TrackerRecord | None = None,
        names: Callable[[Sequence[int]], Top] | None = None,
    ) -> None:
        """Track in `record`, by default a new one; `names` converts codes of leading channels to names and shares."""
        self._kind: EventKind = kind
        self.rule = rule or EventRule()
        self._record = record or TrackerRecord(top=NO_TOP, open_top=NO_TOP)
        self._names = names or (lambda codes: ())

    @property
    def is_open(self) -> bool:
        """Whether an event is open."""
        return self._record.open != CLOSED

    @property
    def open(self) -> Event | None:
        """The open event, as it was last published."""
        record = self._record
        if record.open == CLOSED:
            return None
        type_: EventType = "new" if record.open == OPENED else "update"
        return self._event(type_, record.time_ns, record.open_peak, record.open_top)

    def push(
        self, time_ns: int, value: float, threshold: float, top: TopCodes = NO_TOP, *, allowed: bool = True
    ) -> Event | None:
        """Follow one row; return the event to publish, if any. No event opens on a row that is not `allowed`."""
        record = self._record
        if record.open == CLOSED:
            if allowed and value > threshold:
                return self._count_above(time_ns, value, top)
            if record.above:
                self._reset()
            return None
        if value < self.rule.release * threshold:
            if record.below >= self.rule.hold_rows:
                return self.close(time_ns)
            record.below += 1
            return None
        record.below = 0
        if value > record.peak:
            record.peak, record.top[:] = value, top
        return self._publish(UPDATED, time_ns) if value > GROWTH * record.open_peak else None

    def publish_again(self, time_ns: int) -> Event:
        """Return an update of the open event, whose explanation has changed."""
        return self._publish(UPDATED, time_ns)

    def close(self, time_ns: int) -> Event | None:
        """End the open event, as at a gap."""
        record = self._record
        ended = None if record.open == CLOSED else self._event("end", time_ns, record.peak, record.top)
        self._reset()
        return ended

    def _reset(self) -> None:
        record = self._record
        record.open = CLOSED
        record.start_ns = record.time_ns = record.above = record.below = 0
        record.peak = record.open_peak = 0.0
        record.top[:] = record.open_top[:] = NO_TOP

    def _count_above(self, time_ns: int, value: float, top: TopCodes) -> Event | None:
        """Count a row above the threshold while nothing is open; open an event once there are enough."""
        record = self._record
        if record.above == 0:
            record.start_ns = time_ns
        if value > record.peak or record.above == 0:
            record.peak, record.top[:] = value, top
        record.above += 1
        return None if record.above < self.rule.min_rows else self._publish(OPENED, time_ns)

    def _publish(self, type_: int, time_ns: int) -> Event:
        record = self._record
        record.open, record.time_ns, record.open_peak = type_, time_ns, record.peak
        record.open_top[:] = record.top[:]
        return self._event("new" if type_ == OPENED else "update", time_ns, record.peak, record.top)

    def _event(self, type_: EventType, time_ns: int, peak: float, top: Sequence[int]) -> Event:
        start_ns = self._record.start_ns
        name = f"{self._kind}-{start_ns}"
        return Event(name, self._kind, type_, start_ns, time_ns, peak, self._names(top[:]))


def track_events(
    values: Iterable[float], threshold: float, rule: EventRule, allowed: Iterable[bool] | None = None
) -> Iterator[tuple[int, Event]]:
    """Yield the row and the event of each anomaly event that a stream would publish at a fixed threshold.

    Rows stand for times. No event opens on a row that is not `allowed`; one that is still open ends after the last row.
    """
    tracker, row = EventTracker("anomaly", rule), -1
    for row, (value, allow) in enumerate(
        zip(values, repeat(object=True) if allowed is None else allowed, strict=False)
    ):
        event = tracker.push(row, value, threshold, allowed=allow)
        if event is not None:
            yield row, event
    last = tracker.close(row + 1)
    if last is not None:
        yield row + 1, last


def top_of(pairs: Any) -> Top:
    """Return channels and shares as tuples, from the lists of JSON."""
    return tuple((str(name), float(share)) for name, share in pairs)
