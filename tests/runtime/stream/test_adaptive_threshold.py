"""The adaptive threshold: it follows drift, keeps the rate of events, is bounded, and learns no fault."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.detectors import recording, samples, tiny_detector
from vcedge.calibration.calibrate import calibrate_limits
from vcedge.calibration.split import split_by_time
from vcedge.calibration.threshold import fit_threshold
from vcedge.detector import Detector
from vcedge.limits import DAY_NS, Calibration, EventRule
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.stream.adaptive_threshold import MOST, STEP, AdaptiveThreshold
from vcedge.runtime.stream.events import EventTracker
from vcedge.runtime.stream.state import Numbers
from vcedge.runtime.stream.stream import Score, Stream
from vcedge.schema import F64, NS_PER_S

ROWS_AN_EVENT = 500
RAW = st.lists(st.one_of(st.floats(0, 1e300), st.sampled_from([0.0, 0.5, 1.0, 7.0, 9.0, 100.0])), max_size=80)


def smoothed(seed: int, rows: int) -> F64:
    """A statistic (rows,) as a scorer makes it of normal residuals of eight channels."""
    error = (np.random.default_rng(seed).standard_normal((rows, 8)) ** 2).mean(axis=1)
    raw, level = np.zeros(rows), 1.0
    for row, value in enumerate(error.tolist()):
        level += (value - level) * 2 / 21
        raw[row] = level
    return raw


def calibration(rows: int = 2000) -> Calibration:
    """Limits measured on a statistic of `smoothed`, one event in ROWS_AN_EVENT rows allowed."""
    promise = fit_threshold([smoothed(1, rows)], 1 / ROWS_AN_EVENT, EventRule())
    return replace(
        tiny_detector().calibration,
        threshold=promise.threshold,
        usual=promise.usual,
        tail=promise.tail,
        events=promise.events,
        false_alarms_per_day=DAY_NS / NS_PER_S / ROWS_AN_EVENT,
        rows=rows,
    )


LIMITS = calibration()


def follow(raw: F64, limits: Calibration, enabled: bool = True) -> tuple[list[int], F64, float]:
    """Rows at which events open, the threshold (N,) of each row, and the share of rows with an event open."""
    adaptive = AdaptiveThreshold(limits, NS_PER_S, enabled=enabled)
    tracker, opened, values, during = EventTracker("anomaly", limits.events), [], np.zeros(len(raw)), 0
    for row, value in enumerate(raw.tolist()):
        values[row] = adaptive.value
        event = tracker.push(row, value, adaptive.value)
        if event is not None and event.type == "new":
            opened.append(row)
        if event is not None and event.type == "end":
            adaptive.event_ended()
        adaptive.learn(value, in_event=tracker.is_open)
        during += tracker.is_open
    return opened, values, during / len(raw)


@pytest.mark.parametrize("growth", [1.0, 1.5, 2.5])
def test_adaptive_threshold_keeps_the_promised_rate_under_slow_drift(growth: float) -> None:
    raw = smoothed(2, 20_000) * np.geomspace(1.0, growth, 20_000)
    opened, values, share = follow(raw, LIMITS)
    expected = len(raw) / ROWS_AN_EVENT
    assert expected / 4 < len(opened) < 2 * expected
    assert share < 0.1
    assert values[-1] > 0.8 * growth * LIMITS.threshold
    if growth > 2:
        assert follow(raw, LIMITS, enabled=False)[2] > 0.5


def test_adaptive_threshold_settles_on_another_level_from_the_first_row() -> None:
    opened, _, share = follow(2.0 * smoothed(3, 10_000), LIMITS)
    assert len(opened) < 3 * 10_000 / ROWS_AN_EVENT
    assert share < 0.25


def test_adaptive_threshold_follows_drift_back() -> None:
    raw = smoothed(4, 30_000) * np.concatenate((np.geomspace(1, 2, 10_000), np.ones(20_000)))
    _, values, _ = follow(raw, LIMITS)
    assert values.max() > 1.5 * LIMITS.threshold
    assert values[-1] < 1.3 * LIMITS.threshold


def test_adaptive_threshold_is_constant_while_an_event_is_open() -> None:
    raw = smoothed(5, 6000)
    raw[2000:5000] += LIMITS.threshold  # a fault of an hour
    opened, values, _ = follow(raw, LIMITS)
    first = next(row for row in opened if row >= 2000)
    assert first < 2030
    assert len(set(values[first + 1 : 5000].tolist())) == 1
    assert not [row for row in opened if first < row < 5000]


@pytest.mark.parametrize("hours", [0.5, 4.0])
def test_a_fault_that_grows_over_hours_is_detected(hours: float) -> None:
    rows = round(hours * 3600)
    healthy = smoothed(6, 3000 + rows)
    size = np.concatenate((np.zeros(3000), np.linspace(0, 3, rows)))  # in the square root of the threshold's excess
    raw = healthy + size**2 * LIMITS.threshold
    opened, _, _ = follow(raw, LIMITS)
    found = [row for row in opened if row >= 3000]
    assert found
    assert size[found[-1]] < math.sqrt(MOST)  # the event that stays open to the end
    tracker_open_at_end = raw[found[-1] :].min() > LIMITS.events.release * LIMITS.threshold
    assert tracker_open_at_end


@given(RAW, st.lists(st.booleans(), min_size=80, max_size=80))
def test_adaptive_threshold_factor_is_bounded(raw: list[float], ended: list[bool]) -> None:
    adaptive = AdaptiveThreshold(replace(LIMITS, rows=40), NS_PER_S)
    for value, end in zip(raw, ended, strict=False):
        if end:
            adaptive.event_ended()
        adaptive.learn(value, in_event=False)
        assert LIMITS.threshold <= adaptive.value <= MOST * LIMITS.threshold * (1 + 1e-12)


@given(st.lists(st.sampled_from(["end", "quiet"]), max_size=200))
def test_adaptive_threshold_rises_with_more_events_than_promised(happenings: list[str]) -> None:
    adaptive = AdaptiveThreshold(LIMITS, NS_PER_S)
    for what in happenings:
        if what == "end":
            adaptive.event_ended()
        else:
            adaptive.learn(LIMITS.usual.median, in_event=False)
    excess = happenings.count("end") - happenings.count("quiet") / ROWS_AN_EVENT
    least = min(STEP * excess, math.log(MOST)) - 0.5
    assert math.log(adaptive.value / LIMITS.threshold) >= least


@given(RAW, st.integers(0, 80))
def test_a_restored_adaptive_threshold_continues_identically(raw: list[float], at: int) -> None:
    numbers = Numbers.fresh()
    one = other = AdaptiveThreshold(LIMITS, NS_PER_S, numbers=numbers)
    one.start()
    for row, value in enumerate(raw):
        if row == at:
            restored = Numbers.from_buffer_copy(numbers)
            other = AdaptiveThreshold(LIMITS, NS_PER_S, numbers=restored)
            other.update()
        for adaptive in {one, other}:
            adaptive.learn(value, in_event=value > 50)
            if value > 50:
                adaptive.event_ended()
        assert one.value == other.value
    assert (one.drift, one.pressure) == (other.drift, other.pressure)


def calibrated() -> Detector:
    values = recording(2, 6000, 3)
    return calibrate_limits(tiny_detector(), values, split_by_time(((0, 6000),), 2), (0, 0, 0), 400.0)


def stream_of(detector: Detector, values: F64, **options: object) -> tuple[Stream, list[Score]]:
    stream = Stream(NumpyEngine(detector), **options)  # type: ignore[arg-type]
    return stream, [stream.push(sample) for sample in samples(values)]


def test_a_stream_adapts_unless_disabled_or_set_by_hand() -> None:
    detector, values = calibrated(), recording(3, 2000, 3)
    limit = detector.calibration.threshold
    _, scores = stream_of(detector, values)
    assert len({score.threshold for score in scores}) > 100
    for options in ({"adapt": False}, {"threshold": limit}):
        stream, scores = stream_of(detector, values, **options)
        assert {score.threshold for score in scores} == {limit}
        assert stream.threshold == limit


def test_a_manual_threshold_is_constant_until_reset() -> None:
    detector, values = calibrated(), recording(4, 1000, 3)
    stream, scores = stream_of(detector, values[:600])
    learned = stream.threshold
    assert learned != detector.calibration.threshold
    stream.set_threshold(123.0)
    later = samples(values[600:], scores[-1].time_ns + NS_PER_S)
    assert {stream.push(sample).threshold for sample in later} == {123.0}
    stream.set_threshold(None)
    assert stream.threshold == detector.calibration.threshold


@pytest.mark.parametrize("defect", ["limit", "stuck", "imputed", "stale", "warmup"])
def test_rows_with_a_defect_do_not_adapt_the_threshold(defect: str) -> None:
    detector, values = calibrated(), recording(5, 400, 3)
    limits = replace(detector.calibration, stuck_rows=(5, 5, 5), warmup_rows=300 if defect == "warmup" else 10)
    detector = replace(detector, calibration=limits)
    if defect == "limit":
        values[100:200, 0] = 1e6
    elif defect == "stuck":
        values[95:200, 1] = values[95, 1]
    elif defect == "imputed":
        values[100:200, 1] = np.nan  # one of three: more than a quarter
    elif defect == "stale":
        values[101:104] = np.nan
    _, scores = stream_of(detector, values)
    taught = {score.threshold for score in scores[101:200] if score.status == defect}
    assert len(taught) == 1
    assert defect in {score.status for score in scores[100:200]}
