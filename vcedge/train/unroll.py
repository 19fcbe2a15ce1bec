"""Unrolls a gated cell over a window, with hand-written backpropagation through time: products in torch, the rest in C.

The plain loop of `cells.py` gives autograd about thirty nodes a step, which costs several times the arithmetic. Here a
step is one product and one call of the kernel (runtime/kernel/training/unroll.h), forward and backward; the
gradient of each weight is one product at the end. The numbers are the same up to rounding
(docs/decisions/0022-backpropagation-by-hand.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from vcedge.runtime.engine.native_support import native_problem
from vcedge.train.scheduler import MaskMode, MaskTable

if TYPE_CHECKING:
    from vcedge.runtime import _kernel

ISAS = {torch.float32: "auto", torch.float64: "strict"}
"""Number types that the kernel computes with, and the instruction set for each."""


class UnrollInputs(NamedTuple):
    """Groups the inputs of the cell for one window."""

    a: Tensor  # (T, B, GD) products of the inputs, with bias
    gate: Tensor  # (T, B) scheduler logit without the state's part; (0,) for a dense cell
    keep: Tensor  # (T, B) 0 where the state is reset
    start: Tensor  # (B, D) hidden state before the window


class UnrollWeights(NamedTuple):
    """Groups the weights that act on the hidden state."""

    recurrent: Tensor  # (GD, D)
    reset_bias: Tensor  # (D,), or (0,) without a reset gate
    gate_hidden: Tensor  # (D,) of the scheduler, its gain included; (0,) for a dense cell


def can_unroll(a: Tensor) -> bool:
    """Return whether the kernel is built and can compute with this tensor: float32 or float64, in main memory."""
    return a.device.type == "cpu" and a.dtype in ISAS and _has_unroll()


def unroll(inputs: UnrollInputs, weights: UnrollWeights, table: MaskTable, mode: MaskMode) -> tuple[Tensor, Tensor]:
    """Return the hidden states (T, B, D) and the updated shares (T, B)."""
    result: tuple[Tensor, Tensor] = _Unroll.apply(*inputs, *weights, table, mode)  # type: ignore[no-untyped-call]
    return result


class _Unroll(torch.autograd.Function):
    """Computes `unroll` and its gradients; `_UnrollArrays` holds the arrays."""

    @staticmethod
    def forward(ctx: Any, *args: Any) -> tuple[Tensor, Tensor]:
        *tensors, table, mode = args
        inputs = [tensor.detach().contiguous() for tensor in tensors]
        window = _UnrollArrays(inputs, table, mode)
        kernel = window.bind(())
        weights = window.recurrent.t()
        kernel.forward(0)
        for i, (operand, product) in enumerate(zip(window.operand.unbind(), window.products.unbind(), strict=True)):
            torch.mm(operand, weights, out=product)
            kernel.forward(i + 1)
        ctx.window = window
        ctx.save_for_backward(*inputs)  # torch then detects a weight that changes before the backward pass
        states, shares = window.states, window.shares
        window.states, window.shares = states.detach(), shares.detach()  # the context must not hold its own outputs
        return states, shares

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_states: Tensor, d_shares: Tensor) -> tuple[Tensor | None, ...]:
        window: _UnrollArrays = ctx.window
        _ = ctx.saved_tensors
        d_operand, d_products = torch.empty_like(window.start), torch.empty_like(window.products)
        d_a, d_gate = torch.empty_like(window.products), torch.empty_like(window.logits)
        d_start, d_gate_hidden = torch.zeros_like(window.start), torch.zeros_like(window.start)
        d_mask, slopes = torch.empty_like(window.start), torch.empty_like(window.table.middles)
        if window.blocks == 0:
            d_gate_hidden = d_gate_hidden[:0]
        kernel = window.bind(
            (
                *(d_states.contiguous(), d_shares.contiguous(), d_operand, d_products, d_a, d_gate),
                *(d_mask, slopes, d_start, d_gate_hidden),
            )
        )
        steps = d_products.unbind()
        kernel.backward(len(steps))
        for i in reversed(range(len(steps))):
            torch.mm(steps[i], window.recurrent, out=d_operand)
            kernel.backward(i)
        flat = d_products.flatten(0, 1)  # (TB, GD)
        d_recurrent = flat.t() @ window.operand.flatten(0, 1)
        d_reset_bias = flat[:, 2 * window.hidden :].sum(dim=0)
        d_weights = d_gate_hidden.sum(dim=0) if window.blocks else d_gate_hidden
        return d_a, d_gate, None, d_start, d_recurrent, d_reset_bias, d_weights, None, None


class _UnrollArrays:
    """Holds the arrays of one window and their sizes."""

    def __init__(self, inputs: list[Tensor], table: MaskTable, mode: MaskMode) -> None:
        self._inputs, self.table, self._mode = inputs, table, mode
        a, _, _, self.start, self.recurrent = inputs[:5]
        self._steps, batch, width = a.shape
        self.hidden = self.start.shape[1]
        self._gates, self.blocks = width // self.hidden, len(table.thresholds)
        shape = (self._steps, batch)
        self.operand = a.new_empty(*shape, self.hidden)
        self.products = torch.empty_like(a)
        self.states = torch.empty_like(self.operand)
        self.shares = a.new_empty(shape)
        self.logits = a.new_empty(shape if self.blocks else 0)
        self._candidate, self._mask = torch.empty_like(self.operand), torch.empty_like(self.start)
        self._open = a.new_empty(*shape, self.blocks)

    def bind(self, backward: tuple[Tensor, ...]) -> _kernel.Unroll:
        """Return the kernel bound to these arrays, in the order of runtime/kernel/training/unroll.h."""
        from vcedge.runtime import _kernel

        a, gate, keep, start, _, reset_bias, gate_hidden = self._inputs
        tensors = (
            *(a, gate, keep, start, gate_hidden, reset_bias, self.table.thresholds.to(a), self.table.middles.to(a)),
            *(self.operand, self.products, self._candidate, self.logits, self._open, self._mask),
            *(self.states, self.shares, *backward),
        )
        arrays = [tensor.numpy() for tensor in tensors]
        arrays.insert(8, self.table.starts)
        name = ISAS[a.dtype]
        return _kernel.Unroll(
            _kernel.isas()[_kernel.best() if name == "auto" else name],
            (self._steps, len(start), self.hidden, self._gates, self.blocks, self._mode.hard),
            self._mode.sharpness,
            self._mode.eps,
            tuple(arrays),
        )


def _has_unroll() -> bool:
    if native_problem() is not None:
        return False
    from vcedge.runtime import _kernel

    return hasattr(_kernel, "Unroll")
