"""How many dimensions a step updates: the scheduler's logit and the mask over the dimensions, eq. 7, 8 and 11.

Two forms: ours, with levels and a centred mask, and the paper's own, for its reproduction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vcedge.detector import CellSpec

GATE_GAIN = 5.0
"""Factor on the scheduler's logit: with 1 the gate hardly moves within the length of a training (PAPER.md, point 1)."""
GATE_PRIOR = 0.3
"""Initial weight of change and error in the scheduler: a gate that starts blind to them often stays constant."""


@dataclass(frozen=True)
class MaskMode:
    """How the mask is computed: `sharpness` is lam D of eq. 8; `hard` is the exported form, straight-through."""

    sharpness: float
    hard: bool
    eps: float = 0.0
    """Thres_eps of eq. 8: a soft mask below it is 0, above 1 - eps it is 1, and neither passes a gradient."""


@dataclass(frozen=True)
class MaskTable:
    """Which logits open which dimensions: the first `starts[0]` always, then J blocks one after the other."""

    thresholds: Tensor  # (J,) logits from which the hard mask opens a block
    middles: Tensor  # (J,) shares m at which its soft mask is one half
    starts: NDArray[np.int32]  # (J + 1,) where each block starts; the last is D


class Scheduler(nn.Module):
    """Eq. 7: a logit from the hidden state, the inputs and, as the last of them, the sizes a linear gate cannot see."""

    gain = GATE_GAIN
    thresholds: Tensor  # (J,)
    middles: Tensor  # (J,)
    expand: Tensor  # (J, D) the dimensions of each block
    always: Tensor  # (D,) 1 where every step updates

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
        block = np.searchsorted(table.starts, np.arange(spec.hidden), side="right")  # 0: before the first one
        self.register_buffer("expand", torch.tensor(block[None] == np.arange(1, len(table.starts))[:, None]).float())
        self.register_buffer("always", torch.tensor(block == 0).float())

    def _table(self, spec: CellSpec) -> MaskTable:
        """Blocks between the levels' boundaries, open from midway between two of them (PAPER.md, point 5)."""
        thresholds = torch.tensor(spec.thresholds(), dtype=torch.float32)
        return MaskTable(thresholds, torch.sigmoid(thresholds), np.array(spec.boundaries, np.int32))

    @property
    def table(self) -> MaskTable:
        """What the mask is made by."""
        return MaskTable(self.thresholds, self.middles, self._starts)

    def start_at(self, signals: Tensor, share: float) -> None:
        """Set the bias so that the mean logit over signals (T, B, G) is that of a share in (0, 1)."""
        with torch.no_grad():
            wanted = torch.logit(torch.tensor(min(max(share, 0.02), 0.98)))
            self.bias.copy_(wanted - self.gain * (signals @ self.input).mean())

    def shift(self, logit: float) -> None:
        """Add to the bias."""
        with torch.no_grad():
            self.bias.add_(logit)

    def from_inputs(self, signals: Tensor) -> Tensor:
        """The part of the logit (T, B) that does not depend on the hidden state: one product for a whole window."""
        return self.gain * (signals @ self.input) + self.bias

    def mask(self, logit: Tensor, mode: MaskMode) -> tuple[Tensor, Tensor]:
        """Mask e (B, D) over the blocks and its mean (B,) from a logit (B,): eq. 8 and 11."""
        soft = torch.sigmoid(mode.sharpness * (torch.sigmoid(logit)[:, None] - self.middles))  # (B, J)
        if mode.hard:
            # exactly 0 or 1, with the gradient of the soft one
            soft = (logit[:, None] >= self.thresholds).to(soft.dtype) + (soft - soft.detach())
        elif mode.eps > 0:
            soft = soft.masked_fill(soft > 1 - mode.eps, 1.0).masked_fill(soft < mode.eps, 0.0)
        e = self.always + soft @ self.expand
        return e, e.mean(dim=1)


class PaperScheduler(Scheduler):
    """The paper's own: no gain, a mask for each dimension that is one half at i = m D, and d = ceil(m D)."""

    gain = 1.0

    def _table(self, spec: CellSpec) -> MaskTable:
        """Eq. 8 as printed; hard, dimension i is updated where m D > i - 1: dimension 1 always is."""
        i = torch.arange(1, spec.hidden + 1, dtype=torch.float32)
        starts = np.arange(spec.hidden + 1, dtype=np.int32)
        return MaskTable(torch.logit((i - 1) / spec.hidden), i / spec.hidden, starts)
