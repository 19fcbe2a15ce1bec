"""Lines of scores.csv from the kernel have the characters that Python writes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.detectors import START_NS, tiny_detector
from vcedge.detector import Detector
from vcedge.history.recording import NO_TIME
from vcedge.runtime.engine.native_support import native_problem
from vcedge.runtime.recordings.score_recording import write_score, write_scores
from vcedge.runtime.stream.score_block import NOBODY, STATUSES, ScoreBlock
from vcedge.runtime.stream.score_names import ScoreNames

pytestmark = pytest.mark.skipif(native_problem() is not None, reason=f"native kernel: {native_problem()}")
ODD = tiny_detector(channels=3)


def block_of(detector: Detector, times: list[int], numbers: list[float]) -> ScoreBlock:
    block = ScoreBlock(ScoreNames(detector), np.array(times, np.int64), 1)
    rng = np.random.default_rng(len(times))
    rows = len(times)
    block.raw[:], block.score[:] = numbers, numbers[::-1]
    block.updated[:] = rng.choice([0, 4, 16], rows)
    block.status[:] = rng.integers(0, len(STATUSES), rows)
    block.alarm[:] = rng.integers(0, 2, rows)
    for row in range(rows):
        top = rng.permutation(3)[: rng.integers(0, 4)]
        block.top[row] = [*(128 * c + rng.integers(1, 101) for c in top), *[NOBODY] * (3 - len(top))]
    return block


def by_python(block: ScoreBlock, first_row: int | None) -> str:
    out = io.StringIO()
    for row in range(len(block)):
        write_score(out, block.at(row), None if first_row is None else first_row + row)
    return out.getvalue()


def written(block: ScoreBlock, first_row: int | None = None) -> str:
    out = io.StringIO()
    write_scores(out, block, first_row)
    return out.getvalue()


NUMBERS = st.one_of(
    st.floats(0, 1e6),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(0, 10**17).map(float),
    st.floats(1e-12, 1e-3),
    st.integers(-1000, 1000).map(lambda n: n / 100),
)
TIMES = st.one_of(
    st.integers(-(10**18), 4 * 10**18),
    st.integers(-(10**9), 4 * 10**9).map(lambda s: s * 10**9),
    st.integers(0, 10**6).map(lambda s: START_NS + s * 10**6),
    st.just(NO_TIME),
)


@settings(max_examples=300)
@given(st.lists(st.tuples(TIMES, NUMBERS), min_size=1, max_size=20), st.sampled_from([None, 0, 99_999]))
def test_lines_equal_those_of_python(rows: list[tuple[int, float]], first_row: int | None) -> None:
    block = block_of(ODD, [time for time, _ in rows], [number for _, number in rows])
    assert written(block, first_row) == by_python(block, first_row)


def test_numbers_of_every_magnitude_equal_repr() -> None:
    rng = np.random.default_rng(1)
    numbers = np.concatenate([rng.random(20_000), 10.0 ** rng.uniform(-18, 18, 20_000), np.arange(0, 100, 0.01)])
    times = (START_NS + np.arange(len(numbers)) * 1_234_567).tolist()
    block = block_of(ODD, times, numbers.tolist())
    assert written(block) == by_python(block, None)


def test_names_that_need_quoting_are_escaped_or_left_to_python() -> None:
    from dataclasses import replace

    first, *others = ODD.schema.channels
    named = replace(ODD, schema=replace(ODD.schema, channels=(replace(first, name='Öl, "heiß";=°'), *others)))
    block = block_of(named, [START_NS], [0.5])
    block.top[0] = [57, NOBODY, NOBODY]
    assert written(block) == by_python(block, None)
    assert "Öl   heiß   °=0.57" in written(block)
