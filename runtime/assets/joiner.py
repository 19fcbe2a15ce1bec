"""Values of single sensors to samples: those of one window of time are one, as soon as all are there or none may come.

What belongs together is decided by the values' own times alone: what is delivered again gives the same samples.
Windows are as long as the model's period unless the configuration says otherwise, and the first value stands in the
middle of its own: sensors that are read together stay together, however their clocks tremble.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from vcedge.runtime.stream import timeline
from vcedge.runtime.stream.timeline import CONFIRM
from vcedge.schema import NS_PER_S, SensorSchema

MAX_WINDOWS = 1000
"""Windows that may be open at once: so many times as long as a window may be waited for what is late."""


@dataclass(frozen=True)
class JoinRule:
    """How values are joined; all times in nanoseconds."""

    names: frozenset[str] | None
    """The channels of a whole sample; None: not known, and then every window is waited for."""
    window_ns: int
    late_ns: int
    """A value that is behind the newest one by no more than this is joined, unless its channel is in the sample."""
    ahead_ns: int
    """A value ahead of the newest by more is not believed at first."""
    back_ns: int
    """Nor is one that is behind the newest by more."""
    far_ns: int
    """One that is never believed is passed on where it is ahead by more: the stream's timeline will not believe it."""


def join_rule(schema: SensorSchema, join_s: float | None, lateness_s: float | None, *, known: bool = True) -> JoinRule:
    """The rule for samples of a schema; `known`: its channels are those that a whole sample has.

    Raises ValueError where `lateness_s` is longer than MAX_WINDOWS windows.
    """
    window_ns = schema.period_ns if join_s is None else round(join_s * NS_PER_S)
    late_ns = window_ns if lateness_s is None else round(lateness_s * NS_PER_S)
    if late_ns > MAX_WINDOWS * window_ns:
        raise ValueError(f"expected at most {MAX_WINDOWS} times the {window_ns / NS_PER_S:g} s of one sample")
    ahead_ns = late_ns + window_ns + schema.max_gap_ns
    names = frozenset(schema.names) if known else None
    back_ns = max(timeline.late_ns(schema), late_ns + window_ns)
    return JoinRule(names, window_ns, late_ns, ahead_ns, back_ns, max(timeline.far_ns(schema), ahead_ns))


@dataclass(frozen=True)
class Row:
    """One sample. `time_ns` is the earliest time in it; not `timed`: one of them is the time of arrival."""

    time_ns: int
    values: Mapping[str, float]
    timed: bool = True


@dataclass
class Window:
    """What has come of one sample: for each channel its last value, and when that was."""

    values: dict[str, tuple[int, float]] = field(default_factory=dict)
    timed: bool = True

    def add(self, row: Row) -> Window:
        """Put values in, and return itself. One that is older than what its channel has already changes nothing."""
        self.timed = self.timed and row.timed
        for name, value in row.values.items():
            held = self.values.get(name)
            if held is None or row.time_ns >= held[0]:
                self.values[name] = (row.time_ns, value)
        return self

    def row(self) -> Row:
        """The sample."""
        time_ns = min(time_ns for time_ns, _ in self.values.values())
        return Row(time_ns, {name: value for name, (_, value) in self.values.items()}, self.timed)


@dataclass
class Memory:
    """All that is remembered but the windows and rows that wait; in nanoseconds since 1970."""

    phase_ns: int = 0
    """The middle of one window."""
    newest_ns: int | None = None
    """The latest time that was believed."""
    closed: int | None = None
    """Number of the last window that was closed."""
    closed_ns: int = 0
    """Time of its sample."""
    whole: bool = False
    """Whether it had a value of each channel."""


