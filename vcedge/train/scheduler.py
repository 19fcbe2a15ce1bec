"""Implements the scheduler, which decides how many dimensions a step updates: logit and mask, eq. 7, 8 and 11.

Equations are those of Jernite et al. (2017), arXiv 1611.06188v2; here the mask has levels and is centred.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vcedge.detector import CellSpec

GATE_GAIN = 5.0
"""Factor on the scheduler's logit. With 1, as in the paper, the gate hardly moves within a training of this length."""
GATE_PRIOR = 0.3
"""Initial weight of change and error in the scheduler: with 0 the gate often stays constant."""


@dataclass(frozen=True)
class MaskMode:
    """Selects the form of the mask: `sharpness` is lam D of eq. 8; `hard` is the exported form, straight-through."""

    sharpness: float
    hard: bool
    eps: float = 0.0
    """Thres_eps of eq. 8: a soft mask below eps becomes 0, one above 1 - eps becomes 1, both without gradient."""


@dataclass(frozen=True)
class MaskTable:
    """Maps logits to dimensions: the first `starts[0]` are always open, then J blocks open one after the other."""

    thresholds: Tensor  # (J,) logits from which the hard mask opens a block
    middles: Tensor  # (J,) shares m at which its soft mask is one half
    starts: NDArray[np.int32]  # (J + 1,) where each block starts; the last is D


class Scheduler(nn.Module):
    """Computes the logit of eq. 7 from the hidden state and the signals.

    The G signals are the inputs and the absolute sizes of each channel's value, change and error, which a gate that is
    linear in signed values cannot represent.
    """

    gain = GATE_GAIN
    thresholds: Tensor  # (J,)
    middles: Tensor  # (J,)
    expand: Tensor  # (J, D) the dimensions of each block
    always: Tensor  # (D,) 1 for the dimensions that every step updates

    def __init__(self, spec: CellSpec, signals: int, sizes: int) -> None:
        super().__init__()
        self.hidden = nn.Parameter(torch.zeros(spec.hidden))
        weights = torch.zeros(signals)
        if sizes:
            weights[-2 * sizes :] = GATE_PRIOR / sizes**0.5
        self.input = nn.Parameter(weights)
        self.bias = nn.Parameter(torch.zeros(()))
        table = self._table(spec)
        self._starts = table.starts
        self.register_buffer("thresholds", table.thresholds)
        self.register_buffer("middles", table.middles)
        block = np.searchsorted(table.starts, np.arange(spec.hidden), side="right")  # 0: always open
        self.register_buffer("expand", torch.tensor(block[None] == np.arange(1, len(table.starts))[:, None]).float())
        self.register_buffer("always", torch.tensor(block == 0).float())

    def _table(self, spec: CellSpec) -> MaskTable:
        """Return blocks between the levels' boundaries; a block opens midway between two of them."""
        thresholds = torch.tensor(spec.thresholds(), dtype=torch.float32)
        return MaskTable(thresholds, torch.sigmoid(thresholds), np.array(spec.boundaries, np.int32))

    @property
    def table(self) -> MaskTable:
        """The table that the mask is computed from."""
        return MaskTable(self.thresholds, self.middles, self._starts)

    def start_at(self, signals: Tensor, share: float) -> None:
        """Set the bias so that the mean logit over signals (T, B, G) opens a share in (0, 1)."""
        with torch.no_grad():
            wanted = torch.logit(torch.tensor(min(max(share, 0.02), 0.98)))
            self.bias.copy_(wanted - self.gain * (signals @ self.input).mean())

    def shift(self, logit: float) -> None:
        """Add `logit` to the bias."""
        with torch.no_grad():
            self.bias.add_(logit)

    def from_inputs(self, signals: Tensor) -> Tensor:
        """Return the part of the logit (T, B) that does not depend on the hidden state, for all steps of a window."""
        return self.gain * (signals @ self.input) + self.bias

    def mask(self, logit: Tensor, mode: MaskMode) -> tuple[Tensor, Tensor]:
        """Return the mask e (B, D) and its mean (B,) for logits (B,), by eq. 8 and 11."""
        soft = torch.sigmoid(mode.sharpness * (torch.sigmoid(logit)[:, None] - self.middles))  # (B, J)
        if mode.hard:
            # Straight-through: exactly 0 or 1, with the gradient of the soft mask.
            soft = (logit[:, None] >= self.thresholds).to(soft.dtype) + (soft - soft.detach())
        elif mode.eps > 0:
            soft = soft.masked_fill(soft > 1 - mode.eps, 1.0).masked_fill(soft < mode.eps, 0.0)
        e = self.always + soft @ self.expand
        return e, e.mean(dim=1)
