"""A gated cell over a window with backpropagation through time by hand: large products by torch, the rest in C.

The plain loop of `cells.py` leaves some thirty nodes a step to autograd, which costs several times the arithmetic. Here
a step is one product and one call of the kernel (runtime/kernel/training/unroll.h), forward and backward; the
gradients of the weights are one product each, at the end. Same numbers up to rounding: decision note 22.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from vcedge.runtime.engine.native_support import native_problem
from vcedge.train.scheduler import MaskMode, MaskTable

if TYPE_CHECKING:
    from vcedge.runtime import _kernel

KINDS = {torch.float32: "auto", torch.float64: "strict"}
"""Numbers that the kernel computes with, and which instruction set does."""


def can_unroll(a: Tensor) -> bool:
    """Whether the kernel can: it is built, and the numbers are float32 or float64 of this machine's memory."""
    return a.device.type == "cpu" and a.dtype in KINDS and _has_unroll()


def unroll(
    a: Tensor,
    gate: Tensor | None,
    keep: Tensor,
    start: Tensor,
    recurrent: Tensor,
    reset_bias: Tensor,
    gate_hidden: Tensor | None,
    table: MaskTable,
    mode: MaskMode,
) -> tuple[Tensor, Tensor]:
    """Hidden states (T, B, D) and updated shares (T, B).

    a (T, B, GD): products of the inputs, with bias; gate (T, B): the logit without the state; keep (T, B): 0 where the
    state starts anew; start (B, D); recurrent (GD, D); reset_bias (D,) or (0,); gate_hidden (D,), its gain included.
    gate and gate_hidden are None for a dense cell.
    """
    none = a.new_empty(0)
    found: tuple[Tensor, Tensor] = _Unroll.apply(  # type: ignore[no-untyped-call]
        a,
        none if gate is None else gate,
        keep,
        start,
        recurrent,
        reset_bias,
        none if gate_hidden is None else gate_hidden,
        table,
        mode,
    )
    return found


class _Unroll(torch.autograd.Function):
    """Forward and backward of `unroll`; `_Window` holds the arrays."""

    @staticmethod
    def forward(ctx: Any, *args: Any) -> tuple[Tensor, Tensor]:
        *tensors, table, mode = args
        inputs = [tensor.detach().contiguous() for tensor in tensors]
        window = _Window(inputs, table, mode)
        kernel = window.bind(())
        weights = window.recurrent.t()
        kernel.forward(0)
        for i, (operand, product) in enumerate(zip(window.operand.unbind(), window.products.unbind(), strict=True)):
            torch.mm(operand, weights, out=product)
            kernel.forward(i + 1)
        ctx.window = window
        ctx.save_for_backward(*inputs)  # so that torch notices a weight that changes before the gradient is taken
        states, shares = window.states, window.shares
        window.states, window.shares = states.detach(), shares.detach()  # the context must not hold its own outputs
        return states, shares

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_states: Tensor, d_shares: Tensor) -> tuple[Tensor | None, ...]:
        window: _Window = ctx.window
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


class _Window:
    """The arrays of one window, and their sizes."""

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
        """The kernel on these arrays, in the order of runtime/kernel/training/unroll.h."""
        from vcedge.runtime import _kernel

        a, gate, keep, start, _, reset_bias, gate_hidden = self._inputs
        tensors = (
            *(a, gate, keep, start, gate_hidden, reset_bias, self.table.thresholds.to(a), self.table.middles.to(a)),
            *(self.operand, self.products, self._candidate, self.logits, self._open, self._mask),
            *(self.states, self.shares, *backward),
        )
        arrays = [tensor.numpy() for tensor in tensors]
        arrays.insert(8, self.table.starts)
        name = KINDS[a.dtype]
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
