"""Explains an event beside its channels: the kind of fault it resembles, and why the gate woke.

Follows every row; no clock. All that it remembers is in the stream's state.
"""

from __future__ import annotations

from dataclasses import replace

from vcedge.detector import Detector
from vcedge.resemblance import ShapeTracker
from vcedge.runtime.engine.state import WAKE_NONE, State
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.score_block import Words
from vcedge.runtime.stream.state import StreamState

LOOK_BACK = 16
"""The gate may wake on the fault's first rows and the smoothed statistic need some more: so many rows before the event
opens are looked at for a reason."""


class Explainer:
    """Explains the anomaly events of one stream; works on its state."""

    def __init__(self, detector: Detector, words: Words, state: StreamState) -> None:
        self._model = detector.resemblance
        self._words = words
        self._numbers = state.numbers
        self.tracker = ShapeTracker(detector.features.change_scale, state.shape)

    def row(self, event: Event | None, engine: State, wake: int, *, is_open: bool) -> Event | None:
        """Follow one row after the engine's step; return the tracker's event with its explanation, if there is one.

        `wake` says why the gate woke on this row (`State.wake`); `is_open` whether an event is open after it.
        """
        ended = None if event is None or event.type != "end" else self.explain(event)
        if self._model is not None:
            self.tracker.push(engine.residual, engine.lags[0], in_event=is_open)
        numbers = self._numbers
        if wake != WAKE_NONE:
            numbers.reason, numbers.age = wake, 0
        else:
            numbers.age += 1
        if not is_open:
            numbers.why = WAKE_NONE
        elif numbers.why == WAKE_NONE and numbers.age <= LOOK_BACK:
            numbers.why = numbers.reason
        return ended or (None if event is None else self.explain(event))

    def explain(self, event: Event) -> Event:
        """Return the event with what is known of it by now."""
        why = self._words.wake(self._numbers.why)
        features = None if self._model is None else self.tracker.features
        if self._model is None or features is None:
            return replace(event, why=why)
        name, share = self._model.classify(features)
        return replace(event, why=why, resembles=name, agreement=round(share, 2))

    def reset(self) -> None:
        """Forget everything, as after a gap."""
        self.tracker.reset()
        self._numbers.reason = self._numbers.why = WAKE_NONE
        self._numbers.age = 0
