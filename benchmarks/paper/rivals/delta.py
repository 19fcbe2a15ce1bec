"""Implements a delta network (Neil et al. 2017, 1612.05571), which sends units that changed beyond a threshold."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchmarks.paper.data import LaneWindow
from benchmarks.paper.rivals.gru import GRUWeights
from benchmarks.paper.unrolled import Body, State, Unrolled
from vcedge.train.scheduler import MaskMode

FIRST, LEAST, MOST = 0.02, 1e-3, 0.9
RATE = 0.05
"""Speed of the threshold: the change of its logarithm in a step if the cost is twice the target."""


class DeltaBody(Body):
    """Implements a delta GRU: the product with the last sent state is the sum of the products with all sent changes.

    It is trained with the threshold, which moves until the cost meets its target. The same threshold decides about
    inputs, so each 0/1 input that changes is sent. Both count as multiplied columns.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.gru = GRUWeights(inputs, hidden)
        self.register_buffer("threshold", torch.tensor(FIRST))
        self.threshold: Tensor

    def start(self, batch: int) -> State:
        """Return the hidden state and the last sent state, both (B, D)."""
        zeros = self.gru.recurrent.new_zeros(batch, self.hidden)
        return zeros, zeros

    def adapt(self, over: float) -> None:
        """Raise the threshold if too much was sent, and lower it if too little."""
        step = RATE * max(-1.0, min(over, 1.0))
        self.threshold.mul_(math.exp(step)).clamp_(LEAST, MOST)

    def forward(self, window: LaneWindow, state: State, mode: MaskMode) -> Unrolled:
        a = self.gru.from_inputs(window.x)
        h, sent = state
        hidden, sending = [], []
        for t in range(len(a)):
            h, sent = h * window.keep[t], sent * window.keep[t]
            changed = (h - sent).abs() > self.threshold  # (B, D)
            sent = torch.where(changed, h, sent)
            h = self.gru.step(a[t], sent, h)
            hidden.append(h)
            sending.append(changed.sum(dim=1))
        columns = torch.stack(sending).to(a)  # (T, B)
        first = (1 - window.keep) * window.x
        fresh = (window.change + first).sum(dim=-1)  # the first step of a piece sends every input that is not 0
        rows = 3 * self.hidden
        recurrent, inputs = rows * columns, rows * fresh
        return Unrolled(
            hidden=torch.stack(hidden),
            opened=columns / self.hidden,
            cost=(recurrent + inputs) / sum(self.gru.macs),
            updated=columns,
            recurrent=recurrent,
            input=inputs,
            scheduler=torch.zeros_like(columns),
            state=(h.detach(), sent.detach()),
        )
