"""Recurrent cells for training. Equation numbers are those of Jernite et al. 2017 (arXiv 1611.06188v2).

A cell unrolls over a window with the state carried; what is exported from it is what the engines run. In our form
inputs are few and stay unmasked (PAPER.md, point 8): xbar of eq. 12 is x. The paper's own form is for its reproduction.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from vcedge.detector import CellKind, CellSpec
from vcedge.train.scheduler import MaskMode, MaskTable, PaperScheduler, Scheduler
from vcedge.train.unroll import can_unroll, unroll


class VariableCell(nn.Module, ABC):
    """What the kinds share: G blocks of weights, the scheduler, the unrolling. A kind adds its `update`."""

    schedules = Scheduler
    """What decides how much is updated, where the kind has more than one level."""
    reset_bias: Tensor  # (D,), or (0,) where there is no reset gate

    def __init__(self, spec: CellSpec, signals: int, sizes: int) -> None:
        super().__init__()
        width = spec.gates * spec.hidden
        bound = spec.hidden**-0.5
        self.spec = spec
        self.recurrent = nn.Parameter(torch.empty(width, spec.hidden).uniform_(-bound, bound))  # (GD, D) U
        self.input = nn.Parameter(torch.empty(width, spec.inputs).uniform_(-bound, bound))  # (GD, N) V
        self.bias = nn.Parameter(torch.zeros(width))
        self.scheduler = self.schedules(spec, signals, sizes) if spec.levels > 1 else None

    def forward(self, x: Tensor, signals: Tensor, keep: Tensor, h: Tensor, mode: MaskMode) -> tuple[Tensor, Tensor]:
        """Unroll over a window.

        x (T, B, N), signals (T, B, N + 3C), keep (T, B, 1): 0 where the state starts anew, h (B, D) →
        hidden states (T, B, D) and updated shares (T, B), k/D where the mask is hard.
        """
        a = self.from_inputs(x)  # (T, B, GD)
        gate = None if self.scheduler is None else self.scheduler.from_inputs(signals)
        if self.unrolls and can_unroll(a):
            return self._unroll(a, gate, keep, h, mode)
        hidden, shares = [], []
        for t in range(len(x)):
            h = h * keep[t]
            h, share = self.step(a[t], None if gate is None else gate[t], h, mode)
            hidden.append(h)
            shares.append(share)
        return torch.stack(hidden), torch.stack(shares)

    unrolls = True
    """Whether the kernel knows this kind; its steps are those of `update`."""

    def _unroll(self, a: Tensor, gate: Tensor | None, keep: Tensor, h: Tensor, mode: MaskMode) -> tuple[Tensor, Tensor]:
        """`forward` in the kernel: the same numbers up to rounding, several times as fast."""
        if self.scheduler is None:
            none = a.new_empty(0)
            table, weights = MaskTable(none, none, np.array([self.spec.hidden], np.int32)), None
        else:
            table, weights = self.scheduler.table, self.scheduler.gain * self.scheduler.hidden
        return unroll(a, gate, keep[..., 0], h, self.recurrent, self.reset_bias, weights, table, mode)

    def from_inputs(self, x: Tensor) -> Tensor:
        """The part of the gates (T, B, GD) that does not depend on the hidden state: one product for a whole window."""
        return x @ self.input.T + self.bias

    def step(self, a: Tensor, gate: Tensor | None, h: Tensor, mode: MaskMode) -> tuple[Tensor, Tensor]:
        """One step from the inputs' product a (B, GD) and the gate's logit without the state (B,)."""
        if self.scheduler is None or gate is None:
            e, share = torch.ones_like(h), torch.ones_like(h[:, 0])
        else:
            logit = gate + self.scheduler.gain * (h @ self.scheduler.hidden)
            e, share = self.scheduler.mask(logit, mode)
        return self.update(a, e, h), share

    @abstractmethod
    def update(self, a: Tensor, e: Tensor, h: Tensor) -> Tensor:
        """The next hidden state (B, D) from the inputs' product a (B, GD), the mask e (B, D) and the last state."""


