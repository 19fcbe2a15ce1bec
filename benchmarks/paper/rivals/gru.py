"""Provides the GRU on which rivals are built: its weights, and one step from the products of its inputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GRUWeights(nn.Module):
    """Holds weights as the dense cell of `vcedge.train` does: reset gate after the product, blocks z, r, c."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        bound = hidden**-0.5
        self.recurrent = nn.Parameter(torch.empty(3 * hidden, hidden).uniform_(-bound, bound))  # (3D, D)
        self.input = nn.Parameter(torch.empty(3 * hidden, inputs).uniform_(-bound, bound))  # (3D, N)
        self.bias = nn.Parameter(torch.zeros(3 * hidden))
        self.reset_bias = nn.Parameter(torch.zeros(hidden))

    @property
    def macs(self) -> tuple[int, int]:
        """MACs of a dense step: from the hidden state, and from the inputs."""
        return self.recurrent.numel(), self.input.numel()

    def from_inputs(self, x: Tensor) -> Tensor:
        """Return the inputs' product with bias (..., 3D)."""
        return x @ self.input.T + self.bias

    def step(self, a: Tensor, seen: Tensor, h: Tensor) -> Tensor:
        """Return the next state (B, D) from the inputs' product, the state that is multiplied, and the last state."""
        az, ar, ac = a.chunk(3, dim=1)
        sz, sr, sc = (seen @ self.recurrent.T).chunk(3, dim=1)
        z, r = torch.sigmoid(az + sz), torch.sigmoid(ar + sr)
        return h + z * (torch.tanh(ac + r * (sc + self.reset_bias)) - h)
