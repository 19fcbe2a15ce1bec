"""int8 weights: the stated rounding on every instruction set, and the error in closed loop."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernel.oracle import numpy_step
from tests.kernel.random_cells import random_cell
from vcedge.detector import Cell, CellKind
from vcedge.errors import Unavailable
from vcedge.runtime import _kernel
from vcedge.runtime.engine.native_cell import NativeCell, instruction_sets
from vcedge.runtime.engine.numpy_cell import GatedCell, sigmoid
from vcedge.schema import F32, F64

CASES: list[tuple[CellKind, int, int, int]] = [  # kind, hidden, inputs, levels
    ("vcgru", 64, 16, 8),
    ("vcgru", 28, 3, 7),
    ("vcrnn", 33, 5, 3),
    ("gru", 19, 1, 1),
]


def rounded(weights: F32) -> tuple[F64, F64]:
    """Rows as whole numbers -127..127, and their scales."""
    scale = np.abs(weights).max(axis=-1, keepdims=True).astype(np.float64) / 127
    return np.rint(weights / scale), scale


def rounded_step(cell: Cell, h: F32, signals: F32, level: int) -> None:
    """The documented rounding in numpy: h[:k] in 127ths of its largest magnitude, rows likewise."""
    k, x = cell.spec.boundaries[level - 1], signals[: cell.spec.inputs]
    whole, scale = rounded(cell.recurrent)
    top = float(np.abs(h[:k]).max())
    small = np.rint(h[:k] * np.float32(127 / top)) if top > 0 else np.zeros(k)
    a = cell.input[:, :k] @ x + cell.bias[:, :k]
    s = ((whole[:, :k, :k] @ small) * scale[:, :k, 0] * top / 127).astype(np.float32)
    if len(a) == 1:
        h[:k] = np.tanh(a[0] + s[0])
        return
    z, r = sigmoid(a[0] + s[0]), sigmoid(a[1] + s[1])
    h[:k] = z * np.tanh(a[2] + r * (s[2] + cell.reset_bias[:k])) + (1 - z) * h[:k]


@pytest.mark.parametrize("isa", instruction_sets(int8=True))
@pytest.mark.parametrize(("kind", "hidden", "inputs", "levels"), CASES)
def test_int8_rounding_matches_its_definition(isa: str, kind: CellKind, hidden: int, inputs: int, levels: int) -> None:
    cell, head, head_bias = random_cell(kind, hidden, inputs, levels)
    native = NativeCell(cell, head, head_bias, isa, int8=True)
    x = np.random.default_rng(1).standard_normal((1000, native.signals)).astype(np.float32)
    state, out = native.new_state(), np.zeros(native.outputs, np.float32)
    stream = native.stream(state, out)
    worst = 0.0
    for row in x:
        h = state[:hidden].copy()
        rounded_step(cell, h, row, stream.step(row))
        worst = max(worst, float(np.abs(h - state[:hidden]).max()))
    # A value that lies between two whole numbers may be rounded to either: one part in 127 of one weight.
    assert worst < 5e-3
    assert np.abs(head @ state[:hidden] + head_bias - out).max() < 1e-5


@pytest.mark.parametrize("isa", instruction_sets(int8=True))
def test_int8_instruction_sets_agree(isa: str) -> None:
    cell, head, head_bias = random_cell("vcgru", 64, 8, 8)
    x = np.random.default_rng(2).standard_normal((300, len(cell.gate_input))).astype(np.float32)
    one = NativeCell(cell, head, head_bias, isa, int8=True)
    other = NativeCell(cell, head, head_bias, "portable-int8", int8=True)
    y, levels = one.run(one.new_state(), x)
    z, other_levels = other.run(other.new_state(), x)
    assert np.mean(levels == other_levels) > 0.99
    assert np.median(np.abs(y - z)) < 1e-5


@pytest.mark.parametrize("isa", instruction_sets(int8=True))
def test_int8_error_stays_bounded_in_closed_loop(isa: str) -> None:
    """10,000 ticks at the oracle's levels: the state's error stays where it is after a few."""
    cell, head, head_bias = random_cell("vcgru", 64, 16, 8)
    native, oracle = NativeCell(cell, head, head_bias, isa, int8=True), GatedCell(cell)
    state, out = native.new_state(), np.zeros(native.outputs, np.float32)
    stream, h = native.stream(state, out), np.zeros(64, np.float32)
    other_levels, errors = 0, []
    for row in np.random.default_rng(3).standard_normal((10_000, native.signals)).astype(np.float32):
        stream.policy(1, 0.0)
        own = own_level(stream, state, row)
        level = numpy_step(oracle, cell, h, row)
        other_levels += own != level
        stream.policy(level, -1e30)
        stream.step(row)
        errors.append(float(np.abs(h - state[:64]).max()))
    assert max(errors) < 0.02
    assert np.mean(errors[5000:]) < 1.5 * np.mean(errors[:5000])
    assert other_levels < 100  # 1%: logits within the rounding of a threshold


def own_level(stream: _kernel.Stream, state: F32, row: F32) -> int:
    """The level that the stream's own scheduler picks; the state is put back."""
    before = state.copy()
    level = stream.step(row)
    state[:] = before
    return level


@pytest.mark.parametrize("isa", instruction_sets(int8=True))
def test_step_run_and_step_many_agree(isa: str) -> None:
    native = NativeCell(*random_cell("vcgru", 40, 5, 8), isa, int8=True)
    x = np.random.default_rng(5).standard_normal((30, 9, native.signals)).astype(np.float32)
    many = np.zeros((9, native.state_words), np.float32)
    for row in x:
        native.step_many(many, row)
    for s in range(9):
        state = native.new_state()
        native.run(state, np.ascontiguousarray(x[:, s]))
        assert state.tobytes() == many[s].tobytes()


def test_float32_and_int8_instruction_sets_are_distinct() -> None:
    cell = random_cell("gru", 8, 2, 1)
    with pytest.raises(Unavailable, match="'portable': not on this CPU, expected one of portable-int8"):
        NativeCell(*cell, "portable", int8=True)
    assert NativeCell(*cell, int8=True).isa.endswith("-int8")
    assert not NativeCell(*cell).isa.endswith("-int8")
