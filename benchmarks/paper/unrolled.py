"""Defines the interface of the compared models: the result of a window, and the state carried to the next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from benchmarks.paper.data import LaneWindow
from vcedge.train.scheduler import MaskMode

State = tuple[Tensor, ...]


@dataclass(frozen=True)
class Unrolled:
    """Holds the result of one window. MACs count for each step and sequence, without the head."""

    hidden: Tensor  # (T, B, D)
    opened: Tensor  # (T, B) share of the hidden dimensions that was updated, with its gradient if it has one
    cost: Tensor  # (T, B) share of the dense cell's MACs that the budget bounds, likewise
    updated: Tensor  # (T, B) hidden dimensions that were updated
    recurrent: Tensor  # (T, B) MACs from the hidden state
    input: Tensor  # (T, B) MACs from the inputs
    scheduler: Tensor  # (T, B) MACs of the gate
    state: State


class Body(nn.Module, ABC):
    """Computes the recurrent part of a model."""

    hidden: int
    exports = False
    """True if model.vcedge can hold the cell."""

    @abstractmethod
    def start(self, batch: int) -> State:
        """Return the state before the first step."""

    @abstractmethod
    def forward(self, window: LaneWindow, state: State, mode: MaskMode) -> Unrolled:
        """Unroll over a window; the carried state keeps no gradient."""

    def begin(self, window: LaneWindow, opening: float) -> None:
        """Initialise the gate before the training, from the first window and the initial opening."""

    def adapt(self, over: float) -> None:
        """Adapt, after a step without a gradient for the gate, to the relative excess of the cost over its target."""

    def gate_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the gate, which learn more slowly."""
        return []


class BodyWithHead(nn.Module):
    """Combines a body and a linear head on its hidden state."""

    def __init__(self, body: Body, outputs: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(body.hidden, outputs)

    @property
    def head_macs(self) -> int:
        """MACs of the head for each step."""
        return self.head.weight.numel()