class Joiner:
    """Of one asset. A value that is late is passed on alone: the stream's timeline says what is wrong with its time."""

    def __init__(self, rule: JoinRule) -> None:
        self._rule = rule
        self._memory = Memory()
        self._open: dict[int, Window] = {}
        self._doubtful: list[Row] = []
        """Rows in a row that are far from the newest time, and near each other."""
        self.dropped = 0
        """Rows of channels that their sample had already, or of a clock that was wrong for them alone."""

    @property
    def newest_ns(self) -> int | None:
        """The latest time that was believed; None before the first."""
        return self._memory.newest_ns

    @property
    def patience_s(self) -> float:
        """After such a silence nothing is waited for."""
        return (self._rule.late_ns + self._rule.window_ns) / NS_PER_S

    @property
    def waiting(self) -> bool:
        """Whether there are values that wait for others."""
        return bool(self._open or self._doubtful)

    def push(self, row: Row) -> list[Row]:
        """What is ready, in order, after values of one time."""
        if self._near(row.time_ns):
            return [*self._disbelieved(), *self._join(row)]
        reach_ns = self._rule.ahead_ns + self._rule.window_ns
        ready = []
        if self._doubtful and abs(row.time_ns - self._doubtful[-1].time_ns) > reach_ns:
            ready = self._disbelieved()
        self._doubtful.append(row)
        return ready + self._begin_anew() if len(self._doubtful) >= CONFIRM else ready

    def flush(self) -> list[Row]:
        """All that waits, as it is."""
        return [*self._all_open(), *self._disbelieved()]

    def snapshot(self) -> dict[str, Any]:
        """The memory as JSON values; `restore` is the inverse."""
        return {
            "memory": asdict(self._memory),
            "open": [[number, _stored(window)] for number, window in self._open.items()],
            "doubtful": [_stored(Window().add(row)) for row in self._doubtful],
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot of the same rule."""
        self._memory = Memory(**snapshot["memory"])
        self._open = {number: _read(stored) for number, stored in snapshot["open"]}
        self._doubtful = [_read(stored).row() for stored in snapshot["doubtful"]]

    def _near(self, time_ns: int) -> bool:
        newest_ns = self._memory.newest_ns
        return newest_ns is None or newest_ns - self._rule.back_ns <= time_ns <= newest_ns + self._rule.ahead_ns

    def _disbelieved(self) -> list[Row]:
        """Rows of a wrong clock, to be passed on where they do no harm."""
        rows, self._doubtful = self._doubtful, []
        low_ns = (self._memory.newest_ns or 0) - self._rule.back_ns
        high_ns = (self._memory.newest_ns or 0) + self._rule.far_ns
        wild = [row for row in rows if not low_ns <= row.time_ns <= high_ns]
        self.dropped += len(rows) - len(wild)
        return wild

    def _begin_anew(self) -> list[Row]:
        """The clock was set, or the machine paused: what was doubtful is what goes on."""
        ready = self._all_open()
        rows, self._doubtful, self._memory = self._doubtful, [], Memory()
        return ready + [done for row in rows for done in self._join(row)]

    def _join(self, row: Row) -> list[Row]:
        memory, window_ns = self._memory, self._rule.window_ns
        if memory.newest_ns is None:
            memory.phase_ns = memory.newest_ns = row.time_ns
        number = (row.time_ns - memory.phase_ns + window_ns // 2) // window_ns
        if memory.closed is not None and number <= memory.closed:
            if number == memory.closed and memory.whole:
                self.dropped += 1
                return []
            return [Row(min(row.time_ns, memory.closed_ns), row.values, row.timed)]
        self._open.setdefault(number, Window()).add(row)
        memory.newest_ns = max(row.time_ns, memory.newest_ns)
        return [self._close(ended) for ended in self._ended(memory.newest_ns)]

    def _ended(self, newest_ns: int) -> Iterator[int]:
        """Open windows, oldest first, up to one that others may still come to."""
        window_ns = self._rule.window_ns
        for number in sorted(self._open):
            end_ns = self._memory.phase_ns + (number + 1) * window_ns - window_ns // 2
            if not self._is_whole(number) and newest_ns - self._rule.late_ns < end_ns:
                return
            yield number

    def _all_open(self) -> list[Row]:
        return [self._close(number) for number in sorted(self._open)]

    def _is_whole(self, number: int) -> bool:
        return self._rule.names is not None and self._rule.names <= self._open[number].values.keys()

    def _close(self, number: int) -> Row:
        whole = self._is_whole(number)
        row = self._open.pop(number).row()
        self._memory.closed, self._memory.closed_ns, self._memory.whole = number, row.time_ns, whole
        return row


def _stored(window: Window) -> list[Any]:
    """As JSON has it: a missing value is null."""
    values = {name: [at, None if math.isnan(value) else value] for name, (at, value) in window.values.items()}
    return [window.timed, values]


def _read(stored: list[Any]) -> Window:
    timed, values = stored
    return Window({name: (at, math.nan if value is None else value) for name, (at, value) in values.items()}, timed)
