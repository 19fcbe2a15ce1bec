"""Calls of the judge and of the writer of lines with arrays that do not fit: an error, and nothing is touched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.detectors import START_NS, recording, tiny_detector
from vcedge.runtime.engine.native_support import native_problem
from vcedge.schema import NS_PER_S

if native_problem() is not None:
    pytest.skip(f"native kernel: {native_problem()}", allow_module_level=True)

from vcedge.runtime import _kernel
from vcedge.runtime.engine.native_engine import NativeEngine
from vcedge.runtime.stream.adaptive_threshold import AdaptiveThreshold
from vcedge.runtime.stream.compute_budget import ComputeBudget
from vcedge.runtime.stream.explainer import Explainer
from vcedge.runtime.stream.layout import KERNEL, check_layout
from vcedge.runtime.stream.native_rows import StreamParts, rules_of
from vcedge.runtime.stream.score_block import ScoreBlock, Words
from vcedge.runtime.stream.sensor_health import SensorHealth
from vcedge.runtime.stream.state import StreamState
from vcedge.runtime.stream.stream import Stream

ROWS = 20
TIMES = START_NS + np.arange(2 * ROWS, dtype=np.int64) * NS_PER_S
VALUES = recording(1, 2 * ROWS, 3)


def call() -> tuple[Any, list[Any], Stream]:
    """Return the kernel's method, its arguments for a stream that has begun, to be spoilt, and the stream."""
    engine = NativeEngine(tiny_detector())
    stream = Stream(engine)
    stream.push_block(TIMES[:ROWS], VALUES[:ROWS])
    block = ScoreBlock(Words(engine.detector), TIMES[ROWS:], ROWS + 1)
    words, fresh = Words(engine.detector), StreamState(engine.detector)
    parts = StreamParts(
        AdaptiveThreshold(engine.detector.calibration, NS_PER_S),
        ComputeBudget(engine.detector.calibration.target_share),
        SensorHealth(engine.detector, words, fresh),
        Explainer(engine.detector, words, fresh).tracker,
    )
    rules = rules_of(engine.detector, engine.detector.calibration, parts)
    arrays = [rules, stream.record.record, block.time_ns, np.ascontiguousarray(VALUES[ROWS:]), block.columns]
    return engine.kernel.judge_rows, arrays, stream


def test_the_call_as_it_should_be() -> None:
    judge, arrays, _ = call()
    assert judge(*arrays, 0, ROWS, 1, 0.0) > 0


@pytest.mark.parametrize("rows", [(-1, ROWS), (5, 4), (0, ROWS + 1), (0, 2**62)])
def test_rows_that_do_not_fit_are_refused(rows: tuple[int, int]) -> None:
    judge, arrays, _ = call()
    with pytest.raises(ValueError, match="rows"):
        judge(*arrays, *rows, 1, 0.0)


def test_every_array_has_its_size_and_type() -> None:
    judge, arrays, stream = call()
    before = stream.snapshot()
    for index, array in enumerate(arrays):
        wrong: list[Any] = [array.view(np.uint8).ravel()[:-1].copy(), array.view(np.uint8)[1:].copy(), None, 3]
        if array.dtype.kind in "fi":
            wrong.append(array.astype(np.float32))
        for spoilt in wrong:
            with pytest.raises((TypeError, ValueError)):
                judge(*arrays[:index], spoilt, *arrays[index + 1 :], 0, ROWS, 1, 0.0)
    with pytest.raises(TypeError):
        judge(*arrays[:-1], 0, ROWS, 1, 0.0)
    assert stream.snapshot() == before


@pytest.mark.parametrize(("field", "value"), [("waiting", -1), ("waiting", 64), ("waiting", 2**40), ("last_ns", -1)])
def test_a_state_that_is_not_possible_is_refused(field: str, value: int) -> None:
    judge, arrays, stream = call()
    setattr(stream.record.numbers, field, value)
    with pytest.raises(ValueError, match="not that of a stream"):
        judge(*arrays, 0, ROWS, 1, 0.0)


@pytest.mark.parametrize("part", ["numbers", "tracker", "arrays", "columns", "statuses", "events", "wakes"])
def test_a_kernel_with_another_layout_is_not_used(part: str) -> None:
    check_layout(KERNEL)
    with pytest.raises(ImportError, match=f"built from other sources: {part} has"):
        check_layout({**KERNEL, part: KERNEL[part][1:]})


def test_lines_of_arrays_that_do_not_fit() -> None:
    block = ScoreBlock(Words(tiny_detector()), TIMES[:ROWS], 1)
    ends = np.array([1, 2, 3], np.int32)
    arrays = (block.time_ns, block.raw, block.score, block.updated, block.top, block.status, block.alarm, ends)
    assert _kernel.score_lines(ROWS, 0, ROWS, arrays, 3, b"abc", 16, -1)[1] == ROWS
    for sizes in ((ROWS, 0, ROWS + 1), (ROWS, -1, 1), (ROWS + 1, 0, 1)):
        with pytest.raises(ValueError, match=r"rows|bytes"):
            _kernel.score_lines(*sizes, arrays, 3, b"abc", 16, -1)
    for wrong in (np.array([1, 5, 3], np.int32), np.array([-1, 2, 3], np.int32), np.array([1, 2, 4], np.int32)):
        with pytest.raises(ValueError, match="names"):
            _kernel.score_lines(ROWS, 0, ROWS, (*arrays[:-1], wrong), 3, b"abc", 16, -1)


def test_a_channel_that_there_is_not_ends_the_list() -> None:
    block = ScoreBlock(Words(tiny_detector()), TIMES[:1], 1)
    block.top[0] = [128 * 7 + 50, -1, -1]
    block.status[0] = 1
    arrays = (block.time_ns, block.raw, block.score, block.updated, block.top, block.status, block.alarm)
    text, left = _kernel.score_lines(1, 0, 1, (*arrays, np.array([1, 2, 3], np.int32)), 3, b"abc", 16, -1)
    assert left == 1
    assert text.endswith(",ok,\n")
