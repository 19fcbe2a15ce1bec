"""Writes the network as a graph: the scheduler's level, the cell in one of its layouts, the head. B is the batch.

`dense` computes everything and masks it: the reference, and the layout for a batch, whose streams differ in level.
`branches` is a tree of `If` over the levels, each with its own block of weights: only what is updated is computed.
"""

from __future__ import annotations

import numpy as np

from vcedge.detector import Cell
from vcedge.export.network import StoredNetwork
from vcedge.export.onnx.block import INT32, GraphBlock
from vcedge.export.onnx.cell import CellWriter

LAYOUTS = ("dense", "branches")


def write_network(
    block: GraphBlock, net: StoredNetwork, layout: str, floor: str = "min_level", correction: str = "correction"
) -> None:
    """Compute `level`, `h_next` and `correction` from `signals`, `h`, `floor` and `logit_bias` of the block.

    `vcedge.export.formats` has their shapes.
    """
    cell, spec = net.cell, net.cell.spec
    writer = CellWriter(net)
    if spec.levels == 1:
        batch = block.op("Shape", ["h"], "batch", start=0, end=1)
        block.op("Expand", [block.constant("one", np.array([1], np.int32)), batch], "level")
        writer.update(block, "signals", "h", spec.hidden, "h_next")
    else:
        level = _level(block, cell, floor)
        sizes = (spec.inputs, len(cell.gate_input) - spec.inputs)
        x, _ = block.split("signals", sizes, ["x", "scheduler/sizes"])
        if layout == "dense":
            writer.masked(block, x, "h", level, "h_next")
        else:
            writer.branches(block, x, "h", level, range(spec.levels), "h_next")
    weights, bias = net.head.shrunk
    block.product("h_next", weights.T, bias, correction)


def _level(block: GraphBlock, cell: Cell, floor: str) -> str:
    """Return the level (B, 1) int32 of eq. 7: 1 and the number of limits that the logit reaches, at least `floor`."""
    spec = cell.spec
    outside = block.product(
        "signals", cell.gate_input[:, None], np.array([cell.gate_bias], np.float32), "scheduler/signals"
    )
    memory = block.product("h", cell.gate_hidden[:, None], outside, "scheduler/memory")
    logit = block.op("Add", [memory, "logit_bias"], "scheduler/logit")
    limits = block.constant("scheduler/limits", spec.thresholds().astype(np.float32)[None])
    reached = block.op("GreaterOrEqual", [logit, limits], "scheduler/reached")
    number = block.op("Cast", [reached], "scheduler/reached_number", to=INT32)
    axis = block.constant("axis_1", np.array([1], np.int64))
    count = block.op("ReduceSum", [number, axis], "scheduler/count", keepdims=1)
    one = block.constant("one", np.array([1], np.int32))
    picked = block.op("Add", [count, one], "scheduler/picked")
    raised = block.op("Max", [picked, floor], "scheduler/raised")
    highest = block.constant("scheduler/highest", np.array([spec.levels], np.int32))
    level = block.op("Min", [raised, highest], "scheduler/level")
    block.op("Squeeze", [level, axis], "level")
    return level
