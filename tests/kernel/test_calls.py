"""step, run and step_many agree bit for bit; policies; ties; NaN; memory that does not fit is rejected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.kernel.random_cells import random_cell
from vcedge.detector import CellKind
from vcedge.errors import Unavailable
from vcedge.runtime import _kernel
from vcedge.runtime.engine.native_cell import NativeCell, aligned, instruction_sets

ISAS = instruction_sets()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("kind", ["vcgru", "vcrnn", "gru"])
def test_step_run_and_step_many_agree(isa: str, kind: CellKind) -> None:
    native = NativeCell(*random_cell(kind, 40, 5, 8), isa)
    streams, rows = 23, 40
    x = np.random.default_rng(5).standard_normal((rows, streams, native.signals)).astype(np.float32)
    many = np.zeros((streams, native.state_words), np.float32)
    y_many = [native.step_many(many, row) for row in x]
    for s in range(streams):
        mine = np.ascontiguousarray(x[:, s])
        single, whole, out = native.new_state(), native.new_state(), np.zeros(native.outputs, np.float32)
        stream = native.stream(single, out)
        y, levels = native.run(whole, mine)
        for t, row in enumerate(mine):
            assert stream.step(row) == levels[t] == y_many[t][1][s]
            assert out.tobytes() == y[t].tobytes() == y_many[t][0][s].tobytes()
        assert single.tobytes() == whole.tobytes() == many[s].tobytes()


@pytest.mark.parametrize("isa", ISAS)
def test_a_policy_sets_a_floor_and_a_bias(isa: str) -> None:
    native = NativeCell(*random_cell("vcgru", 40, 5, 8), isa)
    out = np.zeros(native.outputs, np.float32)
    stream = native.stream(native.new_state(), out)
    x = np.zeros(native.signals, np.float32)
    for min_level, logit_bias, level in [(1, -1e30, 1), (3, -1e30, 3), (99, -1e30, 8), (-5, -1e30, 1), (1, 1e30, 8)]:
        stream.policy(min_level, logit_bias)
        assert stream.step(x) == level


@pytest.mark.parametrize("isa", ISAS)
def test_a_logit_on_a_threshold_takes_the_level_above(isa: str) -> None:
    cell, head, head_bias = random_cell("vcgru", 16, 2, 2)
    assert cell.spec.thresholds().tolist() == [pytest.approx(np.log(0.75 / 0.25))]
    quiet = np.zeros_like(cell.gate_hidden)
    limit = float(cell.spec.thresholds()[0])
    below = np.nextafter(np.float32(limit), np.float32(-1))
    for bias in (below, np.nextafter(np.float32(limit), np.float32(9))):
        tied = replace(cell, gate_hidden=quiet, gate_input=0 * cell.gate_input, gate_bias=float(bias))
        native = NativeCell(tied, head, head_bias, isa)
        x = np.ones(native.signals, np.float32)
        stream = native.stream(native.new_state(), np.zeros(native.outputs, np.float32))
        assert stream.step(x) == 1 + (float(bias) >= limit)


@pytest.mark.parametrize("isa", ISAS)
def test_nan_spreads_and_updates_every_dimension(isa: str) -> None:
    """The detector never hands a NaN to its cell; where one comes, it must not be hidden."""
    native = NativeCell(*random_cell("vcgru", 16, 3, 4), isa)
    state, out = native.new_state(), np.zeros(native.outputs, np.float32)
    level = native.stream(state, out).step(np.full(native.signals, np.nan, np.float32))
    assert level == 4
    assert np.isnan(state[:16]).all()
    assert np.isnan(out).all()


@pytest.mark.parametrize("isa", ISAS)
def test_huge_inputs_saturate(isa: str) -> None:
    native = NativeCell(*random_cell("vcgru", 16, 3, 4), isa)
    state = native.new_state()
    y, _ = native.run(state, np.full((3, native.signals), 1e30, np.float32))
    assert np.isfinite(y).all()
    assert np.abs(state[:16]).max() <= 1


@pytest.mark.parametrize("isa", ISAS)
def test_a_changed_h_is_used_after_its_last_word_is_zeroed(isa: str) -> None:
    native = NativeCell(*random_cell("vcgru", 16, 3, 4), isa)
    x = np.random.default_rng(8).standard_normal((20, native.signals)).astype(np.float32)
    used, fresh = native.new_state(), native.new_state()
    native.run(used, x)
    used[:16] = fresh[:16] = np.linspace(-0.5, 0.5, 16)
    used[-1] = 0
    y, levels = native.run(used, x)
    z, other_levels = native.run(fresh, x)
    assert y.tobytes() == z.tobytes()
    assert levels.tolist() == other_levels.tolist()


def test_an_unknown_instruction_set_raises() -> None:
    with pytest.raises(Unavailable, match="'sparc': not on this CPU, expected one of strict, portable"):
        NativeCell(*random_cell("gru", 8, 2, 1), "sparc")


def bind(native: NativeCell, **other: Any) -> _kernel.Stream:
    memory = {"state": native.new_state(), "out": np.zeros(native.outputs, np.float32), **other}
    return native.stream(memory["state"], memory["out"])


def test_stream_rejects_memory_that_does_not_fit() -> None:
    native = NativeCell(*random_cell("vcgru", 16, 3, 4))
    words = native.state_words
    frozen = native.new_state()
    frozen.flags.writeable = False
    shared = np.zeros(words + native.outputs, np.float32)
    refused: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"state": np.zeros(words - 1, np.float32)}, ValueError, f"state: {4 * words - 4} bytes, expected {4 * words}"),
        ({"state": np.zeros(words, np.float64)}, TypeError, "state: items of format 'd', expected 'f'"),
        ({"state": np.zeros(2 * words, np.float32)[::2]}, ValueError, "not C-contiguous"),
        ({"state": frozen}, ValueError, "read-only"),
        ({"state": np.zeros(4 * words + 1, np.uint8)[1:].view(np.float32)}, TypeError, "state: items of format '=f'"),
        ({"state": [0.0] * words}, TypeError, "bytes-like"),
        ({"out": np.zeros(1, np.float32)}, ValueError, "out: 4 bytes, expected 20"),
        ({"state": shared[:words], "out": shared[words - 1 : -1]}, ValueError, "share memory"),
    ]
    for memory, kind, words_of_error in refused:
        with pytest.raises(kind, match=words_of_error):
            bind(native, **memory)


def test_step_rejects_samples_that_do_not_fit() -> None:
    native = NativeCell(*random_cell("vcgru", 16, 3, 4))
    state = native.new_state()
    stream = bind(native, state=state)
    for x, kind in [
        (np.zeros(native.signals + 1, np.float32), ValueError),
        (np.zeros(native.signals), TypeError),
        (None, TypeError),
        (state[: native.signals], ValueError),
    ]:
        with pytest.raises(kind):
            stream.step(x)  # type: ignore[arg-type]
    assert not state.any()
    with pytest.raises(ValueError, match="x: 40 bytes"):
        native.run(native.new_state(), np.zeros((2, 5), np.float32))
    with pytest.raises(ValueError, match="states: "):
        native.step_many(native.new_state(), np.zeros((2, native.signals), np.float32))


def test_a_stream_keeps_its_model_and_arrays_alive() -> None:
    native = NativeCell(*random_cell("vcgru", 16, 3, 4))
    out = np.zeros(native.outputs, np.float32)
    stream = native.stream(native.new_state(), out)
    x = np.zeros(native.signals, np.float32)
    del native
    stream.step(x)
    assert out.any()


def test_model_rejects_damaged_bytes() -> None:
    native = NativeCell(*random_cell("vcgru", 16, 3, 4))
    packed = np.array(native.packed)

    def refuse(words: str, model: Any) -> None:
        with pytest.raises(ValueError, match=words):
            _kernel.Model(model)

    def changed(at: int, value: int) -> Any:
        model = aligned(len(packed))
        model[:] = packed
        model[at] = value
        return model

    refuse("fewer bytes", aligned(10))
    refuse("fewer bytes", native.packed[:-64])
    misaligned = aligned(len(packed) + 1)[1:]
    misaligned[:] = packed
    refuse("not aligned", misaligned)
    refuse("not a packed model", changed(0, 0))
    refuse("not a packed model", changed(8, 99))
    refuse("instruction set", changed(16, 77))
    refuse("dimension out of range", changed(24, 2))  # gates
    refuse("dimension out of range", changed(28, 200))  # inputs
    refuse("fewer bytes", changed(40, 200))  # outputs
    refuse("boundaries", changed(64, 17))  # the first boundary, above the second
    infinite = changed(23, 0x7F)  # the scheduler's bias
    infinite[22] = 0x80
    refuse("not finite", infinite)


def test_pack_rejects_impossible_shapes_and_weights() -> None:
    for shape in [(2, 1, 1, 8, 1, 1), (3, -1, 1, 8, 1, 1), (3, 2, 1, 8, 1, 1), (3, 1, 1, 0, 1, 1), (3, 1, 1, 8, 1, 9)]:
        assert _kernel.model_size(shape, 1) == 0
    assert _kernel.model_size((3, 1, 1, 70000, 1, 1), 1) == 0
    assert _kernel.model_size((3, 1, 1, 8, 1, 1), 17) == 0
    cell, head, head_bias = random_cell("vcgru", 16, 3, 4)
    head[0, 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        NativeCell(cell, head, head_bias)
