"""Measures of one recording by hand, NaN cases, means over recordings, and bars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vcedge.errors import GateFailed, UsageError
from vcedge.evaluation.bars import AT_LEAST, AT_MOST, check_bars, parse_bars
from vcedge.evaluation.measure import LabelledScores, mean_of, measure, trivial_measures
from vcedge.history.recording import NO_TIME
from vcedge.schema import NS_PER_S

HOUR_ROWS = 3600


def labelled() -> LabelledScores:
    """Return two hours at one row a second: one event found after 4 rows, one missed, and a false alarm."""
    rows = 2 * HOUR_ROWS
    labels, alarm = np.zeros(rows, bool), np.zeros(rows, bool)
    labels[1000:1100] = labels[5000:5100] = True
    alarm[1004:1110] = alarm[3000:3010] = True
    settled = np.arange(rows) >= 100
    return LabelledScores(
        raw=alarm + np.linspace(0, 0.1, rows),
        alarm=alarm,
        labels=labels,
        alarms=[(1004, 1110), (3000, 3010)],
        share=np.where(labels, 0.5, 0.125),
        eligible=settled,
        time_ns=np.arange(rows, dtype=np.int64) * 2 * NS_PER_S,
        period_ns=NS_PER_S,
        window=50,
    )


def test_measures_by_hand() -> None:
    found = measure(labelled())
    assert (found["events"], found["event_recall"], found["delay_rows"], found["delay_s"]) == (2, 0.5, 4, 8)
    assert found["mar"] == 1 - 96 / 200
    assert found["far"] == 20 / 7000
    assert found["f1"] == 2 * 96 / (2 * 96 + 20 + 104)
    assert found["false_alarms"] == 1
    assert found["normal_days"] == pytest.approx(6900 / 86400)
    assert found["false_alarms_per_day"] == pytest.approx(86400 / 6900)
    assert found["false_alarms_per_10k"] == pytest.approx(1e4 / 7000)
    assert (found["updated_normal"], found["updated_anomalous"]) == (0.125, 0.5)
    assert 0 < found["vus_pr"] < 1


def test_recording_without_events_measures_only_false_alarms() -> None:
    quiet = replace(labelled(), labels=np.zeros(2 * HOUR_ROWS, bool))
    found = measure(quiet)
    missing = {"vus_pr", "auc_pr", "auc_roc", "f1", "mar", "event_recall", "delay_rows", "delay_s", "updated_anomalous"}
    assert {name for name, value in found.items() if np.isnan(value)} == missing
    assert found["false_alarms"] == 2


def test_delay_without_times_counts_rows() -> None:
    times = labelled().time_ns.copy()
    times[1000] = NO_TIME
    assert measure(replace(labelled(), time_ns=times))["delay_s"] == 4


def test_means_skip_nan_and_add_counts() -> None:
    one = measure(labelled())
    other = measure(replace(labelled(), labels=np.zeros(2 * HOUR_ROWS, bool)))
    both = mean_of([one, other])
    assert both["vus_pr"] == one["vus_pr"]
    assert both["false_alarms"] == 3
    assert both["false_alarms_per_day"] == pytest.approx(3 / (one["normal_days"] + other["normal_days"]))
    assert both["far"] == pytest.approx((one["far"] + other["far"]) / 2)


def test_results_include_trivial_scores() -> None:
    others = trivial_measures(labelled())
    assert others["all ones"]["far"] == 1
    assert others["all ones"]["mar"] == 0
    assert others["all ones"]["auc_pr"] == pytest.approx(200 / 7200)
    assert others["random"]["auc_roc"] == pytest.approx(0.5, abs=0.06)
    assert others["random"]["far"] == pytest.approx(116 / 7200, abs=0.005)


def test_bars_know_the_better_direction() -> None:
    bars = parse_bars(["vus_pr=0.8", "far=0.1"])
    check_bars(bars, {"vus_pr": 0.8, "far": 0.1}, "model")
    with pytest.raises(GateFailed, match=r"^model: vus_pr is 0.7, expected at least 0.8; far is 0.2, expected at most"):
        check_bars(bars, {"vus_pr": 0.7, "far": 0.2}, "model")
    with pytest.raises(GateFailed, match="vus_pr is nan"):
        check_bars(bars, {"vus_pr": float("nan"), "far": 0.0}, "model")


@pytest.mark.parametrize("option", ["vus_pr", "vuspr=0.8", "far=little", "far=nan", "=1", "f1=inf"])
def test_invalid_bars_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match=f"--bar {option}: "):
        parse_bars([option])


def test_every_bar_is_a_measure() -> None:
    assert set(AT_LEAST) | set(AT_MOST) <= set(measure(labelled()))
