"""Updates the same leading dimensions at every step (constant k), as a gate that cannot move."""

from __future__ import annotations

import torch

from benchmarks.paper.data import LaneWindow
from benchmarks.paper.gated import GatedBody
from benchmarks.paper.unrolled import State, Unrolled
from vcedge.detector import CellSpec
from vcedge.train.cells import VCGRU, VariableCell
from vcedge.train.scheduler import MaskMode

SHUT = -100.0
"""Logit that never opens the second level."""


class ConstantBody(GatedBody):
    """Wraps a VCGRU that always updates k of D dimensions; the others stay zero, so it equals a GRU of k units."""

    exports = False

    def __init__(self, inputs: int, hidden: int, k: int) -> None:
        self._k = k
        super().__init__("gru", inputs, hidden, 1)

    def make(self, spec: CellSpec) -> VariableCell:
        """Make two levels, k and all, and a scheduler without weights that never chooses the second one."""
        cell = VCGRU(CellSpec("vcgru", spec.inputs, spec.hidden, (self._k, spec.hidden)), 4 * spec.inputs, 0)
        assert cell.scheduler is not None
        cell.scheduler.requires_grad_(requires_grad=False)
        with torch.no_grad():
            cell.scheduler.bias.fill_(SHUT)
        return cell

    def begin(self, window: LaneWindow, opening: float) -> None:
        """Keep the gate shut."""

    def forward(self, window: LaneWindow, state: State, mode: MaskMode) -> Unrolled:
        """Unroll with a hard mask from the start, and without the scheduler's cost."""
        result = super().forward(window, state, MaskMode(mode.sharpness, hard=True))
        return Unrolled(**{**vars(result), "scheduler": torch.zeros_like(result.scheduler)})
