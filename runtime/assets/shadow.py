"""A second model on the samples of an asset, beside the one in charge."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from vcedge.errors import DataError
from vcedge.runtime.assets.agreement import Agreement
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.rows import Policy, push_rows
from vcedge.runtime.stream.score import Score
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64


class Twin:
    """Follows the model in charge row by row and counts how they agree."""

    def __init__(self, stream: Stream, model: str, disagree_ticks: int, safe: bool = False) -> None:
        self.stream = stream
        self.model = model
        self.safe = safe
        self.agreement = Agreement(disagree_ticks)
        self.events: list[Event] = []
        """Disagreements that began or ended with the last message."""
        self.said_s = 0.0
        """Monotonic clock when the agreement was last published."""

    def follow(
        self,
        times: tuple[int, ...],
        values: F64,
        policy: Policy,
        scores: Sequence[Score],
        opened: list[bool],
        us: float,
    ) -> list[bool]:
        """The rows (N, C) of a message that the model in charge judged as `scores`; whether an event is open after
        each, here."""
        began_ns = time.perf_counter_ns()
        mine, mine_opened = push_rows(self.stream, times, values, policy)
        mine_us = (time.perf_counter_ns() - began_ns) / 1000 / len(mine)
        pairs = zip(scores, mine, zip(opened, mine_opened, strict=True), strict=True)
        found = [self.agreement.push(first, second, both, (us, mine_us)) for first, second, both in pairs]
        self.events = [event for event in found if event is not None]
        return mine_opened

    @property
    def wants_all(self) -> bool:
        """Whether everything is to be computed until the two agree again."""
        return self.safe and self.agreement.disagreeing

    def snapshot(self) -> dict[str, Any]:
        """All that it remembers, as JSON values; `restore` is the inverse."""
        return {"model": self.model, "stream": self.stream.snapshot(), "agreement": self.agreement.snapshot()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot; one of another model is none. Raises DataError like `Stream.restore`."""
        if snapshot["model"] != self.model:
            return
        try:
            self.stream.restore(snapshot["stream"])
            self.agreement.restore(snapshot["agreement"])
        except (KeyError, TypeError) as error:
            raise DataError(f"a snapshot of something else: {type(error).__name__}: {error}") from None
