"""Writes the recurrent cell as operators: one block of dimensions, all of them masked, or a tree of branches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vcedge.export.network import StoredNetwork
from vcedge.export.onnx.block import FLOAT, GraphBlock
from vcedge.schema import F32


class CellWriter:
    """Writes updates of one cell; int8 recurrent weights have one scale a column."""

    def __init__(self, net: StoredNetwork) -> None:
        self._cell, self._int8 = net.cell, net.int8

    def update(self, block: GraphBlock, x: str, h: str, k: int, name: str) -> str:
        """Return the new h (B, k) from h (B, k) and x (B, N), by the formulas of `vcedge.runtime.engine.numpy_cell`."""
        cell = self._cell
        gates = cell.spec.gates
        outside = block.product(x, _columns(cell.input[:, :k]), cell.bias[:, :k].ravel(), "cell/inputs")
        inside = self._recurrent(block, h, k)
        if gates == 1:  # an RNN, eq. 13
            return block.op("Tanh", [block.op("Add", [outside, inside], "cell/sum")], name)
        gates_x, candidate_x = block.split(outside, (2 * k, k), ["cell/gates_x", "cell/candidate_x"])
        gates_h, candidate_h = block.split(inside, (2 * k, k), ["cell/gates_h", "cell/candidate_h"])
        both = block.op("Sigmoid", [block.op("Add", [gates_x, gates_h], "cell/gates_sum")], "cell/gates")
        z, r = block.split(both, (k, k), ["cell/z", "cell/r"])
        kept = block.op("Mul", [r, candidate_h], "cell/r_candidate")
        c = block.op("Tanh", [block.op("Add", [candidate_x, kept], "cell/candidate_sum")], "cell/c")
        change = block.op("Mul", [z, block.op("Sub", [c, h], "cell/c_less_h")], "cell/change")
        return block.op("Add", [h, change], name)

    def masked(self, block: GraphBlock, x: str, h: str, level: str, name: str) -> str:
        """Return h (B, D) with the dimensions updated that a row's level (B, 1) covers, computed from those alone."""
        spec = self._cell.spec
        first = np.searchsorted(spec.boundaries, np.arange(spec.hidden), side="right") + 1
        firsts = block.constant("cell/first_level", first.astype(np.int32)[None])
        awake = block.op("GreaterOrEqual", [level, firsts], "cell/awake")
        zero = block.constant("zero", np.zeros(1, np.float32))
        used = block.op("Where", [awake, h, zero], "cell/h_awake")
        new = self.update(block, x, used, spec.hidden, "cell/h_new")
        return block.op("Where", [awake, new, h], name)

    def branches(self, block: GraphBlock, x: str, h: str, level: str, blocks: Sequence[int], name: str) -> str:
        """Return h (1, D) with the dimensions updated that the level (1, 1), one of `blocks` + 1, covers."""
        if len(blocks) == 1:
            return self._leaf(block, x, h, self._cell.spec.boundaries[blocks[0]], name)
        half = len(blocks) // 2
        lower, upper = blocks[:half], blocks[half:]
        limit = block.constant(f"level_{lower[-1] + 1}", np.array([lower[-1] + 1], np.int32))
        low = block.op("LessOrEqual", [level, limit], f"at_most_level_{lower[-1] + 1}")
        sides = []
        for side in (lower, upper):
            scope = f"levels_{side[0] + 1}_to_{side[-1] + 1}/" if len(side) > 1 else f"level_{side[0] + 1}/"
            sides.append(GraphBlock(scope))
            self.branches(sides[-1], x, h, level, side, "h_next")
        return block.branch(low, sides[0], sides[1], "h_next", self._cell.spec.hidden, name)

    def _leaf(self, block: GraphBlock, x: str, h: str, k: int, name: str) -> str:
        hidden = self._cell.spec.hidden
        if k == hidden:
            return self.update(block, x, h, k, name)
        head, tail = block.split(h, (k, hidden - k), ["h_awake", "h_asleep"])
        return block.op("Concat", [self.update(block, x, head, k, "cell/h_new"), tail], name, axis=1)

    def _recurrent(self, block: GraphBlock, h: str, k: int) -> str:
        """Return U h of all gates (B, G k), with the candidate's bias that the reset gate scales too."""
        cell = self._cell
        weights = _columns(cell.recurrent[:, :k, :k])
        bias = np.zeros(weights.shape[1], np.float32)
        if cell.spec.gates > 1:
            bias[2 * k :] = cell.reset_bias[:k]
        if not self._int8:
            return block.product(h, weights, bias, "cell/recurrent")
        scale = np.maximum(np.abs(weights).max(axis=0), np.finfo(np.float32).tiny) / 127
        rounded = np.clip(np.rint(weights / scale), -127, 127).astype(np.int8)
        small, step, zero = block.ops("DynamicQuantizeLinear", [h], ["cell/h_int8", "cell/h_scale", "cell/h_zero"])
        w = block.constant("cell/recurrent/W_int8", rounded)
        integers = block.op("MatMulInteger", [small, w, zero], "cell/recurrent_int32")
        wide = block.op("Cast", [integers], "cell/recurrent_float", to=FLOAT)
        scales = block.op(
            "Mul", [step, block.constant("cell/recurrent/scale", scale.astype(np.float32))], "cell/scales"
        )
        scaled = block.op("Mul", [wide, scales], "cell/recurrent_scaled")
        return block.op("Add", [scaled, block.constant("cell/recurrent/b", bias)], "cell/recurrent")


def _columns(weights: F32) -> F32:
    """Return weights (G, k, n) for W x as (n, G k) for x W, gates side by side."""
    return np.ascontiguousarray(weights.reshape(-1, weights.shape[2]).T)
