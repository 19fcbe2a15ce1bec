"""Runs a second model on the samples of an asset, beside the one in charge."""

from __future__ import annotations

from typing import Any

from vcedge.errors import DataError
from vcedge.runtime.assets.agreement import Agreement
from vcedge.runtime.assets.scored_rows import ScoredRows, score_rows
from vcedge.runtime.engine.interface import ComputePolicy
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.stream import Stream


class Shadow:
    """Scores the rows that the model in charge has scored, and counts how far the two agree."""

    def __init__(self, stream: Stream, model: str, disagree_ticks: int, *, safe: bool = False) -> None:
        self.stream = stream
        self.model = model
        self.safe = safe
        self.agreement = Agreement(disagree_ticks)
        self.events: list[Event] = []
        """Disagreements that began or ended with the last message."""

    def follow(self, rows: ScoredRows, policy: ComputePolicy) -> list[bool]:
        """Score the same rows with another policy; return whether this model has an event open after each, (N,)."""
        own = score_rows(self.stream, rows.samples, policy)
        pairs = zip(rows.scores, own.scores, zip(rows.opened, own.opened, strict=True), strict=True)
        found = [self.agreement.push(first, second, both, (rows.us, own.us)) for first, second, both in pairs]
        self.events = [event for event in found if event is not None]
        return own.opened

    @property
    def needs_full_compute(self) -> bool:
        """Whether the asset has to compute all of its network until the two models agree again."""
        return self.safe and self.agreement.disagreeing

    def snapshot(self) -> dict[str, Any]:
        """Return the state as JSON values; `restore` is the inverse."""
        return {"model": self.model, "stream": self.stream.snapshot(), "agreement": self.agreement.snapshot()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Continue from a snapshot, unless it is of another model. Raises DataError like `Stream.restore`."""
        if snapshot["model"] != self.model:
            return
        try:
            self.stream.restore(snapshot["stream"])
            self.agreement.restore(snapshot["agreement"])
        except (KeyError, TypeError) as error:
            raise DataError(f"not a snapshot of this model: {type(error).__name__}: {error}") from None
