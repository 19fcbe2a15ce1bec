"""Makes random cells of every kind."""

from __future__ import annotations

import numpy as np

from vcedge.detector import DENSE_KINDS, GATES, Cell, CellKind, CellSpec, boundaries_of
from vcedge.schema import F32


def random_cell(
    kind: CellKind, hidden: int, inputs: int, levels: int, seed: int = 0, outputs: int = 5, extra_signals: int = 7
) -> tuple[Cell, F32, F32]:
    """A stable cell whose levels vary on normal noise, its head (C, D) and the head's bias (C,)."""
    rng = np.random.default_rng(seed)
    dense = kind in DENSE_KINDS
    spec = CellSpec(kind, inputs, hidden, (hidden,) if dense else boundaries_of(levels, hidden))
    signals = inputs + extra_signals

    def normal(scale: float, *shape: int) -> F32:
        return (scale * rng.standard_normal(shape)).astype(np.float32)

    gates = GATES[kind]
    cell = Cell(
        spec=spec,
        recurrent=normal(1 / np.sqrt(hidden), gates, hidden, hidden),
        input=normal(1 / np.sqrt(max(inputs, 1)), gates, hidden, inputs),
        bias=normal(0.2, gates, hidden),
        reset_bias=normal(0.2, spec.reset_biases),
        gate_hidden=normal(2 / np.sqrt(hidden), hidden),
        gate_input=normal(1.5 / np.sqrt(max(signals, 1)), signals),
        gate_bias=-0.5,
    )
    return cell, normal(1 / np.sqrt(hidden), outputs, hidden), normal(0.1, outputs)
