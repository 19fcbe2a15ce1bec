"""The explanation of an event: what it resembles, and why the gate woke."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.detectors import START_NS, recording, samples, tiny_detector
from vcedge.detector import Detector
from vcedge.resemblance import NAMED_ROWS, ShapeTracker
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.engine.state import WAKE_NONE
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.explainer import LOOK_BACK, Explainer
from vcedge.runtime.stream.score_names import ScoreNames
from vcedge.runtime.stream.state import StreamState
from vcedge.runtime.stream.stream import Score, Stream
from vcedge.schema import F64, NS_PER_S

DETECTOR = tiny_detector(threshold=8.0)


def faulty() -> F64:
    values = recording(6, 400, 3)
    values[200:260, 1] += 40 * DETECTOR.features.scale[1] * np.resize([1.0, -1.0], 60)
    return values


def pushed(detector: Detector, values: F64, engine: str = "numpy") -> list[Score]:
    stream = Stream(load_engine(detector, engine), adapt=False)
    return [stream.push(sample) for sample in samples(values)]


def events_of(scores: list[Score]) -> list[Event]:
    return [event for score in scores for event in score.events if event.kind == "anomaly"]


def test_an_event_is_classified_by_its_mean_features_once_they_are_settled() -> None:
    assert DETECTOR.resemblance is not None
    values, engine = faulty(), NumpyEngine(DETECTOR)
    tracker, state = ShapeTracker(DETECTOR.features.change_scale), engine.new_state()
    scores = pushed(DETECTOR, values)
    is_open, rows_open, expected, found = False, 0, [], []
    for row, score in zip(values, scores, strict=True):
        engine.step(row, state)
        before = tracker.features
        for event in events_of([score]):
            is_open = event.type != "end"
            found.append((event.resembles, event.agreement))
        tracker.push(state.residual, state.lags[0], in_event=is_open)
        rows_open = rows_open + 1 if is_open else 0
        for event in events_of([score]):
            shape = before if event.type == "end" else tracker.features if rows_open >= NAMED_ROWS else None
            name, share = ("", 0.0) if shape is None else DETECTOR.resemblance.classify(shape)
            expected.append((name, round(share, 2)))
    assert found == expected
    assert len(found) >= 2
    assert all(name in (*DETECTOR.resemblance.names, "unclear", "") for name, _ in found)


@pytest.mark.parametrize("engine", ["numpy", "native"])
def test_a_name_is_published_when_it_is_settled_and_stays(engine: str) -> None:
    events = events_of(pushed(DETECTOR, faulty(), engine))
    by_id: dict[str, list[Event]] = {}
    for event in events:
        by_id.setdefault(event.id, []).append(event)
    long = max(by_id.values(), key=lambda group: group[-1].time_ns - group[0].time_ns)
    opened, ended = long[0].time_ns, long[-1].time_ns
    assert (ended - opened) // DETECTOR.schema.period_ns > 2 * NAMED_ROWS
    names = {event.time_ns: event.resembles for event in long}
    settled = opened + (NAMED_ROWS - 1) * DETECTOR.schema.period_ns
    assert settled in names
    assert {name for time, name in names.items() if time < settled} == {""}
    assert {name for time, name in names.items() if time >= settled} == {names[settled]}
    assert names[settled]


def test_an_event_reports_the_wake_before_it() -> None:
    scores = pushed(DETECTOR, faulty())
    events = events_of(scores)
    opened = next(i for i, score in enumerate(scores) if any(e.type == "new" for e in events_of([score])))
    before = [score.wake for score in scores[opened - LOOK_BACK : opened + 1] if score.wake]
    assert before
    assert {event.why for event in events if event.id == events[0].id} == {before[-1]}


@pytest.mark.parametrize("detector", [replace(DETECTOR, resemblance=None), DETECTOR.without_network()])
def test_a_detector_without_resemblance_or_gate_explains_nothing(detector: Detector) -> None:
    events = events_of(pushed(detector, faulty()))
    assert events
    assert all(bool(event.resembles) == (detector.resemblance is not None) for event in events if event.type == "end")
    assert detector.resemblance is not None or not any(event.resembles for event in events)
    assert all(bool(event.why) == (detector.cell is not None) for event in events)


def test_explanations_change_no_score() -> None:
    plain = pushed(replace(DETECTOR, resemblance=None), faulty())
    assert [(s.raw, s.alarm, s.status) for s in pushed(DETECTOR, faulty())] == [
        (s.raw, s.alarm, s.status) for s in plain
    ]


def test_an_event_that_a_gap_ends_is_explained_and_the_state_is_reset() -> None:
    values = faulty()
    stream = Stream(NumpyEngine(DETECTOR), adapt=False)
    for sample in samples(values[:230]):
        stream.push(sample)
    assert stream.in_event
    later = [stream.push(sample) for sample in samples(values[:240], START_NS + 10_000 * NS_PER_S)]
    (ended,) = later[0].events
    assert ended.type == "end"
    assert ended.resembles
    assert ended.why
    alone = pushed(DETECTOR, values[:240])
    assert [(e.resembles, e.agreement, e.why) for e in events_of(later[1:])] == [
        (e.resembles, e.agreement, e.why) for e in events_of(alone)
    ]


@pytest.mark.parametrize("cut", [150, 199, 210, 245])
def test_a_restored_explainer_continues_identically(cut: int) -> None:
    engine, names = NumpyEngine(DETECTOR), ScoreNames(DETECTOR)
    state, kept = engine.new_state(), StreamState(DETECTOR)
    explainer = Explainer(DETECTOR, names, kept)
    undisturbed = Explainer(DETECTOR, names, StreamState(DETECTOR))
    for number, row in enumerate(faulty()):
        engine.step(row, state)
        is_open = 203 <= number < 270
        kind = "new" if number == 203 else "end" if number == 270 else "update"
        event = Event("a", "anomaly", kind, 0, number, 1.0, ()) if 203 <= number <= 270 else None  # type: ignore[arg-type]
        wake = 2 if number % 7 == 0 else WAKE_NONE
        expected = undisturbed.push(event, state, wake, is_open=is_open)
        assert explainer.push(event, state, wake, is_open=is_open) == expected
        if number == cut:
            restored = StreamState(DETECTOR)
            restored.restore(kept.save())
            explainer = Explainer(DETECTOR, names, restored)
