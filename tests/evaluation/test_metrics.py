"""The metrics: agreement with the independent reference to 1e-9, and with committed numbers of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support.real_data import reference_scoring
from vcedge.evaluation.metrics import auc_pr, auc_roc, confusion, count_events, false_alarms
from vcedge.evaluation.vus import dominant_period, segments, vus_pr
from vcedge.schema import F64

Case = tuple[F64, NDArray[np.int64]]
ROWS = 240


def labels(*events: tuple[int, int]) -> NDArray[np.int64]:
    found = np.zeros(ROWS, np.int64)
    for start, stop in events:
        found[start:stop] = 1
    return found


def scores(step: int = 89) -> F64:
    """Return a permutation of 0..ROWS-1 as scores in [0, 1): no ties, the same on every machine."""
    return (np.arange(ROWS) * step % ROWS) / ROWS


CASES: dict[str, Case] = {
    "plain": (scores(), labels((50, 60), (150, 170))),
    "ties": (np.round(scores(), 1), labels((50, 60), (150, 170))),
    "borders": (scores(), labels((0, 7), (233, 240))),
    "closer than the buffer": (scores(), labels((50, 52), (55, 57), (58, 60), (64, 70))),
    "constant": (np.ones(ROWS), labels((50, 60))),
    "found": (scores() + labels((50, 60)), labels((50, 60))),
    "all but one": (scores(), labels((0, 100), (101, 240))),
}
# Written by tools/reference_scoring.py: VUS-PR with windows 0, 40 and 125, AUC-PR, AUC-ROC.
GOLDEN: dict[str, tuple[float, float, float, float, float]] = {
    "plain": (0.1622146780958505, 0.3232617622660444, 0.6034349755155426, 0.17600241541299957, 0.5428571428571428),
    "ties": (0.13715105205427391, 0.2735840615666545, 0.5650901266027917, 0.1379447028479247, 0.5393650793650794),
    "borders": (
        0.05695921876161023,
        0.12594016011638454,
        0.27729607690474806,
        0.056241153757830946,
        0.4570164348925411,
    ),
    "closer than the buffer": (
        0.06790524717127155,
        0.19844686177942156,
        0.34782324067432174,
        0.06616474435318254,
        0.5869883040935673,
    ),
    "constant": (0.041666666666666664, 0.11089538214014334, 0.2596902058614289, 0.041666666666666664, 0.5),
    "found": (1.0, 1.0, 1.0, 1.0, 1.0),
    "all but one": (0.999636726953753, 0.9999822793635977, 0.9999942337611707, 0.999636726953753, 0.9163179916317992),
}


def measured(case: Case) -> tuple[float, ...]:
    score, label = case
    return (*(vus_pr(score, label, window) for window in (0, 40, 125)), auc_pr(score, label), auc_roc(score, label))


@pytest.mark.parametrize("name", CASES)
def test_measures_equal_committed_numbers_of_the_reference(name: str) -> None:
    assert measured(CASES[name]) == pytest.approx(GOLDEN[name], abs=1e-9)


@pytest.mark.parametrize("seed", range(60))
def test_measures_equal_the_reference(seed: int) -> None:
    scoring = reference_scoring()
    score, label, window = random_case(seed)
    assert vus_pr(score, label, window) == pytest.approx(scoring.vus_pr(score, label, window), abs=1e-9)
    assert auc_pr(score, label) == pytest.approx(scoring.auc_pr(score, label), abs=1e-9)
    if label.min() == 0:
        assert auc_roc(score, label) == pytest.approx(scoring.auc_roc(score, label), abs=1e-9)
    alarm = score > np.quantile(score, 0.8)
    rows, counts = confusion(alarm, label), scoring.binary_metrics(alarm, label)
    assert (rows.f1, rows.far, rows.mar) == pytest.approx((counts["F1"], counts["FAR"], counts["MAR"]), abs=1e-9)
    found, expected = count_events(alarm, label), scoring.event_metrics(alarm, label, 0)
    assert (found.events, found.recall) == (expected["events"], expected["ev_recall"])
    assert found.median_delay == pytest.approx(expected["med_delay"], nan_ok=True)
    per_10k = 1e4 * false_alarms(segments(alarm), label) / max(int((label == 0).sum()), 1)
    assert per_10k == pytest.approx(expected["fa_per_10k"], abs=1e-9)


def random_case(seed: int) -> tuple[F64, NDArray[np.int64], int]:
    """Return scores with and without ties, events alone, in groups and at the borders, and a buffer width."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(30, 700))
    label = np.zeros(rows, np.int64)
    for start in rng.integers(0, rows, int(rng.integers(1, 8))):
        label[start : start + int(rng.integers(1, 40))] = 1
    if seed % 5 == 0:
        label[[0, -1]] = 1
    if seed % 7 == 0:
        label = (rng.random(rows) < 0.2).astype(np.int64)
        label[3] = 1
    score = rng.normal(size=rows) * 10.0 ** rng.integers(-3, 6)
    if seed % 3 == 0:
        score = np.round(score / np.abs(score).max(), 1)
    if seed % 11 == 0:
        score[:] = 1.0
    return score, label, int(rng.integers(0, 150))


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=60), st.integers(0, 30))
def test_measures_are_bounded_and_invariant(rows: list[tuple[int, bool]], window: int) -> None:
    score, label = np.array([r[0] for r in rows], np.float64), np.array([r[1] for r in rows])
    area = vus_pr(score, label, window)
    assert np.isnan(area) == (not label.any())
    if label.any():
        assert -1e-9 <= area <= 1 + 1e-9
        assert vus_pr(np.exp(score), label, window) == pytest.approx(area, abs=1e-12)
    assert sum(b - a for a, b in segments(label)) == label.sum()


