"""Joins the values of single sensors to samples: a window of time becomes one sample when it is complete or over.

Only the values' own times decide what belongs together, so values that are delivered again give the same samples.
A window is as long as the model's period unless the configuration says otherwise, and the first value lies in the
middle of its window: sensors that are read together stay together in spite of jitter in their times.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from vcedge.runtime.codecs.reading import NamedSample
from vcedge.runtime.stream import timeline
from vcedge.runtime.stream.timeline import CONFIRM
from vcedge.schema import NS_PER_S, SensorSchema

MAX_WINDOWS = 1000
"""Windows that may be open at once, which bounds the lateness."""


@dataclass(frozen=True)
class JoinRule:
    """Says how values are joined; all times in nanoseconds."""

    names: frozenset[str] | None
    """The channels of a complete sample; None: unknown, so that every window lasts to its end."""
    window_ns: int
    late_ns: int
    """A value that is behind the newest one by at most this is joined, unless its sample is already complete."""
    ahead_ns: int
    """A value further ahead of the newest one is an outlier until others confirm it."""
    back_ns: int
    """A value further behind the newest one is an outlier, too."""
    far_ns: int
    """An outlier further ahead than this bypasses joining: the stream's timeline rejects it."""


def join_rule(schema: SensorSchema, join_s: float | None, lateness_s: float | None, *, known: bool = True) -> JoinRule:
    """Return the rule for samples of a schema; `known`: a complete sample has exactly its channels.

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


@dataclass
class OpenWindow:
    """Collects one sample: for each channel its last value and the time of it."""

    values: dict[str, tuple[int, float]] = field(default_factory=dict)
    timed: bool = True

    def add(self, part: NamedSample) -> OpenWindow:
        """Add values and return the window. A value that is older than its channel's present one is ignored."""
        self.timed = self.timed and part.timed
        for name, value in part.values.items():
            held = self.values.get(name)
            if held is None or part.time_ns >= held[0]:
                self.values[name] = (part.time_ns, value)
        return self

    def sample(self) -> NamedSample:
        """Return the sample, with the earliest time in it."""
        time_ns = min(time_ns for time_ns, _ in self.values.values())
        return NamedSample(time_ns, {name: value for name, (_, value) in self.values.items()}, self.timed)


@dataclass
class JoinerState:
    """Holds the state of a joiner except its pending values; times in nanoseconds since 1970."""

    phase_ns: int = 0
    """The middle of one window."""
    newest_ns: int | None = None
    """The latest time that is no outlier."""
    closed: int | None = None
    """Number of the last window that was closed."""
    closed_ns: int = 0
    """Time of its sample."""
    whole: bool = False
    """Whether its sample was complete."""


