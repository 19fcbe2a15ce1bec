"""Defines the bodies with cells of `vcedge.train`, and that of the paper's own form."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.paper.cells import PAPER_CELLS
from benchmarks.paper.data import LaneWindow
from benchmarks.paper.unrolled import Body, State, Unrolled
from vcedge.detector import CellKind, CellSpec, boundaries_of
from vcedge.train.cells import CELLS, VCGRU, VariableCell
from vcedge.train.scheduler import MaskMode

LEVELS = 8


def signals_of(window: LaneWindow) -> Tensor:
    """Return the scheduler's inputs of a detector with an empty highway: x, |x|, change and |residual|.

    The residual is x itself; a first row has none.
    """
    return torch.cat((window.x, window.x, window.change, window.x * window.keep), dim=-1)


class CellBody(Body):
    """Wraps one cell of `vcedge.train`, which may have a scheduler."""

    cell: VariableCell

    def start(self, batch: int) -> State:
        return (self.cell.recurrent.new_zeros(batch, self.hidden),)

    def gate_parameters(self) -> list[nn.Parameter]:
        return [] if self.cell.scheduler is None else list(self.cell.scheduler.parameters())


class GatedBody(CellBody):
    """Wraps a cell that exports to model.vcedge: its inputs are not masked, and their sizes are scheduler inputs."""

    exports = True

    def __init__(self, kind: CellKind, inputs: int, hidden: int, levels: int | list[float]) -> None:
        super().__init__()
        self.hidden, self._inputs = hidden, inputs
        spec = CellSpec(kind, inputs, hidden, boundaries_of(levels, hidden))
        self.cell = self.make(spec)

    def make(self, spec: CellSpec) -> VariableCell:
        """Make the cell; an ablation makes a different one."""
        return CELLS[spec.kind](spec, 4 * spec.inputs, spec.inputs)

    def signals(self, window: LaneWindow) -> Tensor:
        """Return the scheduler's inputs."""
        return signals_of(window)

    def begin(self, window: LaneWindow, opening: float) -> None:
        if self.cell.scheduler is not None:
            self.cell.scheduler.start_at(self.signals(window), opening)

    def forward(self, window: LaneWindow, state: State, mode: MaskMode) -> Unrolled:
        hidden, opened = self.cell(window.x, self.signals(window), window.keep, state[0], mode)
        k = (opened * self.hidden).detach()
        gates, scheduler = self.cell.spec.gates, self.cell.scheduler
        seen = 0 if scheduler is None else self.hidden + len(scheduler.input)
        return Unrolled(
            hidden=hidden,
            opened=opened,
            cost=opened.square(),
            updated=k,
            recurrent=gates * k.square(),
            input=gates * k * self._inputs,
            scheduler=torch.full_like(k, seen),
            state=(hidden[-1].detach(),),
        )


class BlindBody(GatedBody):
    """Wraps a cell whose scheduler has only h and x as inputs, as eq. 7 is printed."""

    exports = False

    def make(self, spec: CellSpec) -> VariableCell:
        return CELLS[spec.kind](spec, spec.inputs, 0)

    def signals(self, window: LaneWindow) -> Tensor:
        return window.x


class ResetBefore(VCGRU):
    """Implements a VCGRU with the reset gate before the product, as eq. 15 is printed."""

    kernel_unrolls = False

    def update(self, a: Tensor, e: Tensor, h: Tensor) -> Tensor:
        """Return the next state by eq. 14 to 16."""
        az, ar, ac = a.chunk(3, dim=1)
        two = 2 * self.spec.hidden
        sz, sr = ((e * h) @ self.recurrent[:two].T).chunk(2, dim=1)
        z, r = e * torch.sigmoid(az + sz), torch.sigmoid(ar + sr)
        c = torch.tanh(ac + (r * e * h) @ self.recurrent[two:].T + self.reset_bias)
        return h + z * (c - h)


class ResetBeforeBody(GatedBody):
    """Wraps the cell `ResetBefore`."""

    exports = False

    def make(self, spec: CellSpec) -> VariableCell:
        return ResetBefore(spec, 4 * spec.inputs, spec.inputs)


class PaperBody(CellBody):
    """Wraps the paper's own form: an embedding of D dimensions, masked as the state is, and a scheduler of both."""

    def __init__(self, kind: CellKind, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden, self._inputs = hidden, inputs
        self.embed = nn.Linear(inputs, hidden, bias=False)
        levels = 1 if kind in ("gru", "rnn") else hidden
        self.cell = PAPER_CELLS[kind](CellSpec(kind, hidden, hidden, boundaries_of(levels, hidden)), hidden, 0)

    def begin(self, window: LaneWindow, opening: float) -> None:
        if self.cell.scheduler is not None:
            self.cell.scheduler.start_at(self.embed(window.x), opening)

    def forward(self, window: LaneWindow, state: State, mode: MaskMode) -> Unrolled:
        x = self.embed(window.x)
        hidden, opened = self.cell(x, x, window.keep, state[0], mode)
        k = (opened * self.hidden).detach()
        gates = self.cell.spec.gates
        embedding = self.hidden * self._inputs
        return Unrolled(
            hidden=hidden,
            opened=opened,
            cost=opened.square(),
            updated=k,
            recurrent=gates * k.square(),
            input=gates * k.square() + embedding,
            scheduler=torch.full_like(k, 0 if self.cell.scheduler is None else 2 * self.hidden),
            state=(hidden[-1].detach(),),
        )