@pytest.mark.timeout(20)
def test_hundred_thousand_rows_are_fast() -> None:
    rng = np.random.default_rng(0)
    score, label = rng.random(105_000), (np.arange(105_000) % 500 < 20).astype(np.int64)
    assert all(0.03 < vus_pr(score, label, window) < 0.3 for window in range(100, 126))


@pytest.mark.parametrize("period", [7, 23, 60, 250])
def test_period_of_a_wave(period: int) -> None:
    rng = np.random.default_rng(1)
    wave = np.sin(2 * np.pi * np.arange(3000) / period) + 0.05 * rng.normal(size=3000)
    assert abs(dominant_period(wave) - period) <= max(3, period // 10)
    holes = wave.copy()
    holes[rng.integers(0, 3000, 100)] = np.nan
    assert abs(dominant_period(holes) - period) <= max(3, period // 10)


def test_noise_has_no_period() -> None:
    assert dominant_period(np.zeros(5000)) == dominant_period(np.arange(100.0)) == 125
    assert dominant_period(np.full(5000, np.nan)) == dominant_period([]) == 125


def test_periods_equal_the_reference() -> None:
    scoring = reference_scoring()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        wave = np.sin(np.arange(900) / rng.uniform(1, 40)) + 0.3 * rng.normal(size=900)
        assert dominant_period(wave) == scoring.dominant_period(wave)


def test_delays_and_false_alarms_by_hand() -> None:
    alarm = labels((12, 14), (55, 58), (59, 61), (100, 101), (104, 105), (239, 240))
    truth = labels((10, 20), (60, 70), (200, 210))
    found = count_events(alarm, truth)
    assert (found.events, found.found, found.delays, found.median_delay) == (3, 2, (2, 0), 1.0)
    assert false_alarms(segments(alarm), truth) == 4  # (55, 58), (100, 101), (104, 105) and (239, 240)


@pytest.mark.parametrize("metric", [auc_pr, auc_roc, lambda s, y: vus_pr(s, y, 10)])
def test_nan_scores_are_refused(metric: Callable[[F64, F64], float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        metric(np.array([0.0, np.nan]), np.array([0.0, 1.0]))


def test_labels_of_one_class_have_no_curve() -> None:
    assert np.isnan(auc_pr(scores(), labels()))
    assert np.isnan(auc_roc(scores(), labels()))
    assert np.isnan(auc_roc(scores(), labels((0, ROWS))))
    assert np.isnan(vus_pr(scores(), labels(), 10))