class VCGRU(VariableCell):
    """Variable-computation GRU with the reset gate after the product (eq. 4 to 7, 14 to 16; PAPER.md, point 11).

    Its blocks are U_z, U_r, U and V_z, V_r, V.
    """

    def __init__(self, spec: CellSpec, signals: int, sizes: int) -> None:
        super().__init__(spec, signals, sizes)
        self.reset_bias = nn.Parameter(torch.zeros(spec.hidden))

    def update(self, a: Tensor, e: Tensor, h: Tensor) -> Tensor:
        """Eq. 14 to 16."""
        az, ar, ac = a.chunk(3, dim=1)
        sz, sr, sc = ((e * h) @ self.recurrent.T).chunk(3, dim=1)  # eq. 9
        z = e * torch.sigmoid(az + sz)  # eq. 14
        r = torch.sigmoid(ar + sr)
        c = torch.tanh(ac + r * (sc + self.reset_bias))  # eq. 15
        return h + z * (c - h)  # eq. 16


class VCRNN(VariableCell):
    """Variable-computation Elman RNN (eq. 7 and 13)."""

    def __init__(self, spec: CellSpec, signals: int, sizes: int) -> None:
        super().__init__(spec, signals, sizes)
        # As torch's RNN: without biases or gates it is odd in its inputs, and learns that it need not be very slowly.
        nn.init.uniform_(self.bias, -(spec.hidden**-0.5), spec.hidden**-0.5)
        self.register_buffer("reset_bias", torch.zeros(0))

    def update(self, a: Tensor, e: Tensor, h: Tensor) -> Tensor:
        """Eq. 13."""
        c = torch.tanh((e * h) @ self.recurrent.T + a)  # eq. 9
        return e * c + (1 - e) * h


CELLS: Mapping[CellKind, type[VariableCell]] = {"vcgru": VCGRU, "vcrnn": VCRNN, "gru": VCGRU, "rnn": VCRNN}
"""A dense kind is the variable one with one level: no scheduler, everything updated."""


class PaperCell(VariableCell, ABC):
    """The paper's own form: the input is an embedding of as many dimensions as the state, and masked with it.

    It is no cell of model.vcedge: decision note 23 says why.
    """

    schedules = PaperScheduler
    unrolls = False

    def __init__(self, spec: CellSpec, signals: int, sizes: int) -> None:
        if spec.inputs != spec.hidden:
            raise ValueError(f"{spec.inputs} inputs, expected an embedding of the hidden size {spec.hidden}")
        super().__init__(spec, signals, sizes)
        self.register_buffer("reset_bias", torch.zeros(0))

    def from_inputs(self, x: Tensor) -> Tensor:
        """The embedding itself: what is masked before the product cannot be multiplied for a whole window."""
        return x


class PaperVCGRU(PaperCell):
    """Eq. 4 to 7, 14 to 16 as printed: the reset gate before the product."""

    def update(self, a: Tensor, e: Tensor, h: Tensor) -> Tensor:
        """Eq. 14 to 16; `a` is the embedding x (B, D)."""
        hbar, xbar = e * h, e * a  # eq. 9 and 12
        two = 2 * self.spec.hidden
        vz, vr, vc = (xbar @ self.input.T + self.bias).chunk(3, dim=1)
        sz, sr = (hbar @ self.recurrent[:two].T).chunk(2, dim=1)
        z = e * torch.sigmoid(sz + vz)  # eq. 14
        r = torch.sigmoid(sr + vr)
        c = torch.tanh((r * hbar) @ self.recurrent[two:].T + vc)  # eq. 15
        return z * c + (1 - z) * h  # eq. 16


class PaperVCRNN(PaperCell):
    """Eq. 7 and 13 as printed, but for its typo: h_{t-1} stays where h_t is printed."""

    def update(self, a: Tensor, e: Tensor, h: Tensor) -> Tensor:
        """Eq. 13; `a` is the embedding x (B, D)."""
        c = torch.tanh((e * h) @ self.recurrent.T + (e * a) @ self.input.T + self.bias)  # eq. 9 and 12
        return e * c + (1 - e) * h


PAPER_CELLS: Mapping[CellKind, type[VariableCell]] = {
    "vcgru": PaperVCGRU,
    "vcrnn": PaperVCRNN,
    "gru": PaperVCGRU,
    "rnn": PaperVCRNN,
}
