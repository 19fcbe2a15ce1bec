"""Summarises the scores of recordings: how many rows were judged, and if few were, why."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector
from vcedge.history.recording import NO_TIME
from vcedge.runtime.codecs.timestamps import milliseconds
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.score import UNJUDGED
from vcedge.runtime.stream.score_block import STATUSES, ScoreBlock
from vcedge.schema import NS_PER_S
from vcedge.wording import duration, utc_time

MIN_JUDGED = 0.5
"""Share of judged rows below which the user is warned."""
MAX_EVENTS = 1000
"""Events that are listed; all are counted. If inputs overlap in time, events of one start count as one."""
MAX_LINES = 10
"""Range events that are shown to people."""
MAX_INTERVALS = 10_000
"""Intervals between rows that are kept, for the median."""


class ScoreSummary:
    """Counts scores and collects events, in bounded memory."""

    def __init__(self, detector: Detector) -> None:
        self._schema = detector.schema
        self._warmup_rows = detector.calibration.warmup_rows
        self._hidden = detector.hidden
        self._last_ns: int | None = None
        self._intervals: list[int] = []
        self._clock: Counter[str] = Counter()
        self._found: dict[str, Event] = {}
        self._ranges: dict[str, Event] = {}
        self.rows = self.alarms = self.events = self.ranges = self.updated = 0
        self.statuses: Counter[str] = Counter()

    def start(self) -> None:
        """Begin another stream, whose first row has no interval to the row before."""
        self._last_ns = None

    def add_block(self, block: ScoreBlock) -> None:
        """Count the rows of a block."""
        self.rows += len(block)
        self.alarms += int(block.alarm.sum())
        self.updated += int(block.updated.sum())
        for row in sorted(block.events):
            for event in block.events[row]:
                if event.kind == "anomaly":
                    self.events += event.type == "new"
                    _keep(event, self._found)
                elif event.kind == "range":
                    self.ranges += event.type == "new"
                    _keep(event, self._ranges)
        for code, count in enumerate(np.bincount(block.status, minlength=len(STATUSES)).tolist()):
            if count:
                self.statuses[STATUSES[code]] += count
        wrong = block.status == STATUSES.index("clock")
        self._clock.update(map(_clock_words, block.time_ns[wrong].tolist()))
        self._count_intervals(block.time_ns[~wrong])

    def _count_intervals(self, time_ns: NDArray[np.int64]) -> None:
        """Keep the first MAX_INTERVALS intervals between rows whose times are in order."""
        if not len(time_ns):
            return
        room = MAX_INTERVALS - len(self._intervals)
        before = [] if self._last_ns is None else [self._last_ns]
        self._intervals += np.diff(np.concatenate((before, time_ns[: room + 1])).astype(np.int64))[:room].tolist()
        self._last_ns = int(time_ns[-1])

    @property
    def judged(self) -> int:
        """Number of rows that could have raised an alarm."""
        return self.rows - sum(self.statuses[status] for status in UNJUDGED)

    @property
    def updated_share(self) -> float:
        """Mean share of hidden dimensions updated; 0 without rows or without a network."""
        return self.updated / (self.rows * self._hidden) if self.rows and self._hidden else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return all counts and the listed events."""
        return {
            "rows": self.rows,
            "judged": self.judged,
            "statuses": dict(sorted(self.statuses.items())),
            "alarms": self.alarms,
            "events": self.events,
            "updated_share": self.updated_share,
            "found": [
                {
                    "start": milliseconds(event.start_ns),
                    "last": milliseconds(event.time_ns),
                    "ended": event.type == "end",
                    "peak": event.peak,
                    "top": event.top,
                    "resembles": event.resembles,
                    "agreement": event.agreement,
                    "why": event.why,
                }
                for event in self._found.values()
            ],
            "range_events": self.ranges,
            "ranges": [
                {
                    "start": milliseconds(event.start_ns),
                    "last": milliseconds(event.time_ns),
                    "ended": event.type == "end",
                    "peak": event.peak,
                    "top": event.top,
                    "text": event.text,
                }
                for event in self._ranges.values()
            ],
        }

    def lines(self, took_s: float) -> list[str]:
        """Return the counts and the seconds taken as text, with a warning if most rows were not judged."""
        counts = ", ".join(f"{status} {count:,}" for status, count in self.statuses.most_common())
        lines = [
            f"{self.judged:,} of {self.rows:,} rows judged ({counts or 'no rows'}): {self.alarms:,} alarm rows, "
            f"{self.events:,} events, updated share {self.updated_share:.0%}, in {took_s:.1f} s"
        ]
        lines += [f"{utc_time(event.start_ns)} {event.text}" for event in self._ranges.values()][:MAX_LINES]
        if self.ranges > MAX_LINES:
            lines.append(f"and {self.ranges - MAX_LINES:,} more range events (--json)")
        if self.judged < MIN_JUDGED * self.rows:
            main = max(UNJUDGED, key=lambda status: self.statuses[status])
            share = self.statuses[main] / self.rows
            lines.append(f"warning: most rows were not judged: {share:.0%} have the status '{main}': {self._why(main)}")
        return lines

    def _why(self, status: str) -> str:
        if status == "clock":
            return self._clock.most_common(1)[0][0]
        if status == "gap":
            spacing = sorted(self._intervals)[len(self._intervals) // 2] / NS_PER_S
            period, gap = self._schema.period_ns / NS_PER_S, self._schema.max_gap_ns / NS_PER_S
            return (
                f"the file's spacing is {duration(spacing)}, but the model expects {duration(period)}, "
                f"and a pause longer than {duration(gap)} is a gap"
            )
        if status == "stale":
            return "no channel has a value in these rows"
        gaps = self.statuses["gap"]
        after_gaps = f", and as many after each of {gaps:,} gaps," if gaps else " of each file"
        return f"the first {self._warmup_rows} rows{after_gaps} warm up"


def _keep(event: Event, kept: dict[str, Event]) -> None:
    """Keep the last state of an event, for the first MAX_EVENTS events."""
    if event.id in kept or len(kept) < MAX_EVENTS:
        kept[event.id] = event


def _clock_words(time_ns: int) -> str:
    if time_ns == NO_TIME:
        return "their time cannot be read"
    return "their times lie before 1970" if time_ns < 0 else "they are not in order of time"
