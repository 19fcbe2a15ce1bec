"""A stream adapts its threshold: from which rows it learns, and what alarms and events follow."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.support.detectors import START_NS, recording, samples, tiny_detector
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.stream.stream import Score, Stream
from vcedge.schema import F64, NS_PER_S

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
