"""Writes what the readings have in common as operators: sums over channels, shares in them, nats. All is float64."""

from __future__ import annotations

import numpy as np

from vcedge.export.onnx.block import GraphBlock
from vcedge.scorer import HIGH_NATS, LEAST_DISTANCE, MOST_GROUP_NATS, Line

TINY = float(np.finfo(np.float64).tiny)


def row_sum(block: GraphBlock, x: str, name: str) -> str:
    """Return the sums (n, 1) of the rows of x (n, m)."""
    return block.op("ReduceSum", [x, block.constant("axis_1", np.array([1], np.int64))], name, keepdims=1)


def shares(block: GraphBlock, each: str, total: str, name: str) -> str:
    """Return what each channel has of the total (n, 1) of its row, 0 where that is 0."""
    tiny = block.doubles("tiny", [TINY])
    return block.op("Div", [each, block.op("Max", [total, tiny], f"{name}/total_above_0")], f"{name}/shares")


def line(block: GraphBlock, logarithm: str, to: Line, limits: tuple[float, float], name: str) -> str:
    """Return the nats of a logarithm, cut at two limits."""
    scaled = block.op("Mul", [logarithm, block.doubles(f"{name}/gain", [to.gain])], f"{name}/scaled")
    nats = block.op("Add", [scaled, block.doubles(f"{name}/offset", [to.offset])], f"{name}/line")
    borders = [
        block.doubles(f"{name}/{side}_nats", limit) for side, limit in zip(("least", "most"), limits, strict=True)
    ]
    return block.op("Clip", [nats, *borders], f"{name}/nats")


def excess(block: GraphBlock, value: str, to: Line, name: str) -> str:
    """Return the nats of a value beyond HIGH_NATS."""
    positive = block.op("Max", [value, block.doubles("least_distance", [LEAST_DISTANCE])], f"{name}/positive")
    nats = line(block, block.op("Log", [positive], f"{name}/log"), to, (0.0, MOST_GROUP_NATS), name)
    over = block.op("Sub", [nats, block.doubles("high_nats", [HIGH_NATS])], f"{name}/over")
    return block.op("Max", [over, block.doubles("zero_double", [0.0])], f"{name}/excess")
