"""Defines the network, a gated cell with a linear head, and exports it to the arrays of a detector."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from vcedge.detector import Cell, CellSpec, Head
from vcedge.schema import F32
from vcedge.train.cells import CELLS, VariableCell
from vcedge.train.scheduler import GATE_GAIN, MaskMode


class ResidualModel(nn.Module):
    """Forecasts the highway's next residual (C,), in spreads, from the inputs so far."""

    def __init__(self, spec: CellSpec, channels: int) -> None:
        super().__init__()
        self.cell = CELLS[spec.kind](spec, spec.signals(channels), channels)
        self.head = nn.Linear(spec.hidden, channels)
        with torch.no_grad():
            self.head.weight.mul_(0.1)  # the first corrections are close to 0
            self.head.bias.zero_()

    def forward(
        self, x: Tensor, signals: Tensor, keep: Tensor, h: Tensor, mode: MaskMode
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return predictions (T, B, C), shares (T, B) and hidden states (T, B, D); see `VariableCell.forward`."""
        hidden, shares = self.cell(x, signals, keep, h, mode)
        return self.head(hidden), shares, hidden

    def start(self, streams: int) -> Tensor:
        """Return the initial hidden state (B, D) of this many streams."""
        return torch.zeros(streams, self.cell.spec.hidden)

    def export(self) -> tuple[Cell, Head]:
        """Return the network as arrays; shrinkage and error scale are 1 until calibration measures them."""
        return export_network(self.cell, self.head)


def export_network(cell: VariableCell, linear: nn.Linear) -> tuple[Cell, Head]:
    """Return a cell of CELLS and its linear head (C, D) as the arrays that an engine runs."""
    spec, gate, channels = cell.spec, cell.scheduler, linear.out_features
    exported = Cell(
        spec=spec,
        recurrent=_array(cell.recurrent).reshape(spec.gates, spec.hidden, spec.hidden),
        input=_array(cell.input).reshape(spec.gates, spec.hidden, spec.inputs),
        bias=_array(cell.bias).reshape(spec.gates, spec.hidden),
        reset_bias=_array(cell.reset_bias),
        gate_hidden=np.zeros(spec.hidden, np.float32) if gate is None else GATE_GAIN * _array(gate.hidden),
        gate_input=np.zeros(spec.signals(channels), np.float32) if gate is None else GATE_GAIN * _array(gate.input),
        gate_bias=0.0 if gate is None else float(gate.bias.detach()),
    )
    ones = np.ones(channels, np.float32)
    return exported, Head(_array(linear.weight), _array(linear.bias), ones, ones.copy())


def _array(tensor: Tensor) -> F32:
    return np.array(tensor.detach().cpu().numpy(), np.float32)