class Joiner:
    """Joins the values of one asset. A value that is too late is passed on alone: the timeline gives it its status."""

    def __init__(self, rule: JoinRule) -> None:
        self._rule = rule
        self._state = JoinerState()
        self._open: dict[int, OpenWindow] = {}
        self._outliers: list[NamedSample] = []
        """Consecutive values far from the newest time and near each other."""
        self.dropped = 0
        """Parts that arrived after their sample was complete, or that were outliers in time."""

    @property
    def newest_ns(self) -> int | None:
        """The latest time that is no outlier; None before the first value."""
        return self._state.newest_ns

    @property
    def timeout_s(self) -> float:
        """The silence after which pending values are scored as they are."""
        return (self._rule.late_ns + self._rule.window_ns) / NS_PER_S

    @property
    def has_pending(self) -> bool:
        """Whether values wait for others."""
        return bool(self._open or self._outliers)

    def push(self, part: NamedSample) -> list[NamedSample]:
        """Add values of one time; return the samples that are complete or over, in order."""
        if self._is_near(part.time_ns):
            return [*self._drop_outliers(), *self._join(part)]
        reach_ns = self._rule.ahead_ns + self._rule.window_ns
        ready = []
        if self._outliers and abs(part.time_ns - self._outliers[-1].time_ns) > reach_ns:
            ready = self._drop_outliers()
        self._outliers.append(part)
        return ready + self._restart() if len(self._outliers) >= CONFIRM else ready

    def flush(self) -> list[NamedSample]:
        """Return all pending values as they are."""
        return [*self._close_all(), *self._drop_outliers()]

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `restore` is the inverse."""
        return {
            "memory": asdict(self._state),
            "open": [[number, _to_json(window)] for number, window in self._open.items()],
            "doubtful": [_to_json(OpenWindow().add(part)) for part in self._outliers],
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Continue from a snapshot of the same rule."""
        self._state = JoinerState(**snapshot["memory"])
        self._open = {number: _from_json(stored) for number, stored in snapshot["open"]}
        self._outliers = [_from_json(stored).sample() for stored in snapshot["doubtful"]]

    def _is_near(self, time_ns: int) -> bool:
        newest_ns = self._state.newest_ns
        return newest_ns is None or newest_ns - self._rule.back_ns <= time_ns <= newest_ns + self._rule.ahead_ns

    def _drop_outliers(self) -> list[NamedSample]:
        """Return the outliers that the timeline will reject; the others would look like a pause to it."""
        parts, self._outliers = self._outliers, []
        low_ns = (self._state.newest_ns or 0) - self._rule.back_ns
        high_ns = (self._state.newest_ns or 0) + self._rule.far_ns
        rejected = [part for part in parts if not low_ns <= part.time_ns <= high_ns]
        self.dropped += len(parts) - len(rejected)
        return rejected

    def _restart(self) -> list[NamedSample]:
        """Continue at the time of the outliers: the clock was set, or the machine paused."""
        ready = self._close_all()
        parts, self._outliers, self._state = self._outliers, [], JoinerState()
        return ready + [sample for part in parts for sample in self._join(part)]

    def _join(self, part: NamedSample) -> list[NamedSample]:
        state, window_ns = self._state, self._rule.window_ns
        if state.newest_ns is None:
            state.phase_ns = state.newest_ns = part.time_ns
        number = (part.time_ns - state.phase_ns + window_ns // 2) // window_ns
        if state.closed is not None and number <= state.closed:
            if number == state.closed and state.whole:
                self.dropped += 1
                return []
            return [part._replace(time_ns=min(part.time_ns, state.closed_ns))]
        self._open.setdefault(number, OpenWindow()).add(part)
        state.newest_ns = max(part.time_ns, state.newest_ns)
        return [self._close(ended) for ended in self._ended(state.newest_ns)]

    def _ended(self, newest_ns: int) -> Iterator[int]:
        """Yield open windows, oldest first, up to the first that may still get a value."""
        window_ns = self._rule.window_ns
        for number in sorted(self._open):
            end_ns = self._state.phase_ns + (number + 1) * window_ns - window_ns // 2
            if not self._is_complete(number) and newest_ns - self._rule.late_ns < end_ns:
                return
            yield number

    def _close_all(self) -> list[NamedSample]:
        return [self._close(number) for number in sorted(self._open)]

    def _is_complete(self, number: int) -> bool:
        return self._rule.names is not None and self._rule.names <= self._open[number].values.keys()

    def _close(self, number: int) -> NamedSample:
        complete = self._is_complete(number)
        sample = self._open.pop(number).sample()
        self._state.closed, self._state.closed_ns, self._state.whole = number, sample.time_ns, complete
        return sample


def _to_json(window: OpenWindow) -> list[Any]:
    """Return a window as JSON values: a missing value is null."""
    values = {name: [at, None if math.isnan(value) else value] for name, (at, value) in window.values.items()}
    return [window.timed, values]


def _from_json(stored: list[Any]) -> OpenWindow:
    timed, values = stored
    return OpenWindow({name: (at, math.nan if value is None else value) for name, (at, value) in values.items()}, timed)
