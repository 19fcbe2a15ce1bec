"""The threshold of the decision rule: what a recording can show, and a promise that the stream keeps."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.support.detectors import recording, tiny_detector
from tests.support.fits import DAY_ROWS, fitted
from vcedge.calibration.split import Ranges
from vcedge.calibration.statistic import Statistic
from vcedge.calibration.threshold import HIGH_QUANTILE, MARGINS, fit_threshold, memory_of, tail_quantile
from vcedge.limits import (
    LEAST_EVENTS,
    LEAST_MARGIN,
    MEMORY_ROWS,
    MOST_RISE,
    Calibration,
    EventRule,
    Promise,
    events_per_row,
)
from vcedge.runtime.stream.adaptive_threshold import AdaptiveThreshold
from vcedge.runtime.stream.events import EventTracker
from vcedge.schema import F64, NS_PER_S

BLOCKS = 4
TINY = replace(tiny_detector().calibration, rows=0)
DETECTOR, LINEAR = fitted(recording(1, 400, 2))


def normal(seed: int, rows: int, span: float = 20.0) -> F64:
    """Return a statistic in nats (rows,) as of normal rows: smoothed, with few rows above ln 100."""
    noise, level, alpha = np.random.default_rng(seed).exponential(size=(rows, 8)).mean(axis=1), 1.0, 2 / (span + 1)
    raw = np.zeros(rows)
    for row, value in enumerate(noise.tolist()):
        level += alpha * (value - level)
        raw[row] = level
    middle, high = 1.0, 1.19
    return np.asarray(0.693 + 3.912 * (raw - middle) / (high - middle))


def statistic(raw: F64, ranges: Ranges = ()) -> Statistic:
    """Return a fitted statistic with these values on cross-fitted rows."""
    ranges = ranges or ((0, len(raw)),)
    cuts = np.cumsum([stop - start for start, stop in ranges])[:-1]
    return replace(
        LINEAR.statistic,
        cross_fitted=tuple(np.array_split(raw, BLOCKS)),
        stretches=tuple(np.split(raw, cuts)),
        ranges=ranges,
    )


def events_in(limits: Calibration, stretches: tuple[F64, ...]) -> list[tuple[int, int]]:
    """Return first row and row after each event that a stream with these limits opens along stretches."""
    adaptive, tracker, found, at = AdaptiveThreshold(limits), EventTracker("anomaly", limits.events), [], 0
    for stretch in stretches:
        for row, raw in enumerate(stretch.tolist(), at):
            event = tracker.push(row, adaptive.evidence(raw), adaptive.value)
            if event is not None and event.type == "end":
                found.append((event.start_ns, row))
            adaptive.learn(raw)
        at += len(stretch)
        last = tracker.close(at)
        if last is not None:
            found.append((last.start_ns, at))
        adaptive.restart()
    return found


def fit(raw: F64, per_day: float = 1.0, *, quiet: Ranges = (), ranges: Ranges = ()) -> Calibration:
    return fit_threshold(TINY, statistic(raw, ranges), per_day, NS_PER_S, quiet)


def test_reference_is_the_median_of_the_blocks_quantiles() -> None:
    raw = normal(1, 8000)
    limits = fit(raw)
    quantiles = [np.quantile(block, HIGH_QUANTILE) for block in np.array_split(raw, BLOCKS)]
    assert limits.promise.reference == pytest.approx(np.median(quantiles))
    assert limits.median == np.median(raw)
    assert limits.rows == 8000
    assert limits.threshold >= limits.promise.reference + LEAST_MARGIN


def test_outliers_of_one_block_do_not_move_the_reference() -> None:
    raw = normal(1, 8000)
    spoiled = raw.copy()
    spoiled[4200:4400] += 80.0  # more than one row in a hundred of all
    limits, after = fit(raw), fit(spoiled)
    assert np.quantile(spoiled, HIGH_QUANTILE) > np.quantile(raw, HIGH_QUANTILE) + 10
    assert abs(after.promise.reference - limits.promise.reference) < 0.7
    assert after.median == pytest.approx(limits.median, abs=0.05)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("per_day", [0.1, 30.0, 300.0])
def test_the_stream_opens_as_many_events_on_these_rows_as_the_promise_says(seed: int, per_day: float) -> None:
    raw = normal(seed, 6000)
    raw[2000:2400] += 3.0  # a moderate excess that lasts
    raw[4000:] += np.linspace(0, 3, 2000)  # a drift
    ranges = ((0, 1000), (1500, 6500))
    limits = fit(raw, per_day, ranges=ranges)
    found = events_in(limits, (raw[:1000], raw[1000:]))
    assert all(after - first < limits.memory for first, after in found)  # a longer one would count as several
    assert len(found) == limits.promise.expected(limits.threshold)


@pytest.mark.parametrize("per_day", [0.1, 30.0, 300.0])
def test_margin_is_the_smallest_that_keeps_the_wanted_rate(per_day: float) -> None:
    limits = fit(normal(3, 20_000), per_day)
    allowed = max(per_day * 20_000 / DAY_ROWS, LEAST_EVENTS)
    margin = limits.threshold - limits.promise.reference
    known = dict(zip(limits.promise.margins, limits.promise.events, strict=True))
    assert margin in [pytest.approx(listed) for listed in known]
    assert all(count > allowed for listed, count in known.items() if listed < margin - 1e-9)
    assert limits.promise.expected(limits.threshold) <= allowed


@given(st.floats(1e-6, 1e4), st.integers(0, 40))
def test_nothing_is_promised_that_the_rows_cannot_show(per_day: float, seed: int) -> None:
    rows = 2000
    limits = fit(normal(seed, rows), per_day)
    days = rows / DAY_ROWS
    shown = (limits.promise.expected(limits.threshold) + 1) / days
    assert limits.false_alarms_per_day == pytest.approx(max(per_day, shown))
    assert limits.threshold <= limits.promise.reference + MARGINS[-1]
    assert limits.expected_false_alarms_per_day(NS_PER_S) <= limits.false_alarms_per_day


def test_a_longer_recording_can_promise_less() -> None:
    promised = [fit(normal(1, rows), 1e-3).false_alarms_per_day for rows in (1000, 4000, 16_000)]
    assert promised[0] > promised[1] > promised[2]


def test_another_rate_needs_no_data() -> None:
    limits = fit(normal(3, 20_000), 300.0)
    again = limits.with_false_alarms(0.1, NS_PER_S)
    direct = fit(normal(3, 20_000), 0.1)
    assert again.threshold == direct.threshold > limits.threshold
    assert again.false_alarms_per_day == direct.false_alarms_per_day
    assert again.with_false_alarms(300.0, NS_PER_S).threshold == limits.threshold


@pytest.mark.parametrize("ranges", [((0, 6000),), ((0, 2500), (3000, 6500))])
def test_rows_that_must_not_alarm_raise_no_event(ranges: Ranges) -> None:
    raw = normal(5, 6000)
    raw[3000:3060] += 4.0  # above the usual threshold
    raw[4000:4400] += 3.0  # a moderate excess that lasts
    offset = ranges[-1][0] - (ranges[0][1] if len(ranges) > 1 else 0)
    stretches = np.split(raw, [2500]) if len(ranges) > 1 else [raw]

    def judged(limits: Calibration) -> list[tuple[int, int]]:
        found = events_in(limits, tuple(stretches))
        return [event for event in found if any(event[0] < b and a < event[1] for a, b in ((2990, 3070), (3990, 4500)))]

    before = fit(raw, 300.0, ranges=ranges)
    assert judged(before)
    quiet = ((2990 + offset, 3070 + offset), (3990 + offset, 4500 + offset))
    after = fit(raw, 300.0, quiet=quiet, ranges=ranges)
    assert not judged(after)
    assert after.threshold > before.threshold
    assert not judged(after.with_false_alarms(1e4, NS_PER_S))  # whatever rate is wanted later


def test_judgements_that_no_margin_can_keep_take_the_largest() -> None:
    raw = normal(5, 6000)
    raw[3000:3060] += 50.0
    limits = fit(raw, quiet=((2990, 3070),))
    assert limits.promise.margins == MARGINS[-1:]
    assert limits.threshold == limits.promise.reference + MARGINS[-1]


def test_a_drift_within_the_recording_does_not_raise_the_threshold_over_it() -> None:
    raw = normal(1, 8000)
    drifting = raw + np.linspace(0, 6, 8000)
    limits = fit(drifting, 300.0)
    assert limits.threshold < np.quantile(drifting, HIGH_QUANTILE)
    assert limits.promise.expected(limits.threshold) <= max(300 * 8000 / DAY_ROWS, LEAST_EVENTS)


@given(arrays.arrays(np.float64, st.integers(40, 80), elements=st.floats(-20, 260)), st.floats(1e-3, 1e3))
def test_every_statistic_has_finite_limits(raw: F64, per_day: float) -> None:
    limits = fit(raw, per_day)
    assert max(raw.min(), 0.0) <= limits.promise.reference <= max(raw.max(), 0.0)
    assert limits.promise.reference + LEAST_MARGIN <= limits.threshold <= limits.promise.reference + MARGINS[-1]
    assert math.isfinite(limits.lasting)
    assert limits.steepness > 0
    assert math.isfinite(limits.false_alarms_per_day)
    assert limits.promise.margins == MARGINS
    assert all(count >= 0 for count in limits.promise.events)


def test_a_machine_that_stood_in_half_of_the_recording_has_a_threshold_above_0() -> None:
    raw = normal(1, 8000)
    raw[:4000] -= 30.0  # noiseless rows
    limits = fit(raw)
    assert limits.threshold > 0
    alarmed = sum(after - first for first, after in events_in(limits, (raw,)))
    assert alarmed < 0.02 * len(raw)  # one event over all of the other half would be too many


def test_constant_statistic_has_a_threshold_above_it() -> None:
    limits = fit(np.zeros(2000))
    assert limits.threshold == LEAST_MARGIN
    assert not events_in(limits, (np.zeros(500),))
    assert limits.score(0.0) < 0.5 < limits.score(1.0)


def test_events_rule_counts_as_in_the_stream() -> None:
    raw = normal(7, 20_000)
    counts = []
    for rule in (EventRule(min_rows=2), EventRule(min_rows=30), EventRule(min_rows=2, hold_rows=200)):
        limits = fit_threshold(replace(TINY, events=rule), statistic(raw), 300.0, NS_PER_S)
        assert limits.events == rule
        counts.append(limits.promise.events[0])
    assert counts[0] > counts[1]
    assert counts[0] > counts[2]


def test_memory_is_a_share_of_the_recording_within_bounds() -> None:
    assert [memory_of(rows) for rows in (100, 8000, 10**6)] == [MEMORY_ROWS[0], 400.0, MEMORY_ROWS[1]]


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=8),
    st.floats(0, 60),
)
def test_margin_of_a_promise(events: list[int], allowed: float) -> None:
    margins = tuple(0.1 * 2.0**k for k in range(len(events)))
    promise = Promise(2.0, margins, tuple(events))
    margin = promise.margin(allowed)
    kept = [listed for listed, count in zip(margins, events, strict=True) if count <= allowed]
    assert margin == (kept[0] if kept else margins[events.index(min(events))])
    assert promise.expected(2.0 + margin) == events[margins.index(margin)]
    assert promise.expected(1e9) == events[-1]
    assert promise.expected(-1e9) == events[0]


def test_rate_of_events_per_row() -> None:
    assert events_per_row(1.0, NS_PER_S) == pytest.approx(1 / 86_400)
    assert events_per_row(24.0, 3600 * NS_PER_S) == 0.5


def test_false_alarms_on_new_rows_are_about_as_many_as_on_cross_fitted_ones() -> None:
    ratios = []
    for seed in range(6):
        limits = fit(normal(seed, 20_000), 200.0)
        found = len(events_in(limits, (normal(100 + seed, 20_000),)))
        ratios.append((found + 1) / (limits.promise.expected(limits.threshold) + 1))
    assert 1 / 3 < np.median(ratios) < 3
    assert max(ratios) < 6


def test_score_is_half_at_the_threshold_and_a_twentieth_at_the_median() -> None:
    limits = fit(normal(1, 4000))
    assert limits.score(limits.threshold) == 0.5
    assert limits.score(limits.median) == pytest.approx(0.05)
    assert limits.score(12.0, threshold=12.0) == 0.5
    scores = [limits.score(value) for value in np.linspace(-100, 1e6, 1000)]
    assert scores == sorted(scores)
    assert 0.0 <= scores[0] <= scores[-1] <= 1.0


def test_limit_of_single_rows_is_the_quantile_of_enough_rows() -> None:
    raw = np.arange(1, 100_001, dtype=np.float64)
    assert tail_quantile(raw, 0.001) == pytest.approx(99_900, rel=1e-4)


def test_limit_of_single_rows_extrapolates_an_exponential_tail() -> None:
    raw = np.random.default_rng(0).exponential(2.0, 5_000)
    share = 1e-6
    assert tail_quantile(raw, share) == pytest.approx(-2.0 * np.log(share), rel=0.15)
    assert tail_quantile(raw, share) > raw.max()
    assert tail_quantile(np.ones(50), share) > 1.0


def test_threshold_rises_with_the_level_by_at_most_a_bound() -> None:
    limits = fit(normal(1, 4000))
    adaptive = AdaptiveThreshold(limits)
    for _ in range(20_000):
        adaptive.learn(60.0)
    assert adaptive.value == limits.threshold + MOST_RISE
