"""Recurrent cells for training. Equation numbers are those of Jernite et al. 2017 (arXiv 1611.06188v2).

A cell unrolls over a window with the state carried; what is exported from it is what the engines run. Inputs are few
and stay unmasked (PAPER.md, point 8): xbar of eq. 12 is x.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vcedge.detector import CellKind, CellSpec

GATE_GAIN = 5.0
"""Factor on the scheduler's logit: with 1 the gate hardly moves within the length of a training (PAPER.md, point 1)."""
GATE_PRIOR = 0.3
"""Initial weight of change and error in the scheduler: a gate that starts blind to them often stays constant."""


@dataclass(frozen=True)
class MaskMode:
    """How the mask is computed: `sharpness` is lam D of eq. 8; `hard` is the exported form, straight-through."""

    sharpness: float
    hard: bool


class Scheduler(nn.Module):
    """Eq. 7: a logit from the hidden state, the inputs and the sizes that a linear gate cannot see."""

    thresholds: Tensor  # (L-1,) logits from which the next level is taken
    middles: Tensor  # (L-1,) the same as shares m
    expand: Tensor  # (L, D) which dimensions each level adds

    def __init__(self, spec: CellSpec, signals: int, sizes: int) -> None:
        super().__init__()
        self.hidden = nn.Parameter(torch.zeros(spec.hidden))
        weights = torch.zeros(signals)
        weights[-2 * sizes :] = GATE_PRIOR / sizes**0.5
        self.input = nn.Parameter(weights)
        self.bias = nn.Parameter(torch.zeros(()))
        thresholds = torch.tensor(spec.thresholds(), dtype=torch.float32)
        self.register_buffer("thresholds", thresholds)
        self.register_buffer("middles", torch.sigmoid(thresholds))
        steps = torch.diff(torch.tensor((0, *spec.boundaries)))
        self.register_buffer("expand", torch.repeat_interleave(torch.eye(spec.levels), steps, dim=1))

    def start_at(self, signals: Tensor, share: float) -> None:
        """Set the bias so that the mean logit over signals (T, B, G) is that of a share in (0, 1)."""
        with torch.no_grad():
            wanted = torch.logit(torch.tensor(min(max(share, 0.02), 0.98)))
            self.bias.copy_(wanted - GATE_GAIN * (signals @ self.input).mean())

    def from_inputs(self, signals: Tensor) -> Tensor:
        """The part of the logit (T, B) that does not depend on the hidden state: one product for a whole window."""
        return GATE_GAIN * (signals @ self.input) + self.bias

    def mask(self, logit: Tensor, mode: MaskMode) -> tuple[Tensor, Tensor]:
        """Mask e (B, D) over the levels' blocks and its mean (B,) from a logit (B,): eq. 8, centred, without eps."""
        soft = torch.sigmoid(mode.sharpness * (torch.sigmoid(logit)[:, None] - self.middles))  # (B, L-1)
        if mode.hard:
            soft = (logit[:, None] >= self.thresholds).float() + (soft - soft.detach())  # exactly 0 or 1
        open_levels = torch.cat((torch.ones_like(soft[:, :1]), soft), dim=1)  # level 1 is always updated
        e = open_levels @ self.expand
        return e, e.mean(dim=1)


class VariableCell(nn.Module, ABC):
    """What the kinds share: G blocks of weights, the scheduler, the unrolling. A kind adds its `update`."""

    reset_bias: Tensor  # (D,), or (0,) where there is no reset gate

    def __init__(self, spec: CellSpec, signals: int, sizes: int) -> None:
        super().__init__()
        width = spec.gates * spec.hidden
        bound = spec.hidden**-0.5
        self.spec = spec
        self.recurrent = nn.Parameter(torch.empty(width, spec.hidden).uniform_(-bound, bound))  # (GD, D) U
        self.input = nn.Parameter(torch.empty(width, spec.inputs).uniform_(-bound, bound))  # (GD, N) V
        self.bias = nn.Parameter(torch.zeros(width))
        self.scheduler = Scheduler(spec, signals, sizes) if spec.levels > 1 else None

    def forward(self, x: Tensor, signals: Tensor, keep: Tensor, h: Tensor, mode: MaskMode) -> tuple[Tensor, Tensor]:
        """Unroll over a window.

        x (T, B, N), signals (T, B, N + 3C), keep (T, B, 1): 0 where the state starts anew, h (B, D) →
        hidden states (T, B, D) and updated shares (T, B), k/D where the mask is hard.
        """
        a = x @ self.input.T + self.bias  # (T, B, GD)
        gate = None if self.scheduler is None else self.scheduler.from_inputs(signals)
        hidden, shares = [], []
        for t in range(len(x)):
            h = h * keep[t]
            h, share = self.step(a[t], None if gate is None else gate[t], h, mode)
            hidden.append(h)
            shares.append(share)
        return torch.stack(hidden), torch.stack(shares)

    def step(self, a: Tensor, gate: Tensor | None, h: Tensor, mode: MaskMode) -> tuple[Tensor, Tensor]:
        """One step from the inputs' product a (B, GD) and the gate's logit without the state (B,)."""
        if self.scheduler is None or gate is None:
            e, share = torch.ones_like(h), torch.ones_like(h[:, 0])
        else:
            logit = gate + GATE_GAIN * (h @ self.scheduler.hidden)
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
