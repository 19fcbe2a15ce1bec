"""Defines the cells of Jernite et al. (2017), arXiv 1611.06188v2, in the paper's own form, to reproduce its results."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from vcedge.detector import CellKind, CellSpec
from vcedge.train.cells import VariableCell
from vcedge.train.scheduler import MaskTable, Scheduler


class PaperScheduler(Scheduler):
    """Implements the paper's own form: no gain, a mask value for each dimension, and d = ceil(m D)."""

    gain = 1.0

    def _table(self, spec: CellSpec) -> MaskTable:
        """Follow eq. 8 as printed. A hard mask updates dimension i if m D > i - 1, so dimension 1 always."""
        i = torch.arange(1, spec.hidden + 1, dtype=torch.float32)
        starts = np.arange(spec.hidden + 1, dtype=np.int32)
        return MaskTable(torch.logit((i - 1) / spec.hidden), i / spec.hidden, starts)


class PaperCell(VariableCell, ABC):
    """Implements the paper's own form: the input is an embedding of the hidden size and is masked like the state.

    model.vcedge cannot hold it (docs/decisions/0023-the-papers-form-is-for-its-reproduction.md).
    """

    scheduler_type = PaperScheduler
    kernel_unrolls = False

    def __init__(self, spec: CellSpec, signals: int, sizes: int) -> None:
        if spec.inputs != spec.hidden:
            raise ValueError(f"{spec.inputs} inputs, expected an embedding of the hidden size {spec.hidden}")
        super().__init__(spec, signals, sizes)
        self.register_buffer("reset_bias", torch.zeros(0))

    def from_inputs(self, x: Tensor) -> Tensor:
        """Return the embedding itself: it is masked before the product, so each step has a product of its own."""
        return x


class PaperVCGRU(PaperCell):
    """Follows eq. 4 to 7 and 14 to 16 as printed: the reset gate is applied before the recurrent product."""

    def update(self, a: Tensor, e: Tensor, h: Tensor) -> Tensor:
        """Apply eq. 14 to 16; `a` is the embedding x (B, D)."""
        hbar, xbar = e * h, e * a  # eq. 9 and 12
        two = 2 * self.spec.hidden
        vz, vr, vc = (xbar @ self.input.T + self.bias).chunk(3, dim=1)
        sz, sr = (hbar @ self.recurrent[:two].T).chunk(2, dim=1)
        z = e * torch.sigmoid(sz + vz)  # eq. 14
        r = torch.sigmoid(sr + vr)
        c = torch.tanh((r * hbar) @ self.recurrent[two:].T + vc)  # eq. 15
        return z * c + (1 - z) * h  # eq. 16


class PaperVCRNN(PaperCell):
    """Follows eq. 7 and 13 as printed, except for a typo of the paper: the kept part is of h_{t-1}, not h_t."""

    def update(self, a: Tensor, e: Tensor, h: Tensor) -> Tensor:
        """Apply eq. 13; `a` is the embedding x (B, D)."""
        c = torch.tanh((e * h) @ self.recurrent.T + (e * a) @ self.input.T + self.bias)  # eq. 9 and 12
        return e * c + (1 - e) * h


PAPER_CELLS: Mapping[CellKind, type[VariableCell]] = {
    "vcgru": PaperVCGRU,
    "vcrnn": PaperVCRNN,
    "gru": PaperVCGRU,
    "rnn": PaperVCRNN,
}
