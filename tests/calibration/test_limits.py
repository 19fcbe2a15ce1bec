"""Thresholds and limits: measured on held-out rows, with as many false alarms as promised."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.detectors import recording, recording_of, tiny_detector
from vcedge.calibration.calibrate import calibrate_limits
from vcedge.calibration.recalibrate import recalibrate
from vcedge.calibration.rows import usable_rows
from vcedge.calibration.split import rows_in, split_by_time
from vcedge.calibration.stuck import longest_run, stuck_limits
from vcedge.calibration.threshold import (
    SHAPES,
    ThresholdFit,
    fit_threshold,
    release_share,
    steepness,
    tail_quantile,
)
from vcedge.calibration.trace import run_engine
from vcedge.errors import DataError
from vcedge.limits import EventRule, events_per_row
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.stream.events import EventTracker
from vcedge.schema import F64, NS_PER_S


def test_split_is_in_order_of_time_and_complete() -> None:
    sequences = ((0, 130), (130, 400), (450, 1000))
    split = split_by_time(sequences, 5)
    assert rows_in(split.all) == 950
    assert sorted(split.all) == list(split.all)
    assert rows_in(split.tail) == pytest.approx(190, abs=1)
    assert split.starts == {0, 130, 450}
    assert max(b for _, b in split.fit) <= min(a for a, _ in split.validation)
    assert max(b for _, b in split.validation) <= min(a for a, _ in split.tail)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match="100 usable rows in 1 stretches are too few: for validation 15 are left"):
        split_by_time(((0, 100),), 5)
    with pytest.raises(DataError, match="nowhere more than 5 without a gap"):
        split_by_time(tuple((start, start + 4) for start in range(0, 4000, 4)), 5)
    mixed = split_by_time(((0, 3), (3, 400), (400, 404)), 5)
    assert mixed.all[0][0] == 3
    assert mixed.all[-1][1] == 400


def test_limit_is_the_quantile_of_enough_rows() -> None:
    raw = np.arange(1, 100_001, dtype=np.float64)
    assert tail_quantile(raw, 0.001) == pytest.approx(99_900, rel=1e-4)


def test_rare_limit_extrapolates_an_exponential_tail() -> None:
    raw = np.random.default_rng(0).exponential(2.0, 5_000)
    share = 1e-6
    assert tail_quantile(raw, share) == pytest.approx(-2.0 * np.log(share), rel=0.15)
    assert tail_quantile(raw, share) > raw.max()
    assert tail_quantile(np.ones(50), share) > 1.0


def test_promise_is_a_number_of_events_a_day() -> None:
    assert events_per_row(1.0, NS_PER_S) == pytest.approx(1 / 86_400)
    assert events_per_row(24.0, 3600 * NS_PER_S) == 0.5


def smoothed(seed: int, rows: int, channels: int = 8, span: float = 20.0) -> F64:
    """Return a statistic (rows,) as of a scorer on normal residuals: their exponentially smoothed mean square."""
    error = (np.random.default_rng(seed).standard_normal((rows, channels)) ** 2).mean(axis=1)
    raw, level, alpha = np.zeros(rows), 1.0, 2 / (span + 1)
    for row, value in enumerate(error.tolist()):
        level += alpha * (value - level)
        raw[row] = level
    return raw


def events_above(raw: F64, promise: ThresholdFit) -> int:
    tracker = EventTracker("anomaly", promise.events)
    found = [tracker.push(row, value, promise.threshold) for row, value in enumerate(raw.tolist())]
    return sum(event is not None and event.type == "new" for event in found)


@pytest.mark.parametrize(("rows", "per_event", "factor"), [(2_000, 500, 2.5), (2_000, 8_000, 6.0)])
def test_threshold_keeps_the_promised_event_rate(rows: int, per_event: int, factor: float) -> None:
    future = smoothed(99, 200_000)
    ratios = []
    for seed in range(9):
        promise = fit_threshold([smoothed(seed, rows)], 1 / per_event, EventRule())
        ratios.append(events_above(future, promise) / (len(future) / per_event))
    assert 1 / 2.5 < np.median(ratios) < 2.5
    assert np.quantile(ratios, 0.8) < factor


@pytest.mark.parametrize("rule", [EventRule(), EventRule(min_rows=5), EventRule(hold_rows=20)])
def test_held_out_rows_keep_the_promise(rule: EventRule) -> None:
    raw = smoothed(1, 20_000)
    promise = fit_threshold([raw[:7000], raw[7000:]], 1 / 1000, rule)
    assert events_above(raw, promise) == pytest.approx(20, abs=8)
    assert promise.tail.peaks >= 60
    assert (promise.events.min_rows, promise.events.hold_rows) == (rule.min_rows, rule.hold_rows)


def test_rarer_events_need_a_higher_threshold_also_with_gaps() -> None:
    raw = smoothed(2, 3_000)
    rates = [1e-2, 1e-3, 1e-4, 1e-5, 1e-7]
    thresholds = [fit_threshold([raw], rate, EventRule()).threshold for rate in rates]
    assert thresholds == sorted(thresholds)
    assert thresholds[-1] > raw.max()
    promise = fit_threshold([raw], 1e-4, EventRule())
    assert promise.tail.threshold(1e-4, len(raw)) == promise.threshold
    assert promise.tail.threshold(1e-6, len(raw)) > promise.threshold
    cut = fit_threshold([raw[:10], raw[10:]], 1e-4, EventRule())
    assert cut.threshold == pytest.approx(promise.threshold, rel=0.2)


@given(st.lists(st.floats(0, 1e300), min_size=20, max_size=60), st.floats(1e-9, 0.5), st.integers(1, 30))
@settings(max_examples=150)
def test_threshold_is_finite_and_few_rows_exceed_it(raw: list[float], rate: float, min_rows: int) -> None:
    promise = fit_threshold([np.array(raw)], rate, EventRule(min_rows=min_rows))
    assert 0 < promise.threshold < np.inf
    assert (np.array(raw) > promise.threshold * (1 + 1e-9)).mean() <= 0.05
    assert SHAPES[0] <= promise.tail.shape <= SHAPES[1]
    assert 0.8 <= promise.events.release < 1


def test_narrow_statistic_needs_less_hysteresis() -> None:
    assert release_share(1.1, 1.0) > 0.95
    assert release_share(10.0, 1.0) == pytest.approx(0.8, abs=0.01)
    assert release_share(0.5, 1.0) > 0.95  # a threshold below the median, of very many alarms a day


def test_score_is_half_at_the_threshold_and_a_twentieth_at_the_median() -> None:
    raw = np.random.default_rng(1).gamma(4.0, 0.3, 2_000)
    limits = replace(tiny_detector().calibration, threshold=6.0, steepness=steepness(raw, 6.0))
    assert limits.score(6.0) == 0.5
    assert limits.score(float(np.median(raw))) == pytest.approx(0.05)
    assert limits.score(12.0, threshold=12.0) == 0.5
    scores = [limits.score(value) for value in np.linspace(0, 1e6, 1000)]
    assert scores == sorted(scores)
    assert 0.0 <= scores[0] <= scores[-1] <= 1.0


def test_longest_run_and_stuck_limits() -> None:
    assert longest_run(np.array([1.0, 1.0, 1.0, 2.0, np.nan, 2.0])) == 2
    assert longest_run(np.array([np.nan])) == 0
    values = recording(1, 1000, 3)
    values[:, 0] = 7.0  # a set point that never moves
    values[100:120, 1] = 3.0
    assert stuck_limits(values, ((0, 1000),)) == (0, 57, 30)


def test_false_alarms_on_unseen_rows_match_the_promise() -> None:
    values = recording(2, 12_000, 3)
    split = split_by_time(((0, 6000),), 2)
    detector = calibrate_limits(tiny_detector(), values, split, (0, 0, 0), false_alarms_per_day=400.0)
    trace = run_engine(NumpyEngine(detector), values, ((6000, 12_000),))
    expected, limits = 400.0 * 6000 / 86_400, detector.calibration
    found = events_above(trace.raw, ThresholdFit(limits.threshold, limits.usual, limits.tail, limits.events))
    assert expected / 4 <= found <= 3 * expected
    assert detector.calibration.rows == pytest.approx(1200, abs=30)


def test_limits_depend_on_held_out_rows_only() -> None:
    values = recording(3, 3000, 3)
    split = split_by_time(((0, 3000),), 2)
    changed = values.copy()
    changed[: split.fit[-1][1]] *= 1.5  # another fit, the same detector: limits come from the tail alone
    limits = [calibrate_limits(tiny_detector(), v, split, (0, 0, 0), 10.0).calibration for v in (values, changed)]
    assert limits[0].threshold == limits[1].threshold
    assert limits[0].surprise_limit == limits[1].surprise_limit


def test_useless_network_is_shrunk_to_zero_and_useful_one_kept() -> None:
    values = recording(4, 4000, 3)
    split = split_by_time(((0, 4000),), 2)
    useless = calibrate_limits(tiny_detector(), values, split, (0, 0, 0), 1.0)  # its weights are random
    assert useless.head is not None
    assert (useless.head.shrink == 0).all()
    # Where the highway's forecast is off by a constant, a head that outputs that constant is useful.
    base = tiny_detector()
    assert base.head is not None
    offset = replace(base.highway, bias=base.highway.bias - 2 * base.highway.spread)
    head = replace(base.head, weights=np.zeros_like(base.head.weights), bias=np.full(3, 2.0, np.float32))
    useful = calibrate_limits(replace(base, highway=offset, head=head), values, split, (0, 0, 0), 1.0)
    assert useful.head is not None
    assert (useful.head.shrink > 0.8).all()
    assert (useful.head.error_scale < 0.8).all()


def test_recalibration_fits_another_machine_and_keeps_the_network() -> None:
    values = recording(5, 3000, 3)
    other = 1000.0 + 7.0 * values  # the same behaviour with another offset and gain
    base = tiny_detector()
    here = recalibrate(base, recording_of(values), 1.0)
    there = recalibrate(base, recording_of(other), 1.0, asset="other")
    assert there.provenance["calibration"]["files"] == [{"name": "a.csv", "sha256": "00" * 32}]
    assert there.asset == "other"
    assert there.features.center == pytest.approx(1000 + 7 * here.features.center)
    assert there.calibration.threshold == pytest.approx(here.calibration.threshold, rel=1e-2)
    assert there.cell is base.cell
    raw = [run_engine(NumpyEngine(d), v, ((0, 500),)).raw for d, v in ((here, values), (there, other))]
    assert raw[1] == pytest.approx(raw[0], rel=0.05, abs=1e-3)


def test_untrained_networks_are_kept_on_few_channels() -> None:
    values = recording(6, 1500, 12)
    split = split_by_time(((0, 1500),), 2)
    helped = 0
    for seed in range(5):
        detector = tiny_detector(seed=seed, channels=12)
        measured = calibrate_limits(detector, values, split, (0,) * 12, 1.0).head
        assert measured is not None
        helped += int((measured.shrink > 0).sum())
    assert helped <= 2  # of 60


def test_pieces_shorter_than_the_warm_up_are_refused() -> None:
    values = recording(7, 2000, 3)
    pieces = tuple((start, start + 8) for start in range(0, 2000, 8))
    with pytest.raises(DataError, match="warm-up"):
        calibrate_limits(tiny_detector(), values, split_by_time(pieces, 2), (0, 0, 0), 1.0)


def test_channels_without_values_are_named() -> None:
    values = recording(8, 500, 3)
    values[:450, 1] = np.nan
    with pytest.raises(DataError, match="'Channel 1' has 0 values in the first 80%"):
        recalibrate(tiny_detector(), recording_of(values), 1.0)


def test_rows_without_values_are_left_out_and_long_runs_cut() -> None:
    values = recording(9, 600, 3)
    values[100:103] = np.nan
    values[300:330] = np.nan
    rows, sequences, places = usable_rows(recording_of(values))
    assert len(rows) == 567
    assert sequences == ((0, 297), (297, 567))
    assert np.array_equal(rows, values[places])


def test_long_recordings_are_thinned_and_keep_their_gaps() -> None:
    source = recording_of(recording(9, 5000, 3), gap_at=2500)
    values, sequences, places = usable_rows(source, most_values=3000)
    assert np.array_equal(values, source.values[places])
    assert 900 <= len(values) <= 1000
    assert sequences[0][0] == 0
    assert sequences[-1][1] == len(values)
    assert all(b == c for (_, b), (c, _) in pairwise(sequences))
    whole, kept, _ = usable_rows(source)
    assert kept == source.sequences
    assert np.array_equal(whole, source.values)
