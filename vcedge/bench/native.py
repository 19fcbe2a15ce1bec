"""A step of the native kernel, from Python and in C, one stream and many; and the limit that the CPU sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vcedge.bench.cells import Subject
from vcedge.bench.timing import Run
from vcedge.runtime import _kernel
from vcedge.runtime.engine.native_cell import NativeCell, aligned
from vcedge.schema import F32

NEVER = -1e30
"""A bias that silences the scheduler: the level is the floor."""
MACS_A_CALL = 2_000_000
"""Work of one call in C: enough that the call itself is not seen, little enough to come between interruptions."""
BLOCK = 256
"""Bytes are read in whole blocks of so many floats."""


def runs(subject: Subject, int8: bool = False) -> list[Run]:
    """Each level, called from Python with a new array for each sample, and as a recording in C."""
    native = NativeCell(subject.cell, subject.head, subject.head_bias, int8=int8)
    found = []
    for level, share in subject.levels:
        row = {"engine": _name(int8), "level": share, "streams": 1, "weight_bytes": weight_bytes(subject, share, int8)}
        found.append(Run({**row, "where": "python"}, _python_step(native, subject, level), 2))
        rows = min(max(MACS_A_CALL // macs(subject, share), 16), len(subject.x))
        found.append(Run({**row, "where": "c"}, _c_steps(native, subject.x[:rows], level), rows))
    return found


def _name(int8: bool) -> str:
    return "native-int8" if int8 else "native-f32"


def _python_step(native: NativeCell, subject: Subject, level: int) -> Any:
    stream = native.stream(native.new_state(), np.zeros(native.outputs, np.float32))
    stream.policy(level, NEVER)
    step, one, other = stream.step, subject.x[0].copy(), subject.x[1].copy()

    def two_steps() -> None:
        step(one)
        step(other)

    return two_steps


def _c_steps(native: NativeCell, x: F32, level: int) -> Any:
    state = native.new_state()
    y, levels = np.empty((len(x), native.outputs), np.float32), np.empty(len(x), np.int32)
    return lambda: native.model.run(len(x), state, x, y, levels, level, NEVER)


def many_run(subject: Subject, streams: int, share: float, int8: bool = False) -> Run:
    """Many streams of one model in one call, with levels as the scheduler picks them, `share` on the mean."""
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

    row = {"engine": _name(int8), "level": share, "streams": streams, "where": "python", "levels": "mixed"}
    return Run(row, step, streams)


def bias_for(subject: Subject, share: float) -> float:
    """The scheduler's bias with which the mean share of updated dimensions is as wanted, by bisection."""
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


def macs(subject: Subject, share: float) -> int:
    """Multiply-accumulates that a step at this share cannot do without: cell, scheduler, head.

    The head and u.h are kept incrementally: their columns of the updated dimensions.
    """
    spec = subject.cell.spec
    k = round(share * spec.hidden)
    scheduler = k + len(subject.cell.gate_input) if spec.levels > 1 else 0
    return spec.gates * k * (k + spec.inputs) + len(subject.head_bias) * k + scheduler


def weight_bytes(subject: Subject, share: float, int8: bool = False) -> int:
    """Bytes of weights of those: 4 each, with int8 one for the recurrent ones."""
    k = round(share * subject.cell.spec.hidden)
    return 4 * macs(subject, share) - (3 * subject.cell.spec.gates * k * k if int8 else 0)


class Limits:
    """What the CPU can do at best, to be timed in the same rounds: reading so many bytes, and multiply-adds."""

    def __init__(self, isa: str = "auto") -> None:
        self.isa = _kernel.isas()[_kernel.best() if isa == "auto" else isa]

    def read_run(self, nbytes: int) -> Run:
        """Read as many bytes as a step touches; whole blocks, and scaled to the bytes. One step is one pass."""
        blocks = max(1, round(nbytes / (4 * BLOCK)))
        memory = aligned(4 * BLOCK * blocks).view(np.float32)
        times = max(1, (1 << 18) // memory.nbytes)
        return Run(
            {"limit": "read", "bytes": nbytes, "scale": nbytes / memory.nbytes},
            lambda: _kernel.probe_read(self.isa, memory, times),
            times,
        )

    def fma_run(self) -> Run:
        """Multiply-adds of whole vectors; one step is one multiply-accumulate."""
        times, width = 100, _kernel.width(self.isa)
        return Run({"limit": "fma"}, lambda: _kernel.probe_fma(self.isa, times), times * 64 * width)
