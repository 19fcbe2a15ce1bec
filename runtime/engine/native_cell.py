"""Runs a cell with its head in the native kernel, for the detector's step and for benchmarks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Cell
from vcedge.errors import Unavailable
from vcedge.runtime import _kernel
from vcedge.runtime.engine.interface import AS_TRAINED, ComputePolicy
from vcedge.schema import F32

INT8 = "-int8"
"""End of the names of instruction sets with int8 weights."""


def aligned(nbytes: int, align: int = _kernel.ALIGN) -> NDArray[np.uint8]:
    """Return zeroed bytes whose address is a multiple of `align`."""
    raw = np.zeros(nbytes + align, np.uint8)
    start = -raw.ctypes.data % align
    return raw[start : start + nbytes]


class NativeCell:
    """Runs a recurrent cell with its head y = W h + b, packed for one instruction set. Immutable.

    A sample is the scheduler's `signals` (S,) float32, of which the first N are the cell's inputs; S is the length of
    `Cell.gate_input`. A state is `state_words` float32, h (D,) first; zeros are a new stream. Code that writes h
    must set the last word to 0, so that the kernel recomputes the sums that it updates incrementally.
    """

    def __init__(self, cell: Cell, head: F32, head_bias: F32, isa: str = "auto", *, int8: bool = False) -> None:
        """Pack a cell.

        Args:
            cell: The cell.
            head: (C, D) weights of its output.
            head_bias: (C,) bias of its output.
            isa: One of `instruction_sets(int8=int8)`, or `auto` for the fastest.
            int8: Round the recurrent weights to 8 bits, with one scale a row, and h at each step.

        Raises:
            Unavailable: The CPU lacks the instruction set.
            ValueError: The sizes are not possible.
        """
        spec = cell.spec
        self.isa, number = isa_number(isa, int8=int8)
        self.cell = cell
        self.signals, self.outputs = len(cell.gate_input), len(head_bias)
        shape = (spec.gates, spec.inputs, self.signals, spec.hidden, self.outputs, spec.levels)
        size = _kernel.model_size(shape, number)
        if not size:
            raise ValueError(f"shape {shape} is not possible")
        self.packed = aligned(size)
        _kernel.pack(
            shape,
            number,
            self.packed,
            cell.gate_bias,
            np.array(spec.boundaries, np.int32),
            np.ascontiguousarray(spec.thresholds(), np.float64),
            *(_floats(a) for a in (cell.recurrent, cell.input, cell.bias, cell.reset_bias)),
            *(_floats(a) for a in (cell.gate_hidden, cell.gate_input, head, head_bias)),
        )
        self.packed.flags.writeable = False
        self.model = _kernel.Model(self.packed)
        self.state_words = self.model.state_size // 4

    def new_state(self) -> F32:
        """Return the state of a new stream."""
        return np.zeros(self.state_words, np.float32)

    def stream(self, state: F32, out: F32) -> _kernel.Stream:
        """Bind a state and an output (C,), which makes `stream.step(x)` the fastest call."""
        return _kernel.Stream(self.model, state, out)

    def run(self, state: F32, x: F32, policy: ComputePolicy = AS_TRAINED) -> tuple[F32, NDArray[np.int32]]:
        """Run many steps of one stream: x (rows, S) gives y (rows, C) and levels (rows,), as single steps would."""
        y, levels = np.empty((len(x), self.outputs), np.float32), np.empty(len(x), np.int32)
        self.model.run(len(x), state, x, y, levels, *policy)
        return y, levels

    def step_many(self, states: F32, x: F32, policy: ComputePolicy = AS_TRAINED) -> tuple[F32, NDArray[np.int32]]:
        """Run one step of each of M streams: states (M, state_words) and x (M, S) give y (M, C) and levels (M,)."""
        y, levels = np.empty((len(x), self.outputs), np.float32), np.empty(len(x), np.int32)
        self.model.step_many(len(x), states, x, y, levels, *policy)
        return y, levels


def isa_number(isa: str, *, int8: bool) -> tuple[str, int]:
    """Return name and number of an instruction set, the fastest for `auto`. Raises Unavailable if the CPU lacks it."""
    available = {name: number for name, number in _kernel.isas().items() if name.endswith(INT8) == int8}
    name = _kernel.best(int8) if isa == "auto" else isa
    if name not in available:
        raise Unavailable(f"instruction set '{name}': not on this CPU, expected one of {', '.join(available)}")
    return name, available[name]


def instruction_sets(*, int8: bool = False) -> tuple[str, ...]:
    """Return the names of the compiled instruction sets that this CPU has, for float32 or `int8` weights."""
    return tuple(name for name in _kernel.isas() if name.endswith(INT8) == int8)


def _floats(array: NDArray[Any]) -> F32:
    return np.ascontiguousarray(array, np.float32)
