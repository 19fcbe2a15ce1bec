"""Whole steps are skipped: by chance, and by a gate that learns when (Skip RNN, Campos et al. 2018, 1708.06834)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.paper.data import Window
from benchmarks.paper.rivals.gru import GRUWeights
from benchmarks.paper.unrolled import Body, State, Unrolled
from vcedge.train.scheduler import MaskMode


class RandomSkipBody(Body):
    """A GRU that updates all of its state with probability `rate`, whatever happens, and else keeps it.

    Evaluation draws the same each time.
    """

    def __init__(self, inputs: int, hidden: int, rate: float) -> None:
        super().__init__()
        self.hidden, self._rate = hidden, rate
        self.gru = GRUWeights(inputs, hidden)
        self._evaluation = torch.Generator()

    def start(self, batch: int) -> State:
        self._evaluation.manual_seed(0)
        return (self.gru.recurrent.new_zeros(batch, self.hidden),)

    def forward(self, window: Window, state: State, mode: MaskMode) -> Unrolled:
        a = self.gru.from_inputs(window.x)
        draws = torch.rand(a.shape[:2], generator=None if self.training else self._evaluation)
        updates = (draws < self._rate).to(a)  # (T, B)
        (h,), hidden = state, []
        for t, update in enumerate(updates):
            h = h * window.keep[t]
            h = torch.where(update[:, None] > 0, self.gru.step(a[t], h, h), h)
            hidden.append(h)
        return skipped(self.gru, torch.stack(hidden), updates, 0, (h.detach(),))


class SkipBody(Body):
    """Skip GRU: the probability of an update grows by a learned step until it is rounded to 1."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.gru = GRUWeights(inputs, hidden)
        self.gate = nn.Linear(hidden, 1)

    def start(self, batch: int) -> State:
        """The hidden state (B, D) and the accumulated probability (B, 1)."""
        zeros = self.gru.recurrent.new_zeros(batch, self.hidden)
        return zeros, zeros.new_ones(batch, 1)

    def begin(self, window: Window, opening: float) -> None:
        """The published start: the gate's bias is 1, so that first of all nearly every step is taken."""
        with torch.no_grad():
            self.gate.bias.fill_(1.0)

    def forward(self, window: Window, state: State, mode: MaskMode) -> Unrolled:
        """The source's equations for h, u and the probability, the rounding straight-through."""
        a = self.gru.from_inputs(window.x)
        h, due = state
        hidden, updates = [], []
        for t in range(len(a)):
            keep = window.keep[t]
            h, due = h * keep, due * keep + (1 - keep)  # a piece's first step is always taken
            u = (due >= 0.5).to(due) + (due - due.detach())  # (B, 1) exactly 0 or 1
            h = u * self.gru.step(a[t], h, h) + (1 - u) * h
            growth = torch.sigmoid(self.gate(h))  # as it was, where the step was skipped: the state is the same
            due = u * growth + (1 - u) * (due + torch.minimum(growth, 1 - due))
            hidden.append(h)
            updates.append(u[:, 0])
        return skipped(self.gru, torch.stack(hidden), torch.stack(updates), self.hidden, (h.detach(), due.detach()))

    def gate_parameters(self) -> list[nn.Parameter]:
        return list(self.gate.parameters())


def skipped(gru: GRUWeights, hidden: Tensor, updates: Tensor, scheduler: int, state: State) -> Unrolled:
    """What steps (T, B) of 0 and 1 cost; the scheduler has work to do where the state has changed."""
    recurrent, inputs = gru.macs
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
