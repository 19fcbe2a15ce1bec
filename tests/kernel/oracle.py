"""Steps the numpy engine's cell as the oracle of the kernel."""

from __future__ import annotations

from vcedge.detector import Cell
from vcedge.runtime.engine.numpy_cell import GatedCell
from vcedge.schema import F32


def numpy_step(oracle: GatedCell, cell: Cell, h: F32, signals: F32, level: int | None = None) -> int:
    """One step of the oracle on h (D,), in place, at its own level or a given one. Returns the scheduler's level."""
    own = oracle.schedule(h, signals, 0.0)[0] if oracle.levels > 1 else 1
    oracle.update(h, signals[: cell.spec.inputs], own if level is None else level)
    return own
