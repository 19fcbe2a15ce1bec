"""Rows scored in the kernel equal those of `Stream.push_in_python` bit for bit, and so does the state."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support.detectors import START_NS, recording, tiny_detector, with_roles
from vcedge.detector import Detector
from vcedge.limits import EventRule
from vcedge.runtime.engine.interface import ComputePolicy
from vcedge.runtime.engine.native_support import native_problem
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.stream.inhibition import RunWhen
from vcedge.runtime.stream.stream import Score, Stream
from vcedge.schema import F64, NS_PER_S, Sample
from vcedge.seen_range import SeenRange

if native_problem() is not None:
    pytest.skip(f"native kernel: {native_problem()}", allow_module_level=True)

from vcedge.runtime.engine.native_engine import NativeEngine

ROWS = 700


def plant_detector(**changes: Any) -> Detector:
    """Return a detector with limits, a largest change and a threshold that adapts."""
    detector = tiny_detector(**changes)
    first, second, *others = detector.schema.channels
    channels = (first, replace(second, rate=400.0), *others)
    limits = replace(detector.calibration, target_share=0.4, false_alarms_per_day=300.0, rows=300)
    return replace(detector, schema=replace(detector.schema, channels=channels), calibration=limits)


def narrow_detector(width: float, margin: float, period_s: int) -> Detector:
    """Return a detector whose first two channels leave their range now and then; the third stood still in training."""
    detector = plant_detector()
    features, shares = detector.features, np.array([1.0, 1.0, 0.0])
    low, high = (features.center + sign * width * shares * features.scale for sign in (-1, 1))
    seen = SeenRange(low, high, margin * shares * features.scale, 0.5 * margin * shares * features.scale)
    return replace(detector, seen=seen, schema=replace(detector.schema, period_ns=period_s * NS_PER_S))


def limited(detector: Detector, **limits: Any) -> Detector:
    """Return the detector with changed limits."""
    return replace(detector, calibration=replace(detector.calibration, **limits))


PLANTS = {
    "gated": plant_detector(),
    "linear": plant_detector().without_network(),
    "dense": plant_detector(cell="gru", levels=1),
    "flags": plant_detector(flags=True),
    "no rates, no names": replace(tiny_detector(), resemblance=None),
    "narrow": narrow_detector(2.0, 0.5, 1),
    "narrow, forgets": narrow_detector(1.5, 0.2, 150),
    "narrow, no margin": narrow_detector(3.0, 0.0, 60),
    "slow events": limited(plant_detector(), events=EventRule(0.9, min_rows=3, hold_rows=4)),
    "lasting evidence": limited(plant_detector(), threshold=12.0, median=2.0, memory=60.0, lasting=2.5),
    "roles": with_roles(plant_detector(), ("sensor", "command", "constant")),
    "no sensor": with_roles(plant_detector().without_network(), ("command", "command", "constant")),
}


Policy = tuple[int, float]
"""`min_level` and looseness."""


def assert_equal_rows(
    detector: Detector,
    time_ns: NDArray[np.int64],
    values: F64,
    cuts: list[int],
    policy: Policy = (1, 1.0),
    **stream: Any,
) -> list[Score]:
    engine = NativeEngine(detector)
    one, many = Stream(engine, **stream), Stream(engine, **stream)
    compute = ComputePolicy(policy[0], float(np.log(policy[1])))
    scores: list[Score] = []
    borders = sorted({0, len(values), *(cut % (len(values) + 1) for cut in cuts)})
    for start, stop in pairwise(borders):
        block = many.push_block(time_ns[start:stop], values[start:stop], compute)
        for row, found in enumerate(block):
            wanted = one.push_in_python(Sample(int(time_ns[start + row]), values[start + row]), compute)
            assert found == wanted, start + row
            assert bool(block.in_event[row]) == one.in_event
            scores.append(found)
        assert many.snapshot() == one.snapshot(), (start, stop)
        np.testing.assert_array_equal(many.contributions, one.contributions)
        assert many.threshold == one.threshold
    return scores


def times(count: int) -> NDArray[np.int64]:
    return np.asarray(START_NS + np.arange(count, dtype=np.int64) * NS_PER_S)


@pytest.mark.parametrize("plant", list(PLANTS))
def test_rows_equal_single_samples_with_every_defect(plant: str) -> None:
    values = recording(3, 3000, 3, missing=0.01)
    values[1000:1060] += 8 * tiny_detector().features.scale
    values[1500:1600, 0] = values[1500, 0]
    values[2000:2020] = np.nan
    values[2200, 0] = 1e6
    values[2300:2330, 1] += 5000.0
    scores = assert_equal_rows(PLANTS[plant], times(3000), values, [1, 2, 500, 1777])
    assert {"warmup", "ok", "imputed", "stuck", "limit", "stale"} <= {score.status for score in scores}
    assert any(score.alarm for score in scores)
    assert any(score.events for score in scores)


@st.composite
def plant_days(draw: st.DrawFn) -> tuple[NDArray[np.int64], F64]:
    """Draw a recording with faults of drawn kinds, places and lengths."""
    values = recording(draw(st.integers(0, 5)), ROWS, 3, missing=draw(st.sampled_from([0.0, 0.02, 0.3])))
    time_ns = times(ROWS)
    scale = tiny_detector().features.scale
    for _ in range(draw(st.integers(0, 5))):
        start, length = draw(st.integers(0, ROWS - 1)), draw(st.integers(1, 80))
        span, channel = slice(start, start + length), draw(st.integers(0, 2))
        match draw(st.sampled_from(["offset", "stuck", "gone", "silent", "beyond", "gap", "back", "future", "flat"])):
            case "offset":
                values[span] += draw(st.floats(-20, 20)) * scale
            case "stuck":
                values[span, channel] = values[start, channel]
            case "gone":
                values[span] = np.nan
            case "silent":
                values[span, channel] = np.nan
            case "beyond":
                values[span, 0] = draw(st.sampled_from([500.0, -500.0, np.inf]))
            case "gap":
                time_ns[start:] += draw(st.integers(0, 20)) * NS_PER_S
            case "back":
                time_ns[start:] -= draw(st.integers(0, 20)) * NS_PER_S
            case "future":
                time_ns[start] += 90 * 24 * 3600 * NS_PER_S
            case "flat":
                values[span] = 0.0
    return time_ns, values


@settings(max_examples=60)
@given(
    day=plant_days(),
    cuts=st.lists(st.integers(0, ROWS), max_size=6),
    plant=st.sampled_from(list(PLANTS)),
    threshold=st.sampled_from([None, None, 0.9, 1.5, 1e9]),
    adapt=st.booleans(),
    policy=st.sampled_from([(1, 1.0), (1, 1.0), (2, 1.0), (4, 1.0), (9, 0.3), (1, 2.5)]),
    run_when=st.sampled_from([None, None, RunWhen(0, above=-1.5), RunWhen(1, above=-12.0, below=-9.0)]),
)
def test_rows_equal_single_samples_with_random_faults(
    day: tuple[NDArray[np.int64], F64],
    cuts: list[int],
    plant: str,
    threshold: float | None,
    adapt: bool,
    policy: Policy,
    run_when: RunWhen | None,
) -> None:
    assert_equal_rows(PLANTS[plant], *day, cuts, policy, threshold=threshold, adapt=adapt, run_when=run_when)


LIMITS = st.builds(
    lambda **limits: limits,
    threshold=st.floats(0.1, 30.0),
    median=st.floats(-5.0, 5.0),
    memory=st.floats(1.0, 1000.0),
    lasting=st.floats(-2.0, 12.0),
    steepness=st.floats(0.1, 10.0),
    events=st.builds(EventRule, st.floats(0.5, 1.0), st.integers(1, 4), st.integers(0, 4)),
)
"""Limits that no training gives, too."""


@settings(max_examples=40)
@given(day=plant_days(), limits=LIMITS, cuts=st.lists(st.integers(0, ROWS), max_size=3), widening=st.floats(0.0, 4.0))
def test_thresholds_of_rows_equal_those_of_single_samples(
    day: tuple[NDArray[np.int64], F64], limits: dict[str, Any], cuts: list[int], widening: float
) -> None:
    """The level, the lasting mean and what is compared with the threshold agree bit for bit."""
    engine = NativeEngine(limited(PLANTS["linear"], **limits))
    one, many = Stream(engine), Stream(engine)
    for stream in (one, many):
        stream.widen(widening)
    time_ns, values = day
    for start, stop in pairwise(sorted({0, ROWS, *cuts})):
        many.push_block(time_ns[start:stop], values[start:stop])
        for row in range(start, stop):
            one.push_in_python(Sample(int(time_ns[row]), values[row]))
        assert (many.adaptive.level, many.adaptive.lasting_mean) == (one.adaptive.level, one.adaptive.lasting_mean)
        assert many.threshold == one.threshold
        assert many.snapshot() == one.snapshot()


@pytest.mark.parametrize("plant", list(PLANTS))
def test_rows_equal_single_samples_across_settings_and_inhibition(plant: str) -> None:
    """A machine that stops now and then, a threshold that is set while it runs, and alarms that are inhibited."""
    values = recording(4, 1200, 3, missing=0.02)
    values[300:400, 0] = values[700:703, 0] = -50.0
    values[500, 0] = np.nan
    run_when = RunWhen(0, above=-40.0)
    engine = NativeEngine(PLANTS[plant])
    one, many = (Stream(engine, run_when=run_when) for _ in range(2))
    for start in range(0, 1200, 150):
        for stream in (one, many):
            if start == 450:
                stream.set_threshold(None, false_alarms_per_day=5000.0)
                stream.widen(0.75)
            if start == 900:
                stream.inhibition.inhibit(int(times(1200)[1000]))
        span = slice(start, start + 150)
        block = many.push_block(times(1200)[span], values[span])
        for row, found in enumerate(block):
            wanted = one.push_in_python(Sample(int(times(1200)[start + row]), values[start + row]))
            assert found == wanted, start + row
        assert many.snapshot() == one.snapshot()
    assert many.inhibition.until_ns == 0


def test_a_block_of_another_shape_raises_and_an_empty_one_is_empty() -> None:
    stream = Stream(NativeEngine(tiny_detector()))
    with pytest.raises(ValueError, match="expected"):
        stream.push_block(times(5), np.zeros((5, 2)))
    assert list(stream.push_block(times(0), np.zeros((0, 3)))) == []


def test_blocks_of_the_numpy_engine_equal_single_samples() -> None:
    values = recording(3, 300, 3)
    one, many = (Stream(NumpyEngine(tiny_detector())) for _ in range(2))
    expected = [one.push(Sample(int(t), row)) for t, row in zip(times(300), values, strict=True)]
    assert list(many.push_block(times(300), values)) == expected
