"""Explains an event beside its channels: the kind of fault it resembles, and why the gate woke.

Follows every row; no clock, and its whole memory can be taken out and put back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vcedge.detector import Detector
from vcedge.resemblance import ShapeTracker
from vcedge.runtime.engine.state import State
from vcedge.runtime.stream.events import Event

LOOK_BACK = 16
"""The gate may wake on the fault's first rows and the smoothed statistic need some more: so many rows before the event
opens are looked at for a reason."""


class Explainer:
    """Of the anomaly events of one stream."""

    def __init__(self, detector: Detector) -> None:
        self._model = detector.resemblance
        self._tracker = ShapeTracker(detector.channels, detector.features.change_scale)
        self._reason = ""
        """The last reason for which the gate woke."""
        self._age = 0
        """Rows since then."""
        self._why = ""
        """That of the open event."""

    def row(self, event: Event | None, state: State, wake: str, is_open: bool) -> Event | None:
        """One row after the engine's step: the tracker's event with its explanation, if there is one.

        `wake` says why the gate woke on this row, empty where it did not; `is_open` whether an event is open after it.
        """
        ended = None if event is None or event.type != "end" else self.explain(event)
        if self._model is not None:
            self._tracker.push(state.residual, state.lags[0], in_event=is_open)
        self._reason, self._age = (wake, 0) if wake else (self._reason, self._age + 1)
        if not is_open:
            self._why = ""
        elif not self._why and self._age <= LOOK_BACK:
            self._why = self._reason
        return ended or (None if event is None else self.explain(event))

    def explain(self, event: Event) -> Event:
        """The event with what is known of it by now."""
        features = None if self._model is None else self._tracker.features
        if self._model is None or features is None:
            return replace(event, why=self._why)
        name, share = self._model.classify(features)
        return replace(event, why=self._why, resembles=name, agreement=round(share, 2))

    def reset(self) -> None:
        """Forget everything, as after a gap."""
        self._tracker.reset()
        self._reason, self._age, self._why = "", 0, ""

    def snapshot(self) -> dict[str, Any]:
        """The memory as JSON values; `restore` is the inverse."""
        return {"shape": self._tracker.snapshot(), "reason": self._reason, "age": self._age, "why": self._why}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot of the same model."""
        self._tracker.restore(snapshot["shape"])
        self._reason, self._age, self._why = snapshot["reason"], snapshot["age"], snapshot["why"]
