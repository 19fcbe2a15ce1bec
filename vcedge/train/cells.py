"""Defines the recurrent cells for training. Equation numbers are those of Jernite et al. (2017), arXiv 1611.06188v2.

A cell unrolls over a window and carries the state to the next one; the engines run its exported arrays. A detector has
few inputs, so they are not masked: xbar of eq. 12 is x.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from vcedge.detector import CellKind, CellSpec
from vcedge.train.scheduler import MaskMode, MaskTable, Scheduler
from vcedge.train.unroll import UnrollInputs, UnrollWeights, can_unroll, unroll


class VariableCell(nn.Module, ABC):
    """Implements the parts common to all kinds: G blocks of weights, scheduler, unrolling. A subclass adds `update`."""

    scheduler_type = Scheduler
    """Scheduler of a cell with more than one level."""
    kernel_unrolls = True
    """True if the kernel can unroll this kind."""
    reset_bias: Tensor  # (D,), or (0,) where there is no reset gate

    def __init__(self, spec: CellSpec, signals: int, sizes: int) -> None:
        super().__init__()
        width = spec.gates * spec.hidden
        bound = spec.hidden**-0.5
        self.spec = spec
        self.recurrent = nn.Parameter(torch.empty(width, spec.hidden).uniform_(-bound, bound))  # (GD, D) U
        self.input = nn.Parameter(torch.empty(width, spec.inputs).uniform_(-bound, bound))  # (GD, N) V
        self.bias = nn.Parameter(torch.zeros(width))
        self.scheduler = self.scheduler_type(spec, signals, sizes) if spec.levels > 1 else None

    def forward(self, x: Tensor, signals: Tensor, keep: Tensor, h: Tensor, mode: MaskMode) -> tuple[Tensor, Tensor]:
        """Unroll over a window of T steps.

        Args:
            x: Inputs (T, B, N).
            signals: Scheduler inputs (T, B, N + 3C).
            keep: (T, B, 1), 0 where the state is reset.
            h: Hidden state before the window (B, D).
            mode: Form of the mask.

        Returns:
            Hidden states (T, B, D) and updated shares (T, B), k/D if the mask is hard.
        """
        a = self.from_inputs(x)  # (T, B, GD)
        gate = None if self.scheduler is None else self.scheduler.from_inputs(signals)
        if self.kernel_unrolls and can_unroll(a):
            return self._unroll(a, gate, keep, h, mode)
        if not len(x):
            return h.new_zeros((0, *h.shape)), h.new_zeros((0, len(h)))
        hidden, shares = [], []
        for t in range(len(x)):
            h = h * keep[t]
            h, share = self.step(a[t], None if gate is None else gate[t], h, mode)
            hidden.append(h)
            shares.append(share)
        return torch.stack(hidden), torch.stack(shares)

    def _unroll(self, a: Tensor, gate: Tensor | None, keep: Tensor, h: Tensor, mode: MaskMode) -> tuple[Tensor, Tensor]:
        """Run `forward` in the kernel: same numbers up to rounding, several times as fast."""
        gate_hidden = none = a.new_empty(0)
        if self.scheduler is None:
            table = MaskTable(none, none, np.array([self.spec.hidden], np.int32))
        else:
            table, gate_hidden = self.scheduler.table, self.scheduler.gain * self.scheduler.hidden
        inputs = UnrollInputs(a, none if gate is None else gate, keep[..., 0], h)
        return unroll(inputs, UnrollWeights(self.recurrent, self.reset_bias, gate_hidden), table, mode)

    def from_inputs(self, x: Tensor) -> Tensor:
        """Return the part of the gates (T, B, GD) that does not depend on the hidden state.

        It is one product for all steps of the window.
        """
        return x @ self.input.T + self.bias

    def step(self, a: Tensor, gate: Tensor | None, h: Tensor, mode: MaskMode) -> tuple[Tensor, Tensor]:
        """Run one step: a (B, GD) is the product of the inputs, gate (B,) the logit without the state's part."""
        if self.scheduler is None or gate is None:
            e, share = torch.ones_like(h), torch.ones_like(h[:, 0])
        else:
            logit = gate + self.scheduler.gain * (h @ self.scheduler.hidden)
            e, share = self.scheduler.mask(logit, mode)
        return self.update(a, e, h), share

    @abstractmethod
    def update(self, a: Tensor, e: Tensor, h: Tensor) -> Tensor:
        """Return the next hidden state (B, D).

        a (B, GD) is the product of the inputs, e (B, D) the mask, h (B, D) the state before.
        """


class VCGRU(VariableCell):
    """Implements the variable-computation GRU (eq. 4 to 7, 14 to 16) with blocks U_z, U_r, U and V_z, V_r, V.

    The reset gate is applied after the recurrent product, so that one product serves all gates, as in ONNX and torch.
    """

    def __init__(self, spec: CellSpec, signals: int, sizes: int) -> None:
        super().__init__(spec, signals, sizes)
        self.reset_bias = nn.Parameter(torch.zeros(spec.hidden))

    def update(self, a: Tensor, e: Tensor, h: Tensor) -> Tensor:
        """Apply eq. 14 to 16; see `VariableCell.update`."""
        az, ar, ac = a.chunk(3, dim=1)
        sz, sr, sc = ((e * h) @ self.recurrent.T).chunk(3, dim=1)  # eq. 9
        z = e * torch.sigmoid(az + sz)  # eq. 14
        r = torch.sigmoid(ar + sr)
        c = torch.tanh(ac + r * (sc + self.reset_bias))  # eq. 15
        return h + z * (c - h)  # eq. 16


class VCRNN(VariableCell):
    """Implements the variable-computation Elman RNN (eq. 7 and 13)."""

    def __init__(self, spec: CellSpec, signals: int, sizes: int) -> None:
        super().__init__(spec, signals, sizes)
        # As in torch's RNN. With zero biases the cell is an odd function of its inputs, which training removes slowly.
        nn.init.uniform_(self.bias, -(spec.hidden**-0.5), spec.hidden**-0.5)
        self.register_buffer("reset_bias", torch.zeros(0))

    def update(self, a: Tensor, e: Tensor, h: Tensor) -> Tensor:
        """Apply eq. 13; see `VariableCell.update`."""
        c = torch.tanh((e * h) @ self.recurrent.T + a)  # eq. 9
        return e * c + (1 - e) * h


CELLS: Mapping[CellKind, type[VariableCell]] = {"vcgru": VCGRU, "vcrnn": VCRNN, "gru": VCGRU, "rnn": VCRNN}
"""Cells by kind. A dense kind is the variable one with a single level, without a scheduler."""
