"""The adaptive threshold: it follows the level of normal operation within bounds, and no fault makes it deafer."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.detectors import START_NS, recording, samples, tiny_detector
from vcedge.calibration.nats import fit_line
from vcedge.limits import LASTING_RISE, LEAST_MARGIN, MOST_RISE, Calibration, EventRule, Promise
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.stream.adaptive_threshold import STEP, AdaptiveThreshold
from vcedge.runtime.stream.events import EventTracker
from vcedge.runtime.stream.state import Numbers
from vcedge.runtime.stream.stream import Score, Stream
from vcedge.schema import F64, NS_PER_S

DAY, FAULT = 1440, 120
"""Rows of a simulated day, and of a fault."""
RAW = st.lists(st.one_of(st.floats(-20, 400), st.sampled_from([-20.0, 0.7, 4.0, 4.8, 9.0, 320.0])), max_size=80)


def smoothed(seed: int, rows: int) -> F64:
    """Return the logarithm (rows,) of the smoothed mean square of eight normal residuals."""
    error = (np.random.default_rng(seed).standard_normal((rows, 8)) ** 2).mean(axis=1)
    mean, logarithm = 1.0, np.zeros(rows)
    for row, value in enumerate(error.tolist()):
        mean += (value - mean) * 2 / 21
        logarithm[row] = np.log(mean)
    return logarithm


LINE = fit_line(np.exp(smoothed(1, 8000)), 20.0, 8000)


def normal(seed: int, rows: int) -> F64:
    """Return a statistic (rows,) of normal rows, in nats."""
    return LINE.nats(smoothed(seed, rows), -20.0, 200.0)


def single(seed: int, rows: int) -> F64:
    """Return a statistic (rows,) of normal rows, in nats, in which rows tell nothing about the next."""
    return np.random.default_rng(seed).exponential(size=rows)


def measured(raw: F64) -> Calibration:
    """Return limits measured on the statistic of normal rows."""
    reference = float(np.quantile(raw, 0.99))
    limits = replace(
        tiny_detector().calibration,
        threshold=reference + LEAST_MARGIN,
        median=float(np.median(raw)),
        memory=400.0,
        rows=len(raw),
        promise=Promise(reference),
        events=EventRule(),
    )
    adaptive, lasting = AdaptiveThreshold(limits), 0.0
    for value in raw.tolist():
        adaptive.learn(value)
        lasting = max(lasting, adaptive.lasting_mean)
    return replace(limits, lasting=lasting)


LIMITS = measured(normal(1, 8000))
SINGLE = measured(single(1, 8000))


def adaptive_of(limits: Calibration = LIMITS, *, enabled: bool = True) -> AdaptiveThreshold:
    """Return the adaptive threshold of a new stream."""
    numbers = Numbers.fresh()
    adaptive = AdaptiveThreshold(limits, enabled=enabled, numbers=numbers)
    adaptive.start()
    numbers.adapts = adaptive.enabled
    return adaptive


def follow(raw: F64, limits: Calibration = LIMITS, *, enabled: bool = True) -> tuple[list[int], F64, float]:
    """Return the rows at which events open, the threshold (N,) of each row, and the share of rows in an event."""
    adaptive = adaptive_of(limits, enabled=enabled)
    tracker, opened, values, during = EventTracker("anomaly", limits.events), [], np.zeros(len(raw)), 0
    for row, value in enumerate(raw.tolist()):
        values[row] = adaptive.value
        event = tracker.push(row, adaptive.evidence(value), adaptive.value)
        if event is not None and event.type == "new":
            opened.append(row)
        adaptive.learn(value)
        during += tracker.is_open
    return opened, values, during / len(raw)


@pytest.mark.parametrize("drift", [0.0, 3.0, 6.0])
def test_slow_drift_opens_no_more_events_than_normal_rows(drift: float) -> None:
    raw = normal(2, 20_000) + np.linspace(0.0, drift, 20_000)
    opened, values, share = follow(raw)
    assert len(opened) < 1.5 * len(follow(normal(2, 20_000))[0]) + 10
    assert share < 0.02
    assert values[-1] > LIMITS.threshold + 0.7 * drift
    if drift > 5:
        assert follow(raw, enabled=False)[2] > 0.2


def test_another_level_from_the_first_row_is_learned_within_a_few_rows() -> None:
    opened, values, share = follow(normal(3, 10_000) + 5.0)
    assert values[50] > LIMITS.threshold + 3.0
    assert share < 0.02
    assert len(opened) < 60


def test_the_threshold_falls_again_with_the_level() -> None:
    raw = normal(4, 12_000)
    raw[2000:6000] += 5.0
    values = follow(raw)[1]
    assert values[5999] > LIMITS.threshold + 3.0
    assert values[-1] < LIMITS.threshold + 0.5


@pytest.mark.parametrize("size", [12.0, 40.0])
def test_a_fault_beyond_the_largest_rise_stays_one_open_event(size: float) -> None:
    raw = normal(5, 9000)
    raw[2000:8000] = np.maximum(raw[2000:8000] + size, LIMITS.threshold + MOST_RISE + 1.0)
    opened, values, _ = follow(raw)
    assert [row for row in opened if 1995 <= row < 8000] == [2001]
    assert values[7999] == LIMITS.threshold + MOST_RISE


@pytest.mark.parametrize("size", [6.0, 12.0, 30.0])
@pytest.mark.parametrize("grows", [False, True])
def test_the_same_fault_on_six_days_is_found_each_day_as_fast(size: float, grows: bool) -> None:
    """Nobody judges the events: what rose during a fault must have fallen by the next day."""
    fault = np.linspace(0, size, FAULT) if grows else np.full(FAULT, size)
    raw = normal(6, 7 * DAY)
    starts = [DAY * day for day in range(1, 7)]
    for start in starts:
        raw[start : start + FAULT] = normal(7, FAULT) + fault
    opened, values, _ = follow(raw)
    delays = [next(row for row in opened if row >= start) - start for start in starts]
    assert delays[0] < FAULT
    assert max(delays) <= 2 * delays[0]
    assert max(abs(values[start] - values[starts[0]]) for start in starts) < 0.6


@pytest.mark.parametrize("rows", [2000, 10_000])
def test_a_fault_that_grows_slowly_opens_an_event_that_stays(rows: int) -> None:
    raw = normal(8, 3000 + rows)
    raw[3000:] += np.linspace(0, 40, rows)
    opened, values, _ = follow(raw)
    last = max(opened)
    assert raw[last] < LIMITS.threshold + MOST_RISE + 4.0
    assert (raw[-200:] > values[-200:]).all()


def test_evidence_that_lasts_opens_an_event_that_no_row_alone_would() -> None:
    raw = single(9, 3000)
    raw[2000:] = SINGLE.threshold - 0.5
    assert not [row for row in follow(raw, SINGLE, enabled=False)[0] if row > 2000]
    (opened, *_) = [row for row in follow(raw, SINGLE)[0] if row > 2000]
    assert opened < 2060


def test_lasting_evidence_that_the_level_explains_does_not_count() -> None:
    raw = single(10, 6000)
    raw[2000:] += 2.0
    opened, values, share = follow(raw, SINGLE)
    assert [row for row in opened if 2000 < row < 2100]
    assert not [row for row in opened if row > 5000]
    assert values[-1] > SINGLE.threshold + 1.5
    assert share < 0.1
    assert follow(raw[2000:], SINGLE)[2] < 0.05  # from the first row: the level has no other past


def test_a_burst_counts_no_more_than_its_cap() -> None:
    adaptive, capped = adaptive_of(SINGLE), adaptive_of(SINGLE)
    for value in [*single(11, 500).tolist(), *[200.0] * 2]:
        adaptive.learn(value)
        capped.learn(min(value, SINGLE.promise.reference + MOST_RISE + capped.rise))
    assert adaptive.lasting_mean == pytest.approx(capped.lasting_mean)


@given(RAW, st.floats(0.5, 8.0), st.floats(5, 1000))
def test_the_threshold_is_never_below_the_calibrated_one_nor_far_above(
    raw: list[float], threshold: float, memory: float
) -> None:
    limits = replace(LIMITS, threshold=threshold, memory=memory)
    adaptive = AdaptiveThreshold(limits)
    for value in raw:
        before = adaptive.level
        adaptive.learn(value)
        assert threshold <= adaptive.value <= threshold + MOST_RISE
        assert adaptive.value == threshold + adaptive.rise
        assert abs(adaptive.level - before) <= STEP / 5 + 1e-12
        assert min(before, value) - 1e-9 <= adaptive.level <= max(before, value) + 1e-9
        assert adaptive.evidence(value) >= value


@given(RAW)
def test_evidence_is_above_the_threshold_as_far_as_the_lasting_mean_above_its_limit(raw: list[float]) -> None:
    numbers = Numbers.fresh()
    adaptive = AdaptiveThreshold(LIMITS, numbers=numbers)
    adaptive.start()
    numbers.adapts = 1
    for value in raw:
        adaptive.learn(value)
        limit = LIMITS.lasting + LEAST_MARGIN + LASTING_RISE * adaptive.rise
        beyond = adaptive.lasting_mean - limit
        assert adaptive.evidence(value) == pytest.approx(max(value, numbers.threshold + beyond))


@given(RAW, st.floats(0.0, 4.0))
def test_events_and_widening_leave_the_level_alone(raw: list[float], widening: float) -> None:
    one, other = Numbers.fresh(), Numbers.fresh()
    other.widening = widening
    first, second = AdaptiveThreshold(LIMITS, numbers=one), AdaptiveThreshold(LIMITS, numbers=other)
    first.start(), second.start()
    for value in raw:
        first.learn(value)
        second.learn(value)
        assert second.value == first.value + widening
    assert (first.level, first.lasting_mean) == (second.level, second.lasting_mean)


@given(RAW, st.integers(0, 80))
def test_a_restored_adaptive_threshold_continues_identically(raw: list[float], at: int) -> None:
    numbers = Numbers.fresh()
    one = other = AdaptiveThreshold(LIMITS, numbers=numbers)
    one.start()
    for row, value in enumerate(raw):
        if row == at:
            restored = Numbers.from_buffer_copy(numbers)
            other = AdaptiveThreshold(LIMITS, numbers=restored)
            other.update()
        for adaptive in {one, other}:
            adaptive.learn(value)
        assert (one.value, one.evidence(value)) == (other.value, other.evidence(value))
    assert (one.level, one.lasting_mean) == (other.level, other.lasting_mean)


@given(RAW)
def test_a_restart_forgets_lasting_evidence_and_keeps_the_level(raw: list[float]) -> None:
    adaptive = AdaptiveThreshold(LIMITS)
    for value in raw:
        adaptive.learn(value)
    level, threshold = adaptive.level, adaptive.value
    adaptive.restart()
    assert (adaptive.level, adaptive.value, adaptive.lasting_mean) == (level, threshold, level)
    adaptive.start()
    assert (adaptive.level, adaptive.value) == (LIMITS.median, LIMITS.threshold)


def test_a_disabled_threshold_is_the_calibrated_one() -> None:
    raw = normal(12, 2000) + 5.0
    assert set(follow(raw, enabled=False)[1].tolist()) == {LIMITS.threshold}
    assert set(follow(raw, replace(LIMITS, rows=0))[1].tolist()) == {LIMITS.threshold}


ADAPTS = replace(tiny_detector(), calibration=replace(tiny_detector().calibration, threshold=20.0, median=2.0))
"""A detector whose level rises on `recording(...)`, and whose rows are below the threshold."""


def stream_of(values: F64, **options: object) -> tuple[Stream, list[Score]]:
    stream = Stream(NumpyEngine(ADAPTS), **options)  # type: ignore[arg-type]
    return stream, [stream.push(sample) for sample in samples(values)]


def test_a_stream_adapts_unless_disabled_or_set_by_hand() -> None:
    values = recording(3, 2000, 3)
    _, scores = stream_of(values)
    assert len({score.threshold for score in scores}) > 100
    assert {20.0} < {score.threshold for score in scores}
    for options in ({"adapt": False}, {"threshold": 20.0}):
        stream, scores = stream_of(values, **options)
        assert {score.threshold for score in scores} == {20.0}
        assert stream.threshold == 20.0
        assert all(score.alarm == (score.raw > 20.0) for score in scores if score.status == "ok")


def test_a_manual_threshold_is_constant_until_reset() -> None:
    values = recording(4, 1000, 3)
    stream, scores = stream_of(values[:600])
    assert stream.threshold > 20.0
    stream.set_threshold(123.0)
    later = samples(values[600:], scores[-1].time_ns + NS_PER_S)
    assert {stream.push(sample).threshold for sample in later} == {123.0}
    stream.set_threshold(None)
    assert stream.threshold == 20.0


def test_a_stream_alarms_on_lasting_evidence() -> None:
    """Score, alarm and event follow the evidence; `raw` stays the statistic."""
    limits = replace(ADAPTS.calibration, lasting=-20.0)
    stream = Stream(NumpyEngine(replace(ADAPTS, calibration=limits)))
    scores = [stream.push(sample) for sample in samples(recording(3, 300, 3))]
    alarms = [score for score in scores if score.alarm]
    assert alarms
    assert all(score.score > 0.5 for score in alarms)
    assert any(score.raw < score.threshold for score in alarms)
    assert any(event.kind == "anomaly" for score in alarms for event in score.events)


def test_a_gap_ends_lasting_evidence_and_keeps_the_level() -> None:
    values = recording(3, 300, 3)
    values[200:] += 20 * ADAPTS.features.scale
    stream, scores = stream_of(values)
    level = stream.adaptive.level
    assert stream.adaptive.lasting_mean > level
    later = stream.push(samples(values[:1], scores[-1].time_ns + 3600 * NS_PER_S)[0])
    assert later.status == "gap"
    assert stream.adaptive.lasting_mean == stream.adaptive.level == level > ADAPTS.calibration.median


@pytest.mark.parametrize("defect", ["imputed", "stale", "warmup"])
def test_rows_that_tell_little_do_not_teach(defect: str) -> None:
    values = recording(5, 400, 3)
    limits = replace(ADAPTS.calibration, warmup_rows=300 if defect == "warmup" else 10)
    if defect == "imputed":
        values[100:200, 1] = np.nan  # one of three: more than a quarter
    elif defect == "stale":
        values[101:104] = np.nan
    stream = Stream(NumpyEngine(replace(ADAPTS, calibration=limits)))
    levels = []
    for sample in samples(values):
        before = stream.adaptive.level
        levels.append((stream.push(sample).status, stream.adaptive.level == before))
    assert {kept for status, kept in levels if status == defect} == {True}
    assert {kept for status, kept in levels[310:] if status == "ok"} == {False}


def test_levels_of_rows_in_an_event_are_learned() -> None:
    """An event is no reason not to learn: a machine that runs otherwise from now on must not alarm for good."""
    detector = replace(ADAPTS, calibration=replace(ADAPTS.calibration, threshold=4.0, stuck_rows=(0, 0, 0)))
    stream = Stream(NumpyEngine(detector))
    values = recording(3, 600, 3)
    values[300:] += 30 * detector.features.scale * np.resize([1.0, -1.0], (300, 1))
    levels, in_event = [], []
    for sample in samples(values, START_NS):
        stream.push(sample)
        levels.append(stream.adaptive.level)
        in_event.append(stream.in_event)
    assert any(in_event[300:])
    assert all(after != before for before, after in pairwise(levels[300:]))
