"""The native engine against the oracle: the contract, 10,000 steps of each kind, and states that both engines share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.detectors import recording, tiny_detector, variants
from vcedge.detector import Detector
from vcedge.errors import Unavailable
from vcedge.runtime import _kernel
from vcedge.runtime.engine.checks import CHECKS, check_engine
from vcedge.runtime.engine.interface import ComputePolicy
from vcedge.runtime.engine.native_cell import aligned, instruction_sets
from vcedge.runtime.engine.native_engine import NativeEngine
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.engine.state import State
from vcedge.schema import F64

VARIANTS = variants()
WARM, ROWS = 1000, 10_000
TOLERANCE = {"strict": 1e-6}
FAST = 1e-5
SURPRISED = replace(VARIANTS["vcgru"].calibration, surprise_limit=3.0)


def rows_of(detector: Detector, seed: int = 1, rows: int = WARM + ROWS) -> F64:
    """A recording with missing values, a channel that is dead for a while, and a mad sensor."""
    values = recording(seed, rows, detector.channels, missing=0.01)
    values[rows // 3 : rows // 3 + 200, -1] = np.nan
    values[rows // 2 : rows // 2 + 20, 0] = 1e30
    return values


def run(engine: NumpyEngine | NativeEngine, values: F64, state: State) -> tuple[F64, NDArray[np.int_], F64]:
    """Raw and, with the reset of a gap every 3000 rows, level and wake (N, 2), contributions."""
    raw, said, contributions = [], [], []
    for number, row in enumerate(values):
        if number % 3000 == 2999:
            state.reset()
        one, level, shares = engine.step(row, state)
        raw.append(one)
        said.append((level, state.wake))
        contributions.append(shares)
    return np.array(raw), np.array(said), np.array(contributions)


def assert_close(found: State, wanted: State, tolerance: float) -> None:
    """All fields of two states agree: counters exactly, numbers within the tolerance."""
    assert found.record.dtype.names is not None
    for name in found.record.dtype.names:
        if found.record[name].dtype.kind == "f":
            np.testing.assert_allclose(found.record[name], wanted.record[name], rtol=tolerance, atol=10 * tolerance)
        else:
            np.testing.assert_array_equal(found.record[name], wanted.record[name])


@pytest.mark.parametrize("isa", instruction_sets())
@pytest.mark.parametrize("name", VARIANTS)
def test_native_engine_meets_the_engine_contract(name: str, isa: str) -> None:
    detector = VARIANTS[name]
    results = check_engine(lambda d: NativeEngine(d, isa), detector, recording(1, 300, detector.channels))
    assert [result for result in results if result.problem] == []
    assert len(results) == len(CHECKS)


@pytest.mark.parametrize("name", [*VARIANTS, "surprised", "many"])
def test_ten_thousand_steps_match_the_oracle(name: str) -> None:
    """From a state that is not zero. No level differs on these; on a tie, one could by a level, and would be seen."""
    many = tiny_detector(channels=19, hidden=48, levels=[0.25, 0.5, 1.0], order=3)
    others = {"surprised": replace(VARIANTS["vcgru"], calibration=SURPRISED), "many": many}
    detector = (VARIANTS | others)[name]
    values, oracle = rows_of(detector), NumpyEngine(detector)
    start = oracle.new_state()
    for row in values[:WARM]:
        oracle.step(row, start)
    after = start.copy()
    raw, said, contributions = run(oracle, values[WARM:], after)
    for isa in instruction_sets():
        tolerance, state = TOLERANCE.get(isa, FAST), start.copy()
        found_raw, found_said, found_contributions = run(NativeEngine(detector, isa), values[WARM:], state)
        np.testing.assert_allclose(found_raw, raw, rtol=tolerance, atol=tolerance, err_msg=isa)
        size = np.maximum(raw, 1.0)[:, None]
        np.testing.assert_allclose(found_contributions / size, contributions / size, atol=10 * tolerance)
        assert np.abs(found_said[:, 0] - said[:, 0]).max() <= 1
        np.testing.assert_array_equal(found_said, said, err_msg=isa)
        assert_close(state, after, tolerance)
    if name == "surprised":
        assert (said[:, 1] == -2).any()
    if detector.levels > 1:
        assert set(said[:, 0]) == set(range(1, detector.levels + 1))


@pytest.mark.parametrize("name", VARIANTS)
def test_engines_continue_each_others_states(name: str) -> None:
    detector = VARIANTS[name]
    values = rows_of(detector, 2, 600)
    oracle, native = NumpyEngine(detector), NativeEngine(detector)
    alone, shared = oracle.new_state(), native.new_state()
    for number, row in enumerate(values):
        expected, level, _ = oracle.step(row, alone)
        engine = native if number // 37 % 2 else oracle
        raw, found, _ = engine.step(row, shared)
        assert raw == pytest.approx(expected, rel=FAST, abs=FAST)
        assert found == level
    assert_close(State(alone.record.dtype, shared.tobytes()), alone, FAST)


@pytest.mark.parametrize("policy", [(2, 0.0), (9, 0.0), (-5, 0.0), (1, 2.5), (1, -3.0)])
def test_policies_match_the_oracle(policy: tuple[int, float]) -> None:
    detector = VARIANTS["vcgru"]
    oracle, native = NumpyEngine(detector), NativeEngine(detector)
    one, other = oracle.new_state(), native.new_state()
    for row in rows_of(detector, 3, 500):
        assert oracle.step(row, one, ComputePolicy(*policy))[1] == native.step(row, other, ComputePolicy(*policy))[1]
        assert one.wake == other.wake


@pytest.mark.parametrize("name", VARIANTS)
def test_run_equals_single_steps(name: str) -> None:
    detector = VARIANTS[name]
    values, engine = rows_of(detector, 4, 400), NativeEngine(detector)
    one, other = engine.new_state(), engine.new_state()
    raw, levels, wakes, contributions = engine.run(values, one, ComputePolicy(1, 0.25))
    for number, row in enumerate(values):
        single = engine.step(row, other, ComputePolicy(1, 0.25))
        assert (raw[number], levels[number], wakes[number]) == (single[0], single[1], other.wake)
        assert contributions[number].tobytes() == single[2].tobytes()
    assert one.tobytes() == other.tobytes()
    assert len(engine.run(values[:0], one)[0]) == 0
    with pytest.raises(ValueError, match="shape"):
        engine.run(values[:, :-1], one)


def test_int8_weights_stay_near_float32() -> None:
    """int8 is another model by a little: the statistic of rows hardly moves."""
    detector = VARIANTS["wide"]
    values = rows_of(detector, 5, 3000)
    oracle, native = NumpyEngine(detector), NativeEngine(detector, int8=True)
    one, other = oracle.new_state(), native.new_state()
    raw = np.array([(oracle.step(row, one)[0], native.step(row, other)[0]) for row in values])
    assert np.median(np.abs(raw[:, 1] / raw[:, 0] - 1)) < 0.01


def test_native_engine_rejects_wrong_arguments() -> None:
    engine = NativeEngine(VARIANTS["vcgru"])
    rows = recording(1, 4, 3)
    wide = np.zeros((3, 5))
    wide[:, 2] = rows[0]
    first, second = engine.new_state(), engine.new_state()
    assert engine.step(wide[:, 2], first)[0] == engine.step(rows[0], second)[0]  # with a stride
    before = first.tobytes()
    for wrong, error in ((rows[0].astype(np.float32), TypeError), (rows, ValueError), (rows[0, :2], ValueError)):
        with pytest.raises(error, match="values"):
            engine.step(wrong, first)
    with pytest.raises(ValueError, match="state"):
        engine.step(rows[0], NativeEngine(VARIANTS["wide"]).new_state())
    assert first.tobytes() == before
    with pytest.raises(Unavailable, match="sse9"):
        NativeEngine(VARIANTS["vcgru"], "sse9")


@pytest.mark.parametrize("name", ["vcgru", "linear"])
def test_damaged_packed_detectors_are_rejected_or_safe(name: str) -> None:
    """Also under the address sanitizer: scripts/check-kernel."""
    detector = VARIANTS[name]
    engine, rng = NativeEngine(detector), np.random.default_rng(0)
    packed, row, opened = engine.packed, recording(1, 1, 3)[0], 0
    for _ in range(3000):
        changed = aligned(len(packed) - int(rng.integers(2) * rng.integers(len(packed))))
        changed[:] = packed[: len(changed)]
        for _ in range(rng.integers(4)):
            place = int(rng.integers(1500 if rng.integers(4) else len(changed))) % len(changed)
            changed[place] = rng.integers(256)
        try:
            model = _kernel.Detector(changed)
        except ValueError:
            continue
        opened += 1
        state = engine.new_state()
        try:
            model.step(row, state.record, np.empty(3), 1, 0.0)
        except ValueError as error:  # of another size, by a changed shape
            assert "expected" in str(error)  # noqa: PT017 (both outcomes are right)
    assert 100 < opened < 3000
