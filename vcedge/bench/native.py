"""Times a step of the native kernel, from Python and in C, for one stream and many, and the limits of the CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from vcedge.bench.cells import CellUnderTest
from vcedge.bench.detector_steps import NEVER
from vcedge.bench.timing import TimedCall
from vcedge.runtime import _kernel
from vcedge.runtime.engine.native_cell import NativeCell, aligned
from vcedge.schema import F32

NAMES = {False: "native-f32", True: "native-int8"}
"""Name of the engine without and with int8 weights."""
MACS_A_CALL = 2_000_000
"""Work of one call in C: enough to hide the cost of the call, too little to be interrupted often."""
BLOCK = 256
"""Floats in a block that is read at once."""


def runs(subject: CellUnderTest, *, int8: bool = False) -> list[TimedCall]:
    """Return each level, called from Python with a new array for each sample, and run over samples in C."""
    native = NativeCell(subject.cell, subject.head, subject.head_bias, int8=int8)
    found = []
    for level, share in subject.levels:
        row = {
            "engine": NAMES[int8],
            "level": share,
            "streams": 1,
            "weight_bytes": weight_bytes(subject, share, int8=int8),
        }
        found.append(TimedCall({**row, "where": "python"}, _python_step(native, subject, level), 2))
        rows = min(max(MACS_A_CALL // macs(subject, share), 16), len(subject.x))
        found.append(TimedCall({**row, "where": "c"}, _c_steps(native, subject.x[:rows], level), rows))
    return found


def _python_step(native: NativeCell, subject: CellUnderTest, level: int) -> Callable[[], None]:
    stream = native.stream(native.new_state(), np.zeros(native.outputs, np.float32))
    stream.policy(level, NEVER)
    step, one, other = stream.step, subject.x[0].copy(), subject.x[1].copy()

    def two_steps() -> None:
        step(one)
        step(other)

    return two_steps


def _c_steps(native: NativeCell, x: F32, level: int) -> Callable[[], Any]:
    state = native.new_state()
    y, levels = np.empty((len(x), native.outputs), np.float32), np.empty(len(x), np.int32)
    return lambda: native.model.run(len(x), state, x, y, levels, level, NEVER)


def many_run(subject: CellUnderTest, streams: int, share: float, *, int8: bool = False) -> TimedCall:
    """Return many streams of one model in one call, at the scheduler's levels; `share` is the mean updated share."""
    cell = replace(subject.cell, gate_bias=bias_for(subject, share))
    native = NativeCell(cell, subject.head, subject.head_bias, int8=int8)
    states = np.zeros((streams, native.state_words), np.float32)
    samples = np.resize(subject.x, (8, streams, native.signals))
    y, levels = np.empty((streams, native.outputs), np.float32), np.empty(streams, np.int32)
    turn = 0

    def step() -> None:
        nonlocal turn
        turn = (turn + 1) % len(samples)
        native.model.step_many(streams, states, samples[turn], y, levels, 1, 0.0)

    row = {"engine": NAMES[int8], "level": share, "streams": streams, "where": "python", "levels": "mixed"}
    return TimedCall(row, step, streams)


def bias_for(subject: CellUnderTest, share: float) -> float:
    """Return, by bisection, the bias of the scheduler with which the mean updated share is `share`."""
    low, high = -20.0, 20.0
    boundaries = np.array(subject.cell.spec.boundaries) / subject.cell.spec.hidden
    for _ in range(20):
        middle = (low + high) / 2
        native = NativeCell(replace(subject.cell, gate_bias=middle), subject.head, subject.head_bias)
        _, levels = native.run(native.new_state(), np.resize(subject.x, (1024, native.signals)))
        if boundaries[levels - 1].mean() < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def macs(subject: CellUnderTest, share: float) -> int:
    """Return the multiply-accumulates that a step at this share needs at least: cell, scheduler, head.

    Head and u.h are updated incrementally, so only their columns of the updated dimensions count.
    """
    spec = subject.cell.spec
    k = round(share * spec.hidden)
    scheduler = k + len(subject.cell.gate_input) if spec.levels > 1 else 0
    return spec.gates * k * (k + spec.inputs) + len(subject.head_bias) * k + scheduler


def weight_bytes(subject: CellUnderTest, share: float, *, int8: bool = False) -> int:
    """Return the bytes of the weights in `macs`: 4 each, or with int8 one for each recurrent weight."""
    k = round(share * subject.cell.spec.hidden)
    return 4 * macs(subject, share) - (3 * subject.cell.spec.gates * k * k if int8 else 0)


def read_run(nbytes: int) -> TimedCall:
    """Return a pass over about `nbytes` of memory, at the CPU's best rate; `scale` corrects for its whole blocks."""
    blocks = max(1, round(nbytes / (4 * BLOCK)))
    memory = aligned(4 * BLOCK * blocks).view(np.float32)
    isa, times = _kernel.isas()[_kernel.best()], max(1, (1 << 18) // memory.nbytes)
    row = {"limit": "read", "bytes": nbytes, "scale": nbytes / memory.nbytes}
    return TimedCall(row, lambda: _kernel.probe_read(isa, memory, times), times)


def fma_run() -> TimedCall:
    """Return multiply-adds of full vectors, at the CPU's best rate; one step is one multiply-accumulate."""
    isa, times = _kernel.isas()[_kernel.best()], 100
    return TimedCall({"limit": "fma"}, lambda: _kernel.probe_fma(isa, times), times * 64 * _kernel.width(isa))
