"""Counts how far two models agree on the same samples. No input or output, no clock.

An episode is a time in which either model has an event open. An episode in which the other model has no event counts
as an alarm of one model only.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from vcedge.runtime.stream.events import Event, top_of
from vcedge.runtime.stream.score import UNJUDGED, Score


@dataclass
class ModelTotals:
    """Sums over the samples that both models judged, for one of the two."""

    alarms: int = 0
    """Samples with an alarm."""
    excess: float = 0.0
    """Sum of `raw` less its threshold, in nats."""
    updated: float = 0.0
    """Sum of the updated shares."""
    us: float = 0.0
    """Sum of the microseconds."""

    def add(self, score: Score, us: float) -> None:
        """Add one judged sample."""
        self.alarms += score.alarm
        self.excess += score.raw - score.threshold
        self.updated += score.updated / score.hidden if score.hidden else 0.0
        self.us += us


@dataclass
class AgreementState:
    """Holds the counts of a pair of models and its present episode."""

    ticks: int = 0
    """Samples that both judged."""
    first: ModelTotals = field(default_factory=ModelTotals)
    second: ModelTotals = field(default_factory=ModelTotals)
    sums: list[float] = field(default_factory=lambda: [0.0] * 5)
    """Sums of x, y, x², y² and x y of the scores x and y in [0, 1]."""
    both: int = 0
    """Episodes that both saw."""
    only_first: int = 0
    only_second: int = 0
    seen: list[bool] = field(default_factory=lambda: [False, False])
    """Which of the two had an event open in the present episode."""
    alone: int = 0
    """Samples so far in the present episode while only one has seen it."""
    start_ns: int = 0
    """Start of the present episode."""
    open: dict[str, Any] | None = None
    """The open disagreement, as it was published."""


class Agreement:
    """Compares the model in charge, `first`, with another one, `second`."""

    def __init__(self, disagree_ticks: int) -> None:
        self._disagree_ticks = disagree_ticks
        self.state = AgreementState()

    def restart(self) -> None:
        """Restart the counts: one of the two is another model now."""
        self.state = AgreementState()

    @property
    def disagreeing(self) -> bool:
        """Whether one model has had an event open for `disagree_ticks` samples, and the other has not."""
        return self.state.open is not None

    @property
    def correlation(self) -> float | None:
        """Pearson's correlation of the scores; None if one of them is constant."""
        n, (x, y, xx, yy, xy) = self.state.ticks, self.state.sums
        spread = (n * xx - x * x) * (n * yy - y * y)
        return max(-1.0, min(1.0, (n * xy - x * y) / math.sqrt(spread))) if n > 1 and spread > 1e-12 * n**4 else None

    def push(
        self, first: Score, second: Score, opened: tuple[bool, bool], us: tuple[float, float] = (0.0, 0.0)
    ) -> Event | None:
        """Count one sample; return a disagreement that begins or ends with it.

        `opened` says whether each model has an event open after the sample, `us` the microseconds that each took.
        """
        state = self.state
        if first.status not in UNJUDGED and second.status not in UNJUDGED:
            state.ticks += 1
            state.first.add(first, us[0])
            state.second.add(second, us[1])
            x, y = first.score, second.score
            state.sums = [old + new for old, new in zip(state.sums, (x, y, x * x, y * y, x * y), strict=True)]
        if not any(opened):
            return self._end_episode(first.time_ns)
        if not any(state.seen):
            state.start_ns = first.time_ns
        state.seen = [before or now for before, now in zip(state.seen, opened, strict=True)]
        if all(state.seen):
            return self._close(first.time_ns)
        state.alone += 1
        if state.open is None and state.alone >= self._disagree_ticks:
            return self._begin(first if opened[0] else second, "in charge" if opened[0] else "shadow")
        return None

    def report(self) -> dict[str, Any]:
        """Return the counts, and means over the samples that both judged, as JSON values."""
        state, n = self.state, max(1, self.state.ticks)
        totals = (state.first, state.second)
        return {
            "ticks": state.ticks,
            "correlation": None if self.correlation is None else round(self.correlation, 4),
            "both": state.both,
            "only_model": state.only_first,
            "only_shadow": state.only_second,
            "alarm_share": [round(total.alarms / n, 6) for total in totals],
            "updated_share": [round(total.updated / n, 4) for total in totals],
            "us": [round(total.us / n, 1) for total in totals],
            "disagreeing": self.disagreeing,
        }

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `restore` is the inverse."""
        return asdict(self.state)

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Continue from a snapshot. Raises TypeError for anything else."""
        totals = {side: ModelTotals(**snapshot[side]) for side in ("first", "second")}
        self.state = AgreementState(**{**snapshot, **totals})

    def _begin(self, score: Score, who: str) -> Event:
        state = self.state
        event = Event(
            f"disagreement-{state.start_ns}", "disagreement", "new", state.start_ns, score.time_ns, score.raw,
            score.top, why=f"only the model {who} sees an event",
        )  # fmt: skip
        state.open = asdict(event)
        return event

    def _close(self, time_ns: int) -> Event | None:
        """End the open disagreement, if there is one."""
        state = self.state
        if state.open is None:
            return None
        content = {**state.open, "type": "end", "time_ns": time_ns, "top": top_of(state.open["top"])}
        state.open = None
        return Event(**content)

    def _end_episode(self, time_ns: int) -> Event | None:
        """Count the episode: neither model has an event open."""
        state = self.state
        if all(state.seen):
            state.both += 1
        elif state.seen[0]:
            state.only_first += 1
        elif state.seen[1]:
            state.only_second += 1
        state.seen, state.alone = [False, False], 0
        return self._close(time_ns)
