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
from vcedge.runtime.stream import native_rows as native_judge
from vcedge.runtime.stream.score_block import ScoreBlock, Words
from vcedge.runtime.stream.stream import Stream

ROWS = 20
TIMES = START_NS + np.arange(2 * ROWS, dtype=np.int64) * NS_PER_S
VALUES = recording(1, 2 * ROWS, 3)


def call() -> tuple[Any, list[Any], list[Any], Stream]:
    """The judge's call for a stream that has begun, its sizes and arrays, to be spoilt."""
    engine = NativeEngine(tiny_detector())
    stream = Stream(engine)
    stream.push_block(TIMES[:ROWS], VALUES[:ROWS])
    judge = native_judge.NativeJudge(engine.kernel)
    fixed = judge._prepare(stream)
    block = ScoreBlock(Words(engine.detector), TIMES[ROWS:], ROWS + 1)
    numbers, tops = native_judge._numbers_of(stream), native_judge._tops_of(stream)
    parts = judge._parts(stream, native_judge._defects_of(stream))
    columns = native_judge._columns(block, np.ascontiguousarray(VALUES[ROWS:]))
    judge._rules["limit"] = 2.5
    return engine.kernel.judge, [ROWS, 0, ROWS], [*fixed, numbers, *parts, tops, *columns], stream


def test_the_call_as_it_should_be() -> None:
    judge, sizes, arrays, stream = call()
    assert judge(*sizes, stream.state.record, tuple(arrays), 1, 0.0) > 0


@pytest.mark.parametrize(
    "sizes", [(ROWS, -1, ROWS), (ROWS, 5, 4), (ROWS, 0, ROWS + 1), (2**62, 0, 1), (ROWS + 1, 0, 1)]
)
def test_sizes_that_do_not_fit(sizes: tuple[int, int, int]) -> None:
    judge, _, arrays, stream = call()
    with pytest.raises(ValueError, match=r"rows|bytes"):
        judge(*sizes, stream.state.record, tuple(arrays), 1, 0.0)


def test_every_array_has_its_size_and_type() -> None:
    judge, sizes, arrays, stream = call()
    before = stream.state.tobytes()
    for index, array in enumerate(arrays):
        for wrong in (
            array.ravel()[:-1].copy(),
            array.astype(np.float32) if array.dtype.kind in "fiu" else None,
            None,
            3,
        ):
            if isinstance(wrong, np.ndarray) and wrong.dtype == array.dtype and wrong.nbytes == array.nbytes:
                continue
            spoilt = [*arrays[:index], wrong, *arrays[index + 1 :]]
            with pytest.raises((TypeError, ValueError)):
                judge(*sizes, stream.state.record, tuple(spoilt), 1, 0.0)
    with pytest.raises(ValueError, match="arrays are needed"):
        judge(*sizes, stream.state.record, tuple(arrays[:-1]), 1, 0.0)
    with pytest.raises((TypeError, ValueError, BufferError)):
        judge(*sizes, np.zeros(3, np.uint8), tuple(arrays), 1, 0.0)
    assert stream.state.tobytes() == before


@pytest.mark.parametrize("field", ["waiting", "last_ns"])
@pytest.mark.parametrize("value", [-1, 64, 2**40])
def test_a_memory_that_is_not_possible(field: str, value: int) -> None:
    if field == "last_ns" and value > 0:
        return
    judge, sizes, arrays, stream = call()
    arrays[9][field] = value
    with pytest.raises(ValueError, match="not that of a stream"):
        judge(*sizes, stream.state.record, tuple(arrays), 1, 0.0)


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
