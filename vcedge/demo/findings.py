"""Matches the events of the service with the faults of a recording.

An event belongs to a fault if it begins between the fault's first row and 5 minutes after its last: a repair is a jump
too, and the smoothed statistic needs time to settle. The first event that begins during the fault finds it; one that
begins in the 5 minutes after it neither finds it nor is a false alarm. Every other event is a false alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcedge.runtime.stream.events import Top
from vcedge.schema import F64, NS_PER_S

TAIL_NS = 300 * NS_PER_S
Times = NDArray[np.int64]


@dataclass(frozen=True)
class Label:
    """Describes a simulated fault in [start_ns, stop_ns), and the channels that show it."""

    kind: str
    text: str
    channels: tuple[str, ...]
    start_ns: int
    stop_ns: int


@dataclass(frozen=True)
class ReportedEvent:
    """Describes an event as the service reported its beginning; `kind` is `anomaly`, `range` or `stuck`."""

    id: str
    kind: str
    start_ns: int
    top: Top
    text: str = ""
    """Sentence of a `range` event."""


@dataclass(frozen=True)
class FaultFinding:
    """Holds one fault, and the events that belong to it."""

    label: Label
    events: int
    """Events that began during the fault."""
    by: ReportedEvent | None
    """The first of them; None if the fault was missed."""
    afterwards: int
    """Events that began in the 5 minutes after the fault."""
    text: str = ""
    """Sentence of the first `range` event during the fault."""

    @property
    def delay_s(self) -> float | None:
        """Seconds from the fault's first row to the event; None if it was missed."""
        return None if self.by is None else (self.by.start_ns - self.label.start_ns) / NS_PER_S

    @property
    def cause_is_right(self) -> bool:
        """Whether the event's first channel is one that shows the fault."""
        return self.by is not None and bool(self.by.top) and self.by.top[0][0] in self.label.channels


@dataclass(frozen=True)
class Findings:
    """Holds all faults and false alarms. Hours are those of the recording, not of the wall clock."""

    faults: tuple[FaultFinding, ...]
    false_alarms: tuple[ReportedEvent, ...]
    normal_hours: float
    """Time without a fault and its 5 minutes: events in it are false alarms."""
    share_normal: float
    """Mean updated share of the network on rows outside the faults; NaN without such rows."""
    share_faults: float
    """The same on rows inside the faults."""

    @property
    def found(self) -> int:
        """Number of faults that were found."""
        return sum(finding.by is not None for finding in self.faults)


def match_events(labels: Sequence[Label], events: Sequence[ReportedEvent], times_ns: Times, shares: F64) -> Findings:
    """Match the service's events with the labels.

    An event during one fault and soon after another belongs to the first.

    Args:
        labels: the simulated faults; they must not overlap.
        events: the events of the service.
        times_ns: time of each scored row (N,), in order.
        shares: updated share of each scored row (N,).
    """
    labels = sorted(labels, key=lambda label: label.start_ns)
    within: dict[int, list[ReportedEvent]] = {i: [] for i in range(len(labels))}
    after: dict[int, list[ReportedEvent]] = {i: [] for i in range(len(labels))}
    false_alarms = []
    for event in sorted(events, key=lambda event: event.start_ns):
        inside = [i for i, label in enumerate(labels) if label.start_ns <= event.start_ns < label.stop_ns]
        behind = [i for i, label in enumerate(labels) if 0 <= event.start_ns - label.stop_ns < TAIL_NS]
        if inside:
            within[inside[0]].append(event)
        elif behind:
            after[behind[-1]].append(event)
        else:
            false_alarms.append(event)
    faulty = _covered(times_ns, labels, 0)
    free = ~_covered(times_ns, labels, TAIL_NS)
    return Findings(
        faults=tuple(
            FaultFinding(
                label,
                events=len(within[i]),
                by=within[i][0] if within[i] else None,
                afterwards=len(after[i]),
                text=next((event.text for event in within[i] if event.text), ""),
            )
            for i, label in enumerate(labels)
        ),
        false_alarms=tuple(false_alarms),
        normal_hours=_hours(times_ns) * float(free.mean()) if len(free) else 0.0,
        share_normal=_mean(shares[~faulty]),
        share_faults=_mean(shares[faulty]),
    )


def _covered(times_ns: Times, labels: Sequence[Label], tail_ns: int) -> NDArray[np.bool_]:
    """Return the mask of rows (N,) within a fault, or within `tail_ns` after it."""
    covered = np.zeros(len(times_ns), np.bool_)
    for label in labels:
        covered |= (times_ns >= label.start_ns) & (times_ns < label.stop_ns + tail_ns)
    return covered


def _hours(times_ns: Times) -> float:
    """Return the time that N rows cover, in hours."""
    if len(times_ns) < 2:
        return 0.0
    return float(times_ns[-1] - times_ns[0]) / NS_PER_S / 3600.0 * len(times_ns) / (len(times_ns) - 1)


def _mean(values: F64) -> float:
    return float(values.mean()) if len(values) else float("nan")
