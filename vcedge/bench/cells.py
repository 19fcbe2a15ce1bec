"""Provides the cell that is timed: a random one of a given size, or that of a model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vcedge.detector import Cell, CellKind, CellSpec, Detector, boundaries_of
from vcedge.errors import UsageError
from vcedge.schema import F32

LEVELS = 8
SHARES = (0.125, 0.25, 0.5, 1.0)
"""Shares of the dimensions at which a step is timed; a cell is timed at its nearest levels."""


@dataclass(frozen=True)
class CellUnderTest:
    """Holds a cell with its head, and samples for it."""

    cell: Cell
    head: F32  # (C, D)
    head_bias: F32  # (C,)
    x: F32  # (rows, S)

    @property
    def levels(self) -> list[tuple[int, float]]:
        """(level, share of dimensions) of the levels nearest to SHARES."""
        shares = np.array(self.cell.spec.boundaries) / self.cell.spec.hidden
        nearest = sorted({int(np.abs(shares - share).argmin()) for share in SHARES})
        return [(i + 1, float(shares[i])) for i in nearest]

    def dense(self) -> Cell:
        """Return the cell as a dense GRU or RNN, for the peers."""
        spec = self.cell.spec
        kind: CellKind = "gru" if spec.gates == 3 else "rnn"
        return replace(self.cell, spec=CellSpec(kind, spec.inputs, spec.hidden, (spec.hidden,)))


def synthetic(hidden: int, inputs: int, rows: int = 256) -> CellUnderTest:
    """Return a stable random VCGRU of 8 levels that forecasts its inputs; its scheduler has only the inputs as signals.

    Raises:
        UsageError: A size is out of range, or `hidden` is no multiple of 8.
    """
    if not (LEVELS <= hidden <= 4096 and hidden % LEVELS == 0 and 1 <= inputs <= 4096):
        raise UsageError(
            f"--synthetic {hidden},{inputs}: expected HIDDEN,INPUTS up to 4096, HIDDEN a multiple of {LEVELS}"
        )
    rng = np.random.default_rng(0)

    def normal(scale: float, *shape: int) -> F32:
        return np.asarray(scale * rng.standard_normal(shape), np.float32)

    cell = Cell(
        spec=CellSpec("vcgru", inputs, hidden, boundaries_of(LEVELS, hidden)),
        recurrent=normal(hidden**-0.5, 3, hidden, hidden),
        input=normal(inputs**-0.5, 3, hidden, inputs),
        bias=normal(0.2, 3, hidden),
        reset_bias=normal(0.2, hidden),
        gate_hidden=normal(hidden**-0.5, hidden),
        gate_input=normal(inputs**-0.5, inputs),
        gate_bias=0.0,
    )
    return CellUnderTest(cell, normal(hidden**-0.5, inputs, hidden), normal(0.1, inputs), normal(1.0, rows, inputs))


def of_detector(detector: Detector, rows: int = 256) -> CellUnderTest:
    """Return the cell of a model, with noise as samples.

    Raises:
        UsageError: The model has no network.
    """
    if detector.cell is None or detector.head is None:
        raise UsageError("the model has no network to time, expected one that has, or --synthetic HIDDEN,INPUTS")
    x = np.random.default_rng(0).standard_normal((rows, len(detector.cell.gate_input)))
    return CellUnderTest(detector.cell, detector.head.weights, detector.head.bias, x.astype(np.float32))
