"""`score_rows` and `score_lines` with wrong arguments: they raise an error and change nothing."""

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
from vcedge.runtime.stream.native_rows import rules_of
from vcedge.runtime.stream.parts import StreamParts
from vcedge.runtime.stream.score_block import ScoreBlock
from vcedge.runtime.stream.score_names import ScoreNames
from vcedge.runtime.stream.stream import Stream

ROWS = 20
TIMES = START_NS + np.arange(2 * ROWS, dtype=np.int64) * NS_PER_S
VALUES = recording(1, 2 * ROWS, 3)


def call() -> tuple[Any, list[Any], Stream]:
    """Return the kernel's method, its arrays for a stream that is warmed up, and the stream."""
    engine = NativeEngine(tiny_detector())
    stream = Stream(engine)
    stream.push_block(TIMES[:ROWS], VALUES[:ROWS])
    block = ScoreBlock(ScoreNames(engine.detector), TIMES[ROWS:], ROWS + 1)
    rules = rules_of(StreamParts(engine.detector))
    arrays = [rules, stream.record.record, block.time_ns, np.ascontiguousarray(VALUES[ROWS:]), block.columns]
    return engine.kernel.score_rows, arrays, stream


def test_score_rows_scores_rows_with_valid_arguments() -> None:
    score_rows, arrays, _ = call()
    assert score_rows(*arrays, 0, ROWS, 1, 0.0) > 0


@pytest.mark.parametrize("rows", [(-1, ROWS), (5, 4), (0, ROWS + 1), (0, 2**62)])
def test_score_rows_rejects_rows_out_of_range(rows: tuple[int, int]) -> None:
    score_rows, arrays, _ = call()
    with pytest.raises(ValueError, match="rows"):
        score_rows(*arrays, *rows, 1, 0.0)


def test_score_rows_rejects_arrays_of_another_size_or_type() -> None:
    score_rows, arrays, stream = call()
    before = stream.snapshot()
    for index, array in enumerate(arrays):
        wrong: list[Any] = [array.view(np.uint8).ravel()[:-1].copy(), array.view(np.uint8)[1:].copy(), None, 3]
        if array.dtype.kind in "fi":
            wrong.append(array.astype(np.float32))
        for spoilt in wrong:
            with pytest.raises((TypeError, ValueError)):
                score_rows(*arrays[:index], spoilt, *arrays[index + 1 :], 0, ROWS, 1, 0.0)
    with pytest.raises(TypeError):
        score_rows(*arrays[:-1], 0, ROWS, 1, 0.0)
    assert stream.snapshot() == before


@pytest.mark.parametrize(("field", "value"), [("waiting", -1), ("waiting", 64), ("waiting", 2**40), ("last_ns", -1)])
def test_score_rows_rejects_an_impossible_state(field: str, value: int) -> None:
    score_rows, arrays, stream = call()
    setattr(stream.record.numbers, field, value)
    with pytest.raises(ValueError, match="not that of a stream"):
        score_rows(*arrays, 0, ROWS, 1, 0.0)


def test_score_lines_rejects_arrays_that_do_not_fit() -> None:
    block = ScoreBlock(ScoreNames(tiny_detector()), TIMES[:ROWS], 1)
    ends = np.array([1, 2, 3], np.int32)
    arrays = (block.time_ns, block.raw, block.score, block.updated, block.top, block.status, block.alarm, ends)
    assert _kernel.score_lines(ROWS, 0, ROWS, arrays, 3, b"abc", 16, -1)[1] == ROWS
    for sizes in ((ROWS, 0, ROWS + 1), (ROWS, -1, 1), (ROWS + 1, 0, 1)):
        with pytest.raises(ValueError, match=r"rows|bytes"):
            _kernel.score_lines(*sizes, arrays, 3, b"abc", 16, -1)
    for wrong in (np.array([1, 5, 3], np.int32), np.array([-1, 2, 3], np.int32), np.array([1, 2, 4], np.int32)):
        with pytest.raises(ValueError, match="names"):
            _kernel.score_lines(ROWS, 0, ROWS, (*arrays[:-1], wrong), 3, b"abc", 16, -1)


def test_score_lines_ends_leading_channels_at_an_invalid_one() -> None:
    block = ScoreBlock(ScoreNames(tiny_detector()), TIMES[:1], 1)
    block.top[0] = [128 * 7 + 50, -1, -1]
    block.status[0] = 1
    arrays = (block.time_ns, block.raw, block.score, block.updated, block.top, block.status, block.alarm)
    text, left = _kernel.score_lines(1, 0, 1, (*arrays, np.array([1, 2, 3], np.int32)), 3, b"abc", 16, -1)
    assert left == 1
    assert text.endswith(",ok,\n")
