"""The kernel's tanh and logistic function, measured through cells of one dimension."""

from __future__ import annotations

import numpy as np
import pytest

from vcedge.detector import Cell, CellKind, CellSpec
from vcedge.runtime.engine.native_cell import NativeCell, instruction_sets
from vcedge.schema import F32, F64

STRICT_LIMIT = 3e-8  # half of the last place of a float32 below 1
LIMIT = {"rnn": 2e-7, "gru": 1e-7}


def arguments() -> F32:
    """Every magnitude that matters, dense around 0 and where the functions bend, with the ends of the range."""
    sizes = np.concatenate((np.geomspace(1e-30, 1, 20_000), np.linspace(1, 100, 200_000), [1e3, 1e10, 3e38]))
    return np.concatenate((-sizes[::-1], [0.0], sizes)).astype(np.float32)


def function(kind: CellKind, isa: str, x: F32) -> F64:
    """tanh(x) of an RNN; the logistic function of x as a GRU's z, with a candidate of 1 and a state of 0."""
    gates = 1 if kind == "rnn" else 3
    bias = np.zeros((gates, 1), np.float32)
    weights = np.zeros((gates, 1, 1), np.float32)
    weights[0] = 1.0
    if kind == "gru":
        bias[2] = 30.0
    cell = Cell(
        spec=CellSpec(kind, 1, 1, (1,)),
        recurrent=np.zeros((gates, 1, 1), np.float32),
        input=weights,
        bias=bias,
        reset_bias=np.zeros(1 if kind == "gru" else 0, np.float32),
        gate_hidden=np.zeros(1, np.float32),
        gate_input=np.zeros(1, np.float32),
        gate_bias=0.0,
    )
    native = NativeCell(cell, np.ones((1, 1), np.float32), np.zeros(1, np.float32), isa)
    states = np.zeros((len(x), native.state_words), np.float32)
    native.step_many(states, x[:, None])
    return states[:, 0].astype(np.float64)


@pytest.mark.parametrize("isa", instruction_sets())
@pytest.mark.parametrize("kind", ["rnn", "gru"])
def test_activation_errors_stay_within_the_stated_bounds(isa: str, kind: CellKind) -> None:
    x = arguments()
    wide = x.astype(np.float64)
    true = np.tanh(wide) if kind == "rnn" else 0.5 + 0.5 * np.tanh(0.5 * wide)
    values = function(kind, isa, x)
    assert np.abs(values - true).max() < (STRICT_LIMIT if isa == "strict" else LIMIT[kind])
    assert values.min() >= (-1 if kind == "rnn" else 0)
    assert values.max() <= 1
    assert values[len(x) // 2] == (0 if kind == "rnn" else 0.5)
