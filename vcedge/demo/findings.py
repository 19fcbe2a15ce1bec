"""What was found of what was wrong: the labels of a recording beside what the service said. Pure functions.

The rule. An event belongs to a fault when it begins between the fault's first row and 5 minutes after its last: a
repair is a jump too, and what was smoothed needs its time to settle. The first event that begins while the fault lasts
finds it; one that begins in those 5 minutes neither finds it nor is a false alarm. Every other event is a false alarm.
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
    """A fault as it was simulated: from `start_ns` up to, not including, `stop_ns`, and the channels it shows in."""

    kind: str
    text: str
    channels: tuple[str, ...]
    start_ns: int
    stop_ns: int


@dataclass(frozen=True)
class Noticed:
    """An event of the service, as it was when it began: `kind` is `anomaly` or `stuck`."""

    id: str
    kind: str
    start_ns: int
    top: Top


@dataclass(frozen=True)
class Finding:
    """What became of one fault."""

    label: Label
    events: int
    """Events that began while it lasted."""
    by: Noticed | None
    """The first of them; None where it was missed."""
    afterwards: int
    """Events that began in the 5 minutes after it."""

    @property
    def delay_s(self) -> float | None:
        """Seconds from the fault's first row to the event; None where it was missed."""
        return None if self.by is None else (self.by.start_ns - self.label.start_ns) / NS_PER_S

    @property
    def cause_is_right(self) -> bool:
        """Whether the channel that the event names first is one that the fault shows in."""
        return self.by is not None and bool(self.by.top) and self.by.top[0][0] in self.label.channels


@dataclass(frozen=True)
class Findings:
    """The whole picture. Hours and shares are of the recording's own time, not of the clock on the wall."""

    faults: tuple[Finding, ...]
    false_alarms: tuple[Noticed, ...]
    normal_hours: float
    """Time that belongs to no fault: that in which an event is a false alarm."""
    share_normal: float
    """Mean share of the network that was updated on the rows outside of the faults; NaN without such rows."""
    share_faults: float
    """The same on the rows inside."""

    @property
    def found(self) -> int:
        """How many faults were found."""
        return sum(finding.by is not None for finding in self.faults)


def judge(labels: Sequence[Label], events: Sequence[Noticed], times_ns: Times, shares: F64) -> Findings:
    """Lay the service's events beside the labels.

    times_ns (N,), shares (N,): time and updated share of every row that was scored, in order of time. Labels may not
    overlap; an event that lies within one fault and soon after another belongs to the first.
    """
    labels = sorted(labels, key=lambda label: label.start_ns)
    within: dict[int, list[Noticed]] = {i: [] for i in range(len(labels))}
    after: dict[int, list[Noticed]] = {i: [] for i in range(len(labels))}
    nowhere = []
    for event in sorted(events, key=lambda event: event.start_ns):
        inside = [i for i, label in enumerate(labels) if label.start_ns <= event.start_ns < label.stop_ns]
        behind = [i for i, label in enumerate(labels) if 0 <= event.start_ns - label.stop_ns < TAIL_NS]
        if inside:
            within[inside[0]].append(event)
        elif behind:
            after[behind[-1]].append(event)
        else:
            nowhere.append(event)
    faulty = _covered(times_ns, labels, 0)
    free = ~_covered(times_ns, labels, TAIL_NS)
    return Findings(
        faults=tuple(
            Finding(label, len(within[i]), within[i][0] if within[i] else None, len(after[i]))
            for i, label in enumerate(labels)
        ),
        false_alarms=tuple(nowhere),
        normal_hours=_hours(times_ns) * float(free.mean()) if len(free) else 0.0,
        share_normal=_mean(shares[~faulty]),
        share_faults=_mean(shares[faulty]),
    )


def _covered(times_ns: Times, labels: Sequence[Label], tail_ns: int) -> NDArray[np.bool_]:
    """Which rows (N,) lie within a fault or so soon after it."""
    covered = np.zeros(len(times_ns), np.bool_)
    for label in labels:
        covered |= (times_ns >= label.start_ns) & (times_ns < label.stop_ns + tail_ns)
    return covered


def _hours(times_ns: Times) -> float:
    """Time that N rows stand for, in hours."""
    if len(times_ns) < 2:
        return 0.0
    return float(times_ns[-1] - times_ns[0]) / NS_PER_S / 3600.0 * len(times_ns) / (len(times_ns) - 1)


def _mean(values: F64) -> float:
    return float(values.mean()) if len(values) else float("nan")
