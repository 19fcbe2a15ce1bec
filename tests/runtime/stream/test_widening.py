"""People's judgements raise the threshold in use, within a bound, and a snapshot keeps that."""

from __future__ import annotations

import pytest

from tests.support.detectors import recording, samples, tiny_detector
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.adaptive_threshold import MOST_WIDENING
from vcedge.runtime.stream.stream import Stream

ENGINES = ("numpy", "auto")


@pytest.mark.parametrize("engine", ENGINES)
def test_widening_is_added_to_the_threshold_and_replaced(engine: str) -> None:
    plain, widened = (Stream(load_engine(tiny_detector(), engine)) for _ in range(2))
    for nats in (1.5, 0.5, 0.0):
        widened.widen(nats)
        assert widened.widening == nats
        assert widened.threshold == plain.threshold + nats


@pytest.mark.parametrize(("nats", "used"), [(-3.0, 0.0), (99.0, MOST_WIDENING)])
def test_widening_is_bounded(nats: float, used: float) -> None:
    stream = Stream(load_engine(tiny_detector()))
    stream.widen(nats)
    assert stream.widening == used


def test_a_threshold_set_by_hand_stays() -> None:
    stream = Stream(load_engine(tiny_detector()), 7.5)
    stream.widen(2.0)
    assert stream.threshold == 7.5
    stream.set_threshold(None)
    assert stream.threshold == tiny_detector().calibration.threshold + 2.0


@pytest.mark.parametrize("engine", ENGINES)
def test_an_event_opens_no_more_once_the_threshold_is_widened_by_its_excess(engine: str) -> None:
    rows = samples(recording(14, 400, 3))
    plain, widened = (Stream(load_engine(tiny_detector(), engine), adapt=False) for _ in range(2))
    events = [event for row in rows for event in plain.push(row).events if event.kind == "anomaly"]
    smallest = min((event for event in events if event.type == "end"), key=lambda event: event.peak)
    assert smallest.peak - plain.threshold < MOST_WIDENING
    widened.widen(smallest.peak - plain.threshold)
    left = {event.id for row in rows for event in widened.push(row).events}
    assert smallest.id not in left


@pytest.mark.parametrize("engine", ENGINES)
def test_a_snapshot_keeps_the_widening(engine: str) -> None:
    rows = samples(recording(3, 60, 3))
    first, second = (Stream(load_engine(tiny_detector(), engine)) for _ in range(2))
    first.widen(1.25)
    for row in rows[:30]:
        first.push(row)
    second.restore(first.snapshot())
    assert second.widening == 1.25
    assert [second.push(row) for row in rows[30:]] == [first.push(row) for row in rows[30:]]
