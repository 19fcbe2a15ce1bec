"""Skips steps entirely: at random, or by a learned gate (Skip RNN, Campos et al. 2018, 1708.06834)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.paper.data import LaneWindow
from benchmarks.paper.rivals.gru import GRUWeights
from benchmarks.paper.unrolled import Body, State, Unrolled
from vcedge.detector import CellSpec
from vcedge.train.cells import CELLS
from vcedge.train.scheduler import MaskMode


class RandomSkipBody(Body):
    """Updates all of a GRU's state with probability `rate`, independent of the input.

    Every evaluation draws the same numbers.
    """

    def __init__(self, inputs: int, hidden: int, rate: float) -> None:
        super().__init__()
        self.hidden, self._rate = hidden, rate
        self.cell = CELLS["gru"](CellSpec("gru", inputs, hidden, (hidden,)), 0, 0)
        self._evaluation = torch.Generator()

    def start(self, batch: int) -> State:
        self._evaluation.manual_seed(0)
        return (self.cell.recurrent.new_zeros(batch, self.hidden),)

    def forward(self, window: LaneWindow, state: State, mode: MaskMode) -> Unrolled:
        steps, batch = window.weight.shape
        draws = torch.rand(steps, batch, generator=None if self.training else self._evaluation)
        updates = (draws < self._rate).to(window.x.device)  # (T, B)
        done, piece = updates.cumsum(dim=0), (window.keep[..., 0] == 0).cumsum(dim=0)
        most = int(done[-1].max())
        # Only steps with an update are unrolled, packed one after the other.
        x = window.x.new_zeros(most + 1, batch, window.x.shape[-1])
        of = piece.new_zeros(most + 1, batch)  # the piece of each unrolled step; 0 before the first one
        t, lane = updates.nonzero(as_tuple=True)
        x[done[t, lane], lane], of[done[t, lane], lane] = window.x[t, lane], piece[t, lane]
        keep = (of[1:] == of[:-1]).to(x)[..., None]
        states, _ = self.cell(x[1:], x[1:], keep, state[0], mode)
        states = torch.cat((state[0][None], states))  # (1 + most, B, D)
        lanes = torch.arange(batch, device=x.device).expand_as(done)
        fresh = of[done, lanes] == piece  # the state of a new piece is zero until its first update
        hidden = states[done, lanes] * fresh[..., None]
        taken = updates.to(x)
        recurrent, inputs = self.cell.recurrent.numel(), self.cell.input.numel()
        return skipped((recurrent, inputs), hidden, taken, 0, (hidden[-1].detach(),))


class SkipBody(Body):
    """Implements a Skip GRU: the probability of an update grows by a learned step until it rounds to 1."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.gru = GRUWeights(inputs, hidden)
        self.gate = nn.Linear(hidden, 1)

    def start(self, batch: int) -> State:
        """Return the hidden state (B, D) and the accumulated probability (B, 1)."""
        zeros = self.gru.recurrent.new_zeros(batch, self.hidden)
        return zeros, zeros.new_ones(batch, 1)

    def begin(self, window: LaneWindow, opening: float) -> None:
        """Initialise the gate's bias to 1 as published, so that at first nearly every step is an update."""
        with torch.no_grad():
            self.gate.bias.fill_(1.0)

    def forward(self, window: LaneWindow, state: State, mode: MaskMode) -> Unrolled:
        """Unroll by the source's equations for h, u and the probability, with straight-through rounding."""
        a = self.gru.from_inputs(window.x)
        h, due = state
        hidden, updates = [], []
        for t in range(len(a)):
            keep = window.keep[t]
            h, due = h * keep, due * keep + (1 - keep)  # the first step of a piece is always an update
            u = (due >= 0.5).to(due) + (due - due.detach())  # (B, 1) exactly 0 or 1
            h = u * self.gru.step(a[t], h, h) + (1 - u) * h
            growth = torch.sigmoid(self.gate(h))  # unchanged after a skipped step, since the state is the same
            due = u * growth + (1 - u) * (due + torch.minimum(growth, 1 - due))
            hidden.append(h)
            updates.append(u[:, 0])
        carried = (h.detach(), due.detach())
        return skipped(self.gru.macs, torch.stack(hidden), torch.stack(updates), self.hidden, carried)

    def gate_parameters(self) -> list[nn.Parameter]:
        return list(self.gate.parameters())


def skipped(macs: tuple[int, int], hidden: Tensor, updates: Tensor, scheduler: int, state: State) -> Unrolled:
    """Return the cost of steps (T, B) of 0 and 1; the scheduler computes only after a change of the state."""
    recurrent, inputs = macs
    taken = updates.detach()
    return Unrolled(
        hidden=hidden,
        opened=updates,
        cost=updates,
        updated=hidden.shape[-1] * taken,
        recurrent=recurrent * taken,
        input=inputs * taken,
        scheduler=scheduler * taken,
        state=state,
    )
