"""Defects of sensors and clocks: each has a status and an event, and does not affect later samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.support.detectors import recording, samples, tiny_detector
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.inhibition import RunWhen
from vcedge.runtime.stream.score import Score
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64, NS_PER_S, Sample

TINY = tiny_detector(threshold=1e6)
PLAIN = replace(TINY, scorer=replace(TINY.scorer, cycle=None))
"""Without a cycle, whose blocks begin at the first row after a reset."""
CHANNELS = PLAIN.schema.channels
DETECTOR = replace(
    PLAIN, schema=replace(PLAIN.schema, channels=(CHANNELS[0], replace(CHANNELS[1], rate=20.0), *CHANNELS[2:]))
)
WARMUP = DETECTOR.calibration.warmup_rows
AT, UNTIL, ROWS = 200, 260, 1500
FORGOTTEN = 1000
"""Rows after which the longest mean, over 160 rows, has forgotten a defect."""
DAY_NS = 86_400 * NS_PER_S


def scores_of(rows: list[Sample], **options: RunWhen) -> list[Score]:
    stream = Stream(load_engine(DETECTOR), adapt=False, **options)
    return [stream.push(row) for row in rows]


def kinds_of(scores: list[Score]) -> list[tuple[str, str]]:
    return [(event.kind, event.type) for score in scores for event in score.events]


def beyond(values: F64) -> None:
    values[AT:UNTIL, 0] = 1e5


def leaps(values: F64) -> None:
    values[AT:UNTIL:2, 1] += np.resize([500.0, -500.0, 900.0], (UNTIL - AT) // 2)


def absent(values: F64) -> None:
    values[AT:UNTIL, 2] = np.nan


def infinite(values: F64) -> None:
    values[AT:UNTIL, 2] = np.inf


def frozen(values: F64) -> None:
    values[AT:UNTIL, 2] = values[AT, 2]


def spoiled(spoil: Callable[[F64], None]) -> tuple[list[Score], list[Score]]:
    """Scores of the same recording, clean and spoiled."""
    values = recording(3, ROWS, 3)
    clean = scores_of(samples(values))
    spoil(values)
    return clean, scores_of(samples(values))


@pytest.mark.parametrize(
    ("spoil", "status", "kind", "channel"),
    [
        (beyond, "limit", "limit", "Channel 0"),
        (leaps, "rate", "rate", "Channel 1"),
        (absent, "imputed", "dropout", "Channel 2"),
        (infinite, "limit", "limit", "Channel 2"),
        (frozen, "stuck", "stuck", "Channel 2"),
    ],
)
def test_a_defect_has_a_status_and_one_event_and_leaves_no_trace(
    spoil: Callable[[F64], None], status: str, kind: str, channel: str
) -> None:
    clean, scores = spoiled(spoil)
    during = scores[AT:UNTIL]
    assert [s.status for s in scores[:AT]] == [s.status for s in clean[:AT]]
    named = [score for score in during if score.status == status]
    assert len(named) >= 10
    assert {s.status for s in scores[UNTIL:]} == {"ok"}
    assert kinds_of(scores) == [(kind, "new"), (kind, "end")]
    (opened,) = [e for s in scores for e in s.events if e.type == "new"]
    assert opened.top == ((channel, 1.0),)
    assert np.isfinite([(s.raw, s.score) for s in scores]).all()
    if status != "stuck":
        assert all(channel in s.missing for s in named)
    late = slice(UNTIL + FORGOTTEN, None)
    assert max(abs(a.raw - b.raw) for a, b in zip(clean[late], scores[late], strict=True)) < 0.05


def test_a_spike_is_rejected_and_a_step_accepted_from_its_second_row() -> None:
    def spike_and_step(values: F64) -> None:
        values[AT, 1] += 500.0
        values[UNTIL:, 1] += 500.0

    clean, scores = spoiled(spike_and_step)
    assert [s.status for s in scores[AT - 1 : AT + 2]] == ["ok", "rate", "ok"]
    assert [s.status for s in scores[UNTIL - 1 : UNTIL + 3]] == ["ok", "rate", "ok", "ok"]
    assert scores[UNTIL].raw < clean[UNTIL].raw + 0.5
    assert scores[UNTIL + 30].raw > clean[UNTIL + 30].raw + 3.0  # not the step itself, but where it leads to


def test_rates_account_for_the_elapsed_time() -> None:
    values = recording(3, 40, 3)
    values[20:24, 1] = np.nan
    values[24:, 1] = values[19, 1] + 5 * 19.0
    assert scores_of(samples(values))[24].status != "rate"
    values[24:, 1] += 20.0
    assert "Channel 1" in scores_of(samples(values))[24].missing


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "dropout"), (np.inf, "limit")])
def test_a_loss_of_all_sensors_is_one_event_and_resets_the_stream(value: float, kind: str) -> None:
    def gone(values: F64) -> None:
        values[AT:UNTIL] = value

    scores = spoiled(gone)[1]
    assert {s.status for s in scores[AT:UNTIL]} == {"stale"}
    assert [s.status for s in scores[UNTIL : UNTIL + 2]] == ["gap", "warmup"]
    events = [event for score in scores for event in score.events]
    assert [(e.kind, e.type) for e in events] == [(kind, "new"), (kind, "end")]
    opened, ended = events
    assert {name for name, _ in opened.top} == set(DETECTOR.schema.names)
    assert AT <= scores.index(next(s for s in scores if opened in s.events)) <= AT + 5
    assert ended.time_ns == scores[UNTIL - 1].time_ns
    assert ended in scores[UNTIL].events
    again = scores_of(samples(recording(3, ROWS, 3)[UNTIL:]))
    assert [s.raw for s in scores[UNTIL:]] == [s.raw for s in again]
    assert not any(s.alarm or s.updated for s in scores[AT:UNTIL])


def test_a_short_loss_is_no_event() -> None:
    def lost(values: F64) -> None:
        values[AT : AT + 4, 2] = np.nan

    assert kinds_of(spoiled(lost)[1]) == []


WRONG_CLOCKS = {
    "future": lambda ns: ns + 50 * 365 * DAY_NS,
    "1970": lambda ns: ns % (DAY_NS // 2) + 5 * NS_PER_S,
    "before 1970": lambda ns: -ns,
    "long ago": lambda ns: ns - 100 * DAY_NS,
}


@pytest.mark.parametrize("name", WRONG_CLOCKS)
def test_single_wrong_times_do_not_change_other_scores(name: str) -> None:
    rows = samples(recording(4, ROWS, 3))
    expected = scores_of(rows)
    stream, found = Stream(load_engine(DETECTOR), adapt=False), []
    for index, row in enumerate(rows):
        if index % 50 == 20:
            wrong = stream.push(Sample(WRONG_CLOCKS[name](row.time_ns), row.values))
            assert (wrong.status, wrong.updated, wrong.alarm) == ("clock", 0, False)
            assert [(e.kind, e.type) for e in wrong.events] == [("clock", "new")]
        found.append(stream.push(row))
    same = [(s.time_ns, s.raw, s.score, s.status, s.updated, s.wake) for s in expected]
    assert [(s.time_ns, s.raw, s.score, s.status, s.updated, s.wake) for s in found] == same


@pytest.mark.parametrize("name", ["future", "1970", "long ago"])
def test_a_clock_that_was_set_costs_a_few_rows_and_a_warm_up(name: str) -> None:
    """An NTP step there and back: three rows each until it is believed, then a warm-up."""
    rows = samples(recording(5, ROWS, 3))
    expected = scores_of(rows)
    rows[AT:UNTIL] = [Sample(WRONG_CLOCKS[name](row.time_ns), row.values) for row in rows[AT:UNTIL]]
    scores = scores_of(rows)
    for start in (AT, UNTIL):
        assert [s.status for s in scores[start : start + 4]] == ["clock", "clock", "gap", "warmup"]
        assert [s.status for s in scores[start + 2 + WARMUP : start + 5 + WARMUP]] == ["ok"] * 3
    assert kinds_of(scores)[:2] == [("clock", "new"), ("clock", "end")]
    assert not any(s.alarm for s in scores)
    late = slice(UNTIL + FORGOTTEN, None)
    assert max(abs(a.raw - b.raw) for a, b in zip(expected[late], scores[late], strict=True)) < 0.05


def test_samples_are_late_until_a_clock_set_back_catches_up() -> None:
    rows = samples(recording(5, ROWS, 3))
    rows[AT:] = [Sample(row.time_ns - 30 * NS_PER_S, row.values) for row in rows[AT:]]
    scores = scores_of(rows)
    assert {s.status for s in scores[AT : AT + 30]} == {"clock"}
    assert [s.status for s in scores[AT + 30 :]] == ["ok"] * (ROWS - AT - 30)
    assert kinds_of(scores) == [("clock", "new"), ("clock", "end")]


def test_a_stopped_machine_raises_no_alarm_and_resets_the_stream() -> None:
    values = recording(6, ROWS, 3)
    speed = DETECTOR.features.center[2] - 100.0
    values[AT:UNTIL, 2] = speed
    values[AT:UNTIL, 0] = 1e5
    values[AT + 10] = np.nan  # what tells it is silent: what it said last holds
    run_when = RunWhen(2, above=speed + 50.0)
    scores = scores_of(samples(values), run_when=run_when)
    assert {s.status for s in scores[AT:UNTIL]} == {"inhibited"}
    assert not any(s.alarm or s.events or s.updated for s in scores[AT:UNTIL])
    again = scores_of(samples(values[UNTIL:]), run_when=run_when)
    assert [(s.raw, s.status) for s in scores[UNTIL:]] == [(s.raw, s.status) for s in again]
    assert scores[UNTIL].status == "warmup"
    assert scores_of(samples(values))[AT].status == "limit"  # without the rule it would have been judged


def test_inhibition_ends_an_event_and_ends_by_the_samples_time() -> None:
    values = recording(7, ROWS, 3)
    values[AT:, 1] += 40 * DETECTOR.features.scale[1] * np.resize([1.0, -1.0], ROWS - AT)
    rows = samples(values)
    stream, scores = Stream(load_engine(tiny_detector(threshold=8.0)), adapt=False), []
    for index, row in enumerate(rows):
        if index == AT + 20:
            stream.inhibition.inhibit(rows[UNTIL].time_ns)
        scores.append(stream.push(row))
    assert not stream.inhibition.possible
    assert {s.status for s in scores[AT + 20 : UNTIL]} == {"inhibited"}
    assert scores[AT + 19].alarm
    assert ("anomaly", "end") in kinds_of(scores[AT + 20 : AT + 21])
    assert kinds_of(scores[AT + 21 : UNTIL + WARMUP]) == []
    assert ("anomaly", "new") in kinds_of(scores[UNTIL + WARMUP :])
