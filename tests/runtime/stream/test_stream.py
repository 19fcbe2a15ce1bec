"""A stream of one asset: order, gaps, sensor states, alarms and events, from samples alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.detectors import START_NS, recording, samples, tiny_detector
from vcedge.limits import LEAST_ROWS, MOST_RISE
from vcedge.runtime.engine.interface import ComputePolicy
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.stream.events import RELEASE, EventTracker
from vcedge.runtime.stream.sensor_health import StuckCounter
from vcedge.runtime.stream.stream import Score, Stream
from vcedge.schema import F64, NS_PER_S, Channel, Sample

DETECTOR = tiny_detector()
WARMUP = DETECTOR.calibration.warmup_rows


def new_stream(**changes: float) -> Stream:
    limits = replace(DETECTOR.calibration, **changes)  # type: ignore[arg-type]
    return Stream(NumpyEngine(replace(DETECTOR, calibration=limits)))


def scores_of(values: F64, stream: Stream | None = None) -> list[Score]:
    stream = stream or new_stream()
    return [stream.push(sample) for sample in samples(values)]


def test_stream_warms_up_and_reports_the_engines_statistic() -> None:
    values = recording(1, 200, 3)
    scores = scores_of(values)
    assert [score.status for score in scores[: WARMUP + 1]] == ["warmup"] * WARMUP + ["ok"]
    engine = NumpyEngine(DETECTOR)
    state = engine.new_state()
    assert [score.raw for score in scores] == [engine.step(row, state)[0] for row in values]
    assert [score.seq for score in scores] == list(range(1, 201))


def test_late_and_duplicate_times_change_only_seq() -> None:
    values = recording(2, 60, 3)
    stream, undisturbed = new_stream(), new_stream()
    for index, sample in enumerate(samples(values)):
        expected, score = undisturbed.push(sample), stream.push(sample)
        assert (score.raw, score.updated, score.status) == (expected.raw, expected.updated, expected.status)
        if index % 10 == 5:
            for wrong_ns in (sample.time_ns, sample.time_ns - 10 * NS_PER_S, np.iinfo(np.int64).min):
                wrong = stream.push(Sample(int(wrong_ns), values[0]))
                assert (wrong.status, wrong.updated, wrong.alarm, wrong.wake) == ("clock", 0, False, "")
    assert stream.state.tobytes() == undisturbed.state.tobytes()


def test_a_gap_resets_the_stream() -> None:
    values = recording(3, 100, 3)
    stream = new_stream()
    for sample in samples(values[:50]):
        stream.push(sample)
    later = [stream.push(sample) for sample in samples(values[50:], START_NS + 10_000 * NS_PER_S)]
    assert [score.status for score in later[: WARMUP + 1]] == ["gap"] + ["warmup"] * (WARMUP - 1) + ["ok"]
    assert [score.raw for score in later] == [score.raw for score in scores_of(values[50:])]


def test_a_long_silence_of_all_sensors_is_a_gap() -> None:
    values = recording(3, 100, 3)
    values[30:50] += 30 * DETECTOR.features.scale * np.resize([1.0, -1.0], (20, 1))
    times = samples(np.concatenate((values[:50], np.full((20, 3), np.nan), values[50:])))
    stream = new_stream()
    scores = [stream.push(sample) for sample in times]
    assert [score.status for score in scores[49:72]] == ["ok"] + ["stale"] * 20 + ["gap", "warmup"]
    assert scores[49].alarm
    assert [score.raw for score in scores[70:]] == [score.raw for score in scores_of(values[50:])]
    closed = [score for score in scores[50:70] if score.events]
    events = [(event.kind, event.type) for score in closed for event in score.events]
    assert events == [("dropout", "new"), ("anomaly", "end")]
    assert not any(score.alarm for score in scores[50:70])


def test_push_rejects_another_shape_without_a_change() -> None:
    stream = new_stream()
    for wrong in (np.zeros(5), np.zeros(1), np.zeros((1, 3))):
        with pytest.raises(ValueError, match="shape"):
            stream.push(Sample(START_NS + 10**12, wrong))
    assert stream.push(Sample(START_NS, np.zeros(3))).seq == 1


def test_status_is_the_most_serious_defect() -> None:
    schema = replace(DETECTOR.schema, channels=(Channel("a", low=-1e3, high=1e3), *DETECTOR.schema.channels[1:]))
    stream = Stream(NumpyEngine(replace(DETECTOR, schema=schema)))
    values = recording(4, 60, 3)
    values[30, 1] = np.nan
    values[31, 0] = 5e3
    values[32] = np.nan
    values[33, 0], values[33, 1] = -5e3, np.inf
    scores = scores_of(values, stream)
    assert [score.status for score in scores[29:35]] == ["ok", "imputed", "limit", "stale", "limit", "ok"]
    assert scores[30].missing == ("Channel 1",)
    assert scores[32].raw == scores[31].raw
    assert scores[33].missing == ("a", "Channel 1")
    assert all(np.isfinite([score.raw, score.score]).all() for score in scores)


def test_a_stuck_sensor_has_a_status_and_an_event() -> None:
    values = recording(5, 300, 3)
    values[100:200, 2] = values[100, 2]
    scores = scores_of(values)
    stuck = [index for index, score in enumerate(scores) if score.status == "stuck"]
    limit = DETECTOR.calibration.stuck_rows[2]
    assert stuck == list(range(100 + limit, 200))
    events = [event for score in scores for event in score.events if event.kind == "stuck"]
    assert [(event.type, event.top) for event in events] == [
        ("new", (("Channel 2", 1.0),)),
        ("end", (("Channel 2", 1.0),)),
    ]
    assert events[0].id == events[1].id


def test_a_fault_raises_alarms_and_one_event() -> None:
    values = recording(6, 400, 3)
    values[200:240, 1] += 40 * DETECTOR.features.scale[1] * np.resize([1.0, -1.0], 40)
    scores = scores_of(values, new_stream(threshold=18.2, median=18.0, lasting=1000.0))
    alarms = [index for index, score in enumerate(scores) if score.alarm]
    assert 200 <= alarms[0] < 205
    assert alarms[-1] < 330
    assert all(score.alarm == (score.raw > score.threshold) for score in scores[WARMUP:])
    assert all((score.score > 0.5) == (score.raw > score.threshold) for score in scores)
    assert all(18.2 <= score.threshold <= 18.2 + MOST_RISE for score in scores)
    events = [event for score in scores for event in score.events if event.kind == "anomaly"]
    assert [event.type for event in events if event.type != "update"] == ["new", "end"]
    assert events[0].top[0][0] == "Channel 1"
    assert (events[0].start_ns, events[0].time_ns) == tuple(scores[row].time_ns for row in alarms[:2])
    assert events[-1].time_ns == scores[alarms[-1] + 1].time_ns
    assert max(score.raw for score in scores) >= events[-1].peak >= events[0].peak


def test_warm_up_raises_no_alarm() -> None:
    values = recording(7, 30, 3)
    values[3:8] += 50 * DETECTOR.features.scale * np.resize([1.0, -1.0], (5, 1))
    scores = scores_of(values, new_stream(threshold=1.0))
    assert max(score.raw for score in scores[:WARMUP]) > 1.0
    assert not any(score.alarm or score.events for score in scores[:WARMUP])


def test_wake_names_its_reason() -> None:
    scores = scores_of(recording(8, 1500, 3))
    first = DETECTOR.cell.spec.boundaries[0] if DETECTOR.cell else 0
    assert all((score.wake == "") == (score.updated <= first) for score in scores)
    reasons = {score.wake for score in scores} - {""}
    assert any(reason.endswith((" change", " error", " size")) for reason in reasons)


def test_push_passes_the_policy_to_the_engine() -> None:
    stream = new_stream(surprise_limit=1e30)
    updated = {stream.push(sample, ComputePolicy(3, -1e6)).updated for sample in samples(recording(9, 50, 3))}
    assert updated == {12}


@given(st.lists(st.sampled_from([1.0, 2.0, float("nan")]), max_size=60), st.integers(1, 5))
def test_stuck_counter_counts_repeated_readings(values: list[float], limit: int) -> None:
    counter, run, last = StuckCounter((limit, 0)), 0, None
    for value in values:
        stuck = counter.push(np.array([value, 1.0]))
        if not np.isnan(value):
            run = run + 1 if value == last else 0
            last = value
        assert stuck.tolist() == [run >= limit, False]


@given(st.lists(st.floats(-5.0, 10.0), max_size=80))
@settings(max_examples=200)
def test_events_open_after_two_rows_and_end_below_the_threshold(values: list[float]) -> None:
    tracker, is_open, ids, above = EventTracker("anomaly"), False, set(), 0
    for time_ns, value in enumerate(values):
        event = tracker.push(time_ns, value, 5.0)
        above = above + 1 if value > 5.0 else 0
        if event is not None and event.type == "new":
            assert not is_open
            assert above == LEAST_ROWS
            assert event.id not in ids
            ids.add(event.id)
        if event is not None and event.type == "end":
            assert is_open
            assert value < RELEASE * 5.0
        is_open = tracker.is_open
        assert is_open or above < LEAST_ROWS
        assert not is_open or value >= RELEASE * 5.0
