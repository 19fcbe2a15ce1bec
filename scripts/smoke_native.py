"""Compares the native cell of an installed vcedge with the numpy engine; for scripts/check-packages and the wheels."""

import numpy as np

from vcedge.bench.cells import synthetic
from vcedge.runtime.engine.native_cell import NativeCell, instruction_sets
from vcedge.runtime.engine.numpy_cell import GatedCell

subject = synthetic(64, 5)
for isa in instruction_sets():
    native, oracle = NativeCell(subject.cell, subject.head, subject.head_bias, isa), GatedCell(subject.cell)
    state, h = native.new_state(), np.zeros(64, np.float32)
    _, levels = native.run(state, subject.x)
    for row, level in zip(subject.x, levels, strict=True):
        oracle.update(h, row, int(level))
    assert np.abs(h - state[:64]).max() < 1e-5, isa
