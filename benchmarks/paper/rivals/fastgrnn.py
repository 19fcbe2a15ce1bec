"""Implements FastGRNN (Kusupati et al. 2018, 1901.02358): one pair of low-rank matrices for gate and candidate."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.paper.data import LaneWindow
from benchmarks.paper.unrolled import Body, State, Unrolled
from vcedge.train.scheduler import MaskMode


class FastGRNNBody(Body):
    """Computes z = s(Wx + Uh + b_z), c = tanh(Wx + Uh + b_h), h' = (zeta (1 - z) + nu) c + z h; W, U of equal rank."""

    def __init__(self, inputs: int, hidden: int, rank: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.input = nn.Parameter(_orthogonal(rank, inputs))
        self.input_out = nn.Parameter(_orthogonal(hidden, rank))
        self.recurrent = nn.Parameter(_orthogonal(rank, hidden))
        self.recurrent_out = nn.Parameter(_orthogonal(hidden, rank))
        self.gate_bias = nn.Parameter(torch.ones(hidden))
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.zeta, self.nu = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(-4.0))  # before the logistic

    def start(self, batch: int) -> State:
        return (self.recurrent.new_zeros(batch, self.hidden),)

    def forward(self, window: LaneWindow, state: State, mode: MaskMode) -> Unrolled:
        a = (window.x @ self.input.T) @ self.input_out.T
        zeta, nu = torch.sigmoid(self.zeta), torch.sigmoid(self.nu)
        (h,), hidden = state, []
        for t in range(len(a)):
            h = h * window.keep[t]
            pre = a[t] + (h @ self.recurrent.T) @ self.recurrent_out.T
            z, c = torch.sigmoid(pre + self.gate_bias), torch.tanh(pre + self.bias)
            h = (zeta * (1 - z) + nu) * c + z * h
            hidden.append(h)
        ones = torch.ones_like(a[..., 0])
        recurrent = self.recurrent.numel() + self.recurrent_out.numel()
        inputs = self.input.numel() + self.input_out.numel()
        return Unrolled(
            hidden=torch.stack(hidden),
            opened=ones,
            cost=ones,
            updated=self.hidden * ones,
            recurrent=recurrent * ones,
            input=inputs * ones,
            scheduler=torch.zeros_like(ones),
            state=(h.detach(),),
        )


def rank_for(budget: float, inputs: int, hidden: int) -> int:
    """Return the smallest rank that costs at least `budget` MACs a step, without the head."""
    return max(1, -int(-budget // (inputs + 3 * hidden)))


def _orthogonal(rows: int, columns: int) -> Tensor:
    return nn.init.orthogonal_(torch.empty(rows, columns))
