"""What every model of the comparison gives for a window: states, its cost, and what it carries to the next one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from benchmarks.paper.data import Window
from vcedge.train.scheduler import MaskMode

State = tuple[Tensor, ...]


@dataclass(frozen=True)
class Unrolled:
    """One window. Multiply-accumulates are counted a step and a sequence, those of the head left out."""

    hidden: Tensor  # (T, B, D)
    opened: Tensor  # (T, B) share of the hidden dimensions that was updated, with its gradient where it has one
    cost: Tensor  # (T, B) share of the dense cell's MACs that a budget is held on, likewise
    updated: Tensor  # (T, B) hidden dimensions that were updated
    recurrent: Tensor  # (T, B) MACs from the hidden state
    input: Tensor  # (T, B) MACs from the inputs
    scheduler: Tensor  # (T, B) MACs of whatever decides
    state: State


class Body(nn.Module, ABC):
    """The recurrent part of a model."""

    hidden: int
    exports = False
    """Whether it is a cell of model.vcedge."""

    @abstractmethod
    def start(self, batch: int) -> State:
        """What is carried before the first step."""

    @abstractmethod
    def forward(self, window: Window, state: State, mode: MaskMode) -> Unrolled:
        """Unroll over a window; the carried state keeps no gradient."""

    def begin(self, window: Window, opening: float) -> None:
        """Called once before the training, with its first window and the opening it is to start at."""

    def adapt(self, over: float) -> None:
        """Called after each training step with measured over wanted cost, less one: for what no gradient reaches."""

    def gate_parameters(self) -> list[nn.Parameter]:
        """Parameters of what decides, which learn more slowly."""
        return []


class Network(nn.Module):
    """A body and a linear head on its hidden state."""

    def __init__(self, body: Body, outputs: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(body.hidden, outputs)

    @property
    def head_macs(self) -> int:
        """MACs of the head a step."""
        return self.head.weight.numel()
