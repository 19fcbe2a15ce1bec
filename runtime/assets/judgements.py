"""Remembers the recent events of one asset, and how people judged them.

A false alarm raises the threshold so far that its event would not have opened; any other judgement takes that back. No
input or output, and no clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, field_validator

from vcedge.config.problems import shown
from vcedge.config.strict import Strict
from vcedge.labels import JUDGEMENTS, Judged, Label
from vcedge.runtime.assets.settings import Refused, parse_message
from vcedge.runtime.codecs.timestamps import milliseconds
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.score import Score
from vcedge.runtime.stream.score_block import events_of

MAX_PAYLOAD = 4096
"""Size limit of a message, in bytes."""
REMEMBERED = 100
"""Events of one asset that can be judged."""
LISTED = 20
"""Latest events that the state lists."""


class Judgement(Strict):
    """States what an event was."""

    event: str = Field(min_length=1, max_length=200)
    judged: Judged
    by: str = Field(default="", max_length=100)
    note: str = Field(default="", max_length=300)

    @field_validator("by", "note")
    @classmethod
    def _is_one_line(cls, value: str) -> str:
        """Replace line feeds and other characters that no line of a file can hold by spaces."""
        return " ".join("".join(letter if letter.isprintable() else " " for letter in value).split())


def parse_judgement(payload: bytes) -> Judgement:
    """Parse a message on `feedback/set`. Raises Refused."""
    return parse_message(Judgement, "feedback", payload, MAX_PAYLOAD)


@dataclass
class RememberedEvent:
    """Holds one event, with the threshold when it opened, and its last judgement. Times are nanoseconds."""

    id: str
    kind: str
    model: str
    """The model that raised it."""
    start_ns: int
    end_ns: int
    """Of an open event, its last change."""
    open: bool
    peak: float
    threshold: float
    """Threshold of the row that opened it, with the widening."""
    widening: float
    judged: Judged | None = None
    by: str = ""
    note: str = ""
    at_ns: int = 0
    """Time of the judgement."""

    @property
    def excess(self) -> float:
        """Widening with which the event would not have opened; 0 unless it is a false alarm about the machine."""
        needed = self.judged == "false_alarm" and self.kind == "anomaly"
        return max(self.peak - self.threshold + self.widening, 0.0) if needed else 0.0

    def label(self, asset: str) -> Label:
        """Return the judged event as a label."""
        assert self.judged is not None
        times = self.start_ns, max(self.start_ns, self.end_ns)
        return Label(asset, self.id, self.kind, *times, self.judged, self.by, self.note, self.at_ns)

    def report(self) -> dict[str, Any]:
        """Return the event as JSON values."""
        return {
            "id": self.id,
            "kind": self.kind,
            "start": milliseconds(self.start_ns),
            "end": None if self.open else milliseconds(self.end_ns),
            "peak": self.peak,
            "threshold": self.threshold,
            "judged": self.judged,
            "by": self.by,
            "note": self.note,
        }


class Judgements:
    """Follows the events of one asset, and applies people's judgements of them."""

    def __init__(self) -> None:
        self._events: dict[str, RememberedEvent] = {}
        """By id, the oldest first."""
        self._last: str | None = None
        """Id of the event that was judged last."""
        self._unwritten: set[str] = set()
        """Ids of judged events that labels.csv does not have as they are."""

    def __contains__(self, event: str) -> bool:
        """Return whether the event was judged."""
        return event in self._events and self._events[event].judged is not None

    def follow(self, scores: Sequence[Score], model: str, widening: float) -> bool:
        """Remember the events of some rows, which a model scored with this widening; return whether there are any."""
        events = events_of(scores)
        for row, changes in events.items():
            for change in changes:
                self._follow(change, scores[row].threshold, model, widening)
        return bool(events)

    def judge(self, judgement: Judgement, at_ns: int, latest_ns: int) -> bool:
        """Judge an event; return whether that changes anything. Raises Refused.

        Args:
            judgement: The message.
            at_ns: Time of its arrival.
            latest_ns: Time of the last sample, up to which an open event lasts.
        """
        event = self._events.get(judgement.event)
        if event is None:
            raise Refused(
                f"key 'event' is {shown(judgement.event)}, which is none of the last {len(self._events)} events of "
                f"this asset (at most {REMEMBERED} are kept): expected the id of an event, as on its topic event"
            )
        if (event.judged, event.by, event.note) == (judgement.judged, judgement.by, judgement.note):
            return False
        event.judged, event.by, event.note = judgement.judged, judgement.by, judgement.note
        event.at_ns = at_ns
        if event.open:
            event.end_ns = max(event.end_ns, latest_ns)
        self._last = event.id
        self._unwritten.add(event.id)
        return True

    def widening(self, model: str) -> float:
        """Return how far the false alarms of a model raise its threshold: another model gives other statistics."""
        return max((event.excess for event in self._events.values() if event.model == model), default=0.0)

    def unwritten(self, asset: str) -> list[Label]:
        """Return the judgements that labels.csv does not have; `mark_written` follows once it has them."""
        return [self._events[event].label(asset) for event in sorted(self._unwritten)]

    def mark_written(self) -> None:
        """Note that labels.csv has all judgements."""
        self._unwritten.clear()

    def report(self) -> dict[str, Any]:
        """Return the last judgement, the number of each, and the latest events, as JSON values."""
        last = None if self._last is None else self._events.get(self._last)
        counts = Counter(event.judged for event in self._events.values())
        return {
            "event": last and last.id,
            "judged": last and last.judged,
            "by": last.by if last else "",
            "note": last.note if last else "",
            "at": last and milliseconds(last.at_ns),
            "counts": {judged: counts[judged] for judged in JUDGEMENTS},
            "events": [event.report() for event in list(self._events.values())[: -LISTED - 1 : -1]],
        }

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `restore` is the inverse."""
        events = [list(vars(event).values()) for event in self._events.values()]
        return {"events": events, "last": self._last, "unwritten": sorted(self._unwritten)}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Continue from a snapshot. Raises LookupError or TypeError for anything else."""
        events = [RememberedEvent(*values) for values in snapshot["events"]]
        self._events = {event.id: event for event in events}
        self._last, self._unwritten = snapshot["last"], set(snapshot["unwritten"]) & self._events.keys()

    def _follow(self, change: Event, threshold: float, model: str, widening: float) -> None:
        event = self._events.get(change.id)
        if event is None:
            event = RememberedEvent(
                id=change.id,
                kind=change.kind,
                model=model,
                start_ns=change.start_ns,
                end_ns=change.time_ns,
                open=True,
                peak=change.peak,
                threshold=threshold,
                widening=widening,
            )
            self._events[change.id] = event
            self._forget()
        event.end_ns, event.peak = max(change.time_ns, event.end_ns), max(change.peak, event.peak)
        event.open = change.type != "end"
        if event.judged is not None and not event.open:
            self._unwritten.add(event.id)

    def _forget(self) -> None:
        """Forget an event if there are too many: the oldest of the commonest kind, so that no flood displaces others.

        The event that raises the threshold most stays.
        """
        if len(self._events) > REMEMBERED:
            events = self._events.values()
            kind = Counter(event.kind for event in events).most_common(1)[0][0]
            widest = max(events, key=lambda event: event.excess)
            oldest = next(event for event in events if event.kind == kind and (event is not widest or not event.excess))
            del self._events[oldest.id]
            self._unwritten.discard(oldest.id)
