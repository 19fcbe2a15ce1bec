"""How far two models agree about the same samples: no input or output, no clock, and a memory that can be put back.

An episode is a time in which either has an event open. One that the other never saw is an alarm of one only.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from vcedge.runtime.stream.events import Event, top_of
from vcedge.runtime.stream.score import UNJUDGED, Score


@dataclass
class Side:
    """What one of the two did on the samples that both judged."""

    alarms: int = 0
    """Samples with an alarm."""
    error: float = 0.0
    """Sum of `raw` over its threshold."""
    updated: float = 0.0
    """Sum of the updated shares."""
    us: float = 0.0
    """Sum of the times in microseconds."""

    def add(self, score: Score, us: float) -> None:
        """One judged sample."""
        self.alarms += score.alarm
        self.error += score.raw / score.threshold
        self.updated += score.updated / score.hidden if score.hidden else 0.0
        self.us += us


@dataclass
class Memory:
    """All that is remembered of a pair."""

    ticks: int = 0
    """Samples that both judged."""
    first: Side = field(default_factory=Side)
    second: Side = field(default_factory=Side)
    sums: list[float] = field(default_factory=lambda: [0.0] * 5)
    """Of the scores x and y in [0, 1]: x, y, x², y², x y."""
    both: int = 0
    """Episodes that both saw."""
    only_first: int = 0
    only_second: int = 0
    seen: list[bool] = field(default_factory=lambda: [False, False])
    """Who had an event open in the present episode."""
    alone: int = 0
    """Samples of the present episode so far, seen by one only."""
    start_ns: int = 0
    """Of the present episode."""
    open: dict[str, Any] | None = None
    """The disagreement that is going on, as it was published."""


class Agreement:
    """Of the model in charge, `first`, and another, `second`."""

    def __init__(self, disagree_ticks: int) -> None:
        self._patience = disagree_ticks
        self.memory = Memory()

    def restart(self) -> None:
        """Count from here: one of the two is another model now."""
        self.memory = Memory()

    @property
    def disagreeing(self) -> bool:
        """Whether one of them sees an event that the other does not, for longer than a detection's delay."""
        return self.memory.open is not None

    @property
    def correlation(self) -> float | None:
        """Pearson's, of the scores; None where one of them never changed."""
        n, (x, y, xx, yy, xy) = self.memory.ticks, self.memory.sums
        spread = (n * xx - x * x) * (n * yy - y * y)
        return max(-1.0, min(1.0, (n * xy - x * y) / math.sqrt(spread))) if n > 1 and spread > 1e-12 * n**4 else None

    def push(
        self, first: Score, second: Score, opened: tuple[bool, bool], us: tuple[float, float] = (0.0, 0.0)
    ) -> Event | None:
        """One sample, whether each has an event open after it, and what it took; a disagreement that begins or ends."""
        memory = self.memory
        if first.status not in UNJUDGED and second.status not in UNJUDGED:
            memory.ticks += 1
            memory.first.add(first, us[0])
            memory.second.add(second, us[1])
            x, y = first.score, second.score
            memory.sums = [old + new for old, new in zip(memory.sums, (x, y, x * x, y * y, x * y), strict=True)]
        if not any(opened):
            return self._end(first.time_ns)
        if not any(memory.seen):
            memory.start_ns = first.time_ns
        memory.seen = [before or now for before, now in zip(memory.seen, opened, strict=True)]
        if all(memory.seen):
            return self._close(first.time_ns)
        memory.alone += 1
        if memory.open is None and memory.alone >= self._patience:
            return self._begin(first if opened[0] else second, "in charge" if opened[0] else "shadow")
        return None

    def report(self) -> dict[str, Any]:
        """What is published: means over the samples that both judged, as JSON values."""
        memory, n = self.memory, max(1, self.memory.ticks)
        sides = (memory.first, memory.second)
        return {
            "ticks": memory.ticks,
            "correlation": None if self.correlation is None else round(self.correlation, 4),
            "both": memory.both,
            "only_model": memory.only_first,
            "only_shadow": memory.only_second,
            "alarm_share": [round(side.alarms / n, 6) for side in sides],
            "updated_share": [round(side.updated / n, 4) for side in sides],
            "us": [round(side.us / n, 1) for side in sides],
            "disagreeing": self.disagreeing,
        }

    def snapshot(self) -> dict[str, Any]:
        """The memory as JSON values; `restore` is the inverse."""
        return asdict(self.memory)

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot. Raises TypeError for anything else."""
        self.memory = Memory(**{**snapshot, "first": Side(**snapshot["first"]), "second": Side(**snapshot["second"])})

    def _begin(self, score: Score, who: str) -> Event:
        memory = self.memory
        event = Event(
            f"disagreement-{memory.start_ns}", "disagreement", "new", memory.start_ns, score.time_ns, score.raw,
            score.top, why=f"only the model {who} sees an event",
        )  # fmt: skip
        memory.open = asdict(event)
        return event

    def _close(self, time_ns: int) -> Event | None:
        """The end of a disagreement, where there is one."""
        memory = self.memory
        if memory.open is None:
            return None
        kind: Literal["end"] = "end"
        content = {**memory.open, "type": kind, "time_ns": time_ns, "top": top_of(memory.open["top"])}
        memory.open = None
        return Event(**content)

    def _end(self, time_ns: int) -> Event | None:
        """Nobody has an event open: the episode is counted."""
        memory = self.memory
        if all(memory.seen):
            memory.both += 1
        elif memory.seen[0]:
            memory.only_first += 1
        elif memory.seen[1]:
            memory.only_second += 1
        memory.seen, memory.alone = [False, False], 0
        return self._close(time_ns)
