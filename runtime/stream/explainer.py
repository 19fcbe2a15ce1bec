"""Explains an event: the kind of fault that it resembles, and why the gate woke.

Follows every row without a clock; its state is in the stream's record.
"""

from __future__ import annotations

from dataclasses import replace

from vcedge.detector import Detector
from vcedge.resemblance import ShapeTracker
from vcedge.runtime.engine.state import WAKE_NONE, State
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.score_names import ScoreNames
from vcedge.runtime.stream.state import StreamState

LOOK_BACK = 16
"""Number of rows before an event in which a wake is its reason: the gate may wake on the fault's first rows, before the
smoothed statistic exceeds the threshold."""


class Explainer:
    """Explains the anomaly events of one stream."""

    def __init__(self, detector: Detector, names: ScoreNames, state: StreamState) -> None:
        self._model = detector.resemblance
        self._names = names
        self._numbers = state.numbers
        self.tracker = ShapeTracker(detector.features.change_scale, state.shape)

    @property
    def names_next(self) -> bool:
        """True if the name of the open event is settled after the next row: that row publishes an update."""
        return self._model is not None and self.tracker.settles_next

    def push(self, event: Event | None, engine: State, wake: int, *, is_open: bool) -> Event | None:
        """Follow one row after the engine's step; return the tracker's event, if any, with its explanation.

        `wake` is the reason why the gate woke on this row (`State.wake`); `is_open`: an event is open after it.
        """
        ended = None if event is None or event.type != "end" else self.explain(event)
        if self._model is not None:
            self.tracker.push(engine.residual, engine.lags[0], in_event=is_open)
        numbers = self._numbers
        if wake != WAKE_NONE:
            numbers.last_wake, numbers.wake_age = wake, 0
        else:
            numbers.wake_age += 1
        if not is_open:
            numbers.event_wake = WAKE_NONE
        elif numbers.event_wake == WAKE_NONE and numbers.wake_age <= LOOK_BACK:
            numbers.event_wake = numbers.last_wake
        return ended or (None if event is None else self.explain(event))

    def explain(self, event: Event) -> Event:
        """Return the event with its explanation: the name only once it is settled, or at the end of the event."""
        why = self._names.wake(self._numbers.event_wake)
        settled = event.type == "end" or self.tracker.settled
        features = self.tracker.features if settled and self._model is not None else None
        if self._model is None or features is None:
            return replace(event, why=why)
        name, share = self._model.classify(features)
        return replace(event, why=why, resembles=name, agreement=round(share, 2))

    def reset(self) -> None:
        """Reset to the state of a new stream, as after a gap."""
        self.tracker.reset()
        self._numbers.last_wake = self._numbers.event_wake = WAKE_NONE
        self._numbers.wake_age = 0
