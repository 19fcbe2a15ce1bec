"""Writes the distance to rows seen in training, and the deviation of the last cycle, as operators.

The formulas are those of `vcedge.runtime.engine.numpy_groups`. K centroids, M blocks of a cycle, C channels. Each
function returns the nats (1, 1) that its group adds to the statistic, and the channels' shares (1, C) in them.
"""

from __future__ import annotations

import numpy as np

from vcedge.export.onnx.block import DOUBLE, GraphBlock
from vcedge.export.onnx.nats import excess, row_sum, shares
from vcedge.schema import F32
from vcedge.scorer import SPREAD_OFFSET, Cycle, Distance


def write_distance(block: GraphBlock, distance: Distance) -> tuple[str, str]:
    """Measure the distance of `z` to the nearest centroid."""
    scaled = block.op("Mul", ["z", block.floats("distance/scale", distance.scale[None])], "distance/row")
    away = block.op("Sub", [scaled, block.floats("distance/centroids", distance.centroids)], "distance/away")
    squares = block.op("Mul", [away, away], "distance/squares")  # (K, C)
    totals = row_sum(block, squares, "distance/totals")  # (K, 1)
    index = block.op("ArgMin", [totals], "distance/nearest", axis=0, keepdims=0)  # (1,)
    nearest, least = (
        block.op("Cast", [block.op("Gather", [x, index], f"{name}_float", axis=0)], name, to=DOUBLE)
        for x, name in ((squares, "distance/of_channels"), (totals, "distance/least"))
    )
    mean = block.op("Div", [least, _live(block, distance.scale)], "distance/mean")
    beyond = excess(block, block.op("Sqrt", [mean], "distance"), distance.line, "distance")
    nats = block.op("Mul", [beyond, block.doubles("distance/weight", [distance.weight])], "distance/weighted")
    return nats, shares(block, nearest, least, "distance")


def write_cycle(block: GraphBlock, cycle: Cycle) -> tuple[str, str]:
    """Take the row into its block, and compare the last cycle if that is complete; compute the next `cycle_` states."""
    size, one = block.constant("cycle/block", np.array([cycle.block], np.int64)), _long(block, "one_long", 1)
    number = block.op("Div", ["seen", size], "cycle/number")
    slot = block.op("Mod", [number, _long(block, "cycle/blocks", cycle.blocks)], "cycle/slot")
    part = block.op("Add", ["cycle_part", _taken(block, cycle, slot)], "cycle/part")
    after = block.op("Add", ["seen", one], "cycle/rows")
    rest = block.op("Mod", [after, size], "cycle/rest")
    ends = block.op("Equal", [rest, _long(block, "zero_long", 0)], "cycle/block_ends")
    block.op("Where", [ends, block.doubles("zero_double", [0.0]), part], "cycle_part_next")
    slots = block.constant("cycle/slots", np.arange(cycle.blocks, dtype=np.int64)[:, None, None])
    here = block.op("And", [block.op("Equal", [slots, slot], "cycle/is_slot"), ends], "cycle/is_written")
    block.op("Where", [here, part, "cycle_ring"], "cycle_ring_next")
    whole = block.op("GreaterOrEqual", [after, _long(block, "cycle/period", cycle.period)], "cycle/is_whole")
    due = block.op("And", [ends, whole], "cycle/is_due")
    deviation = block.op("Where", [due, _deviation(block, cycle), "cycle_deviation"], "cycle_deviation_next")
    roots = block.op("Sqrt", [_mean(block, deviation, cycle)], "cycle/roots")  # (2, 1)
    product = block.op("Mul", _both(block, roots, "cycle/root"), "cycle/product")
    nats = excess(block, block.op("Sqrt", [product], "cycle/value"), cycle.line, "cycle")
    before = block.op(
        "Reshape", ["cycle_excess", block.constant("shape/1_1", np.array([1, 1], np.int64))], "cycle/before"
    )
    now = block.op("Where", [due, nats, before], "cycle/now")
    block.op("Reshape", [now, block.constant("shape/1", np.array([1], np.int64))], "cycle_excess_next")
    return now, _cycle_shares(block, deviation)


def _taken(block: GraphBlock, cycle: Cycle, slot: str) -> str:
    """Return values and squares (2, C) of the row; a missing value has the means of its block one cycle ago."""
    old = block.op("Gather", ["cycle_ring", slot], "cycle/replaced", axis=0)  # (1, 2, C)
    both = block.op("Squeeze", [old, block.constant("axis_0", np.zeros(1, np.int64))], "cycle/old")  # (2, C)
    means = block.op("Div", [both, block.doubles("cycle/block_double", [cycle.block])], "cycle/old_means")
    known = block.op("GreaterOrEqual", ["seen", _long(block, "cycle/period", cycle.period)], "cycle/is_known")
    filled = block.op("And", ["gone", known], "cycle/is_filled")
    row = block.op("Cast", ["z"], "cycle/z", to=DOUBLE)
    squares = block.op("Mul", [row, row], "cycle/row_squares")
    measured = block.op("Concat", [row, squares], "cycle/measured", axis=0)
    return block.op("Where", [filled, means, measured], "cycle/taken")


def _deviation(block: GraphBlock, cycle: Cycle) -> str:
    """Return the squared deviations (2, C) of the last cycle's mean and spread from those of training."""
    axis = block.constant("axis_0", np.zeros(1, np.int64))
    sums = block.op("ReduceSum", ["cycle_ring_next", axis], "cycle/sums", keepdims=0)
    means = block.op("Div", [sums, block.doubles("cycle/period_double", [cycle.period])], "cycle/means")
    mean, square = _both(block, means, "cycle/mean")
    variance = block.op("Sub", [square, block.op("Mul", [mean, mean], "cycle/mean_square")], "cycle/variance_or_less")
    positive = block.op("Max", [variance, block.doubles("zero_double", [0.0])], "cycle/variance")
    offset = block.doubles("cycle/spread_offset", [SPREAD_OFFSET])
    spread = block.op("Add", [block.op("Sqrt", [positive], "cycle/deviation"), offset], "cycle/spread")
    found = block.op("Concat", [mean, block.op("Log", [spread], "cycle/log_spread")], "cycle/found", axis=0)
    away = block.op("Sub", [found, block.doubles("cycle/usual", cycle.mean)], "cycle/away")
    scaled = block.op("Mul", [away, block.doubles("cycle/scale", cycle.scale)], "cycle/scaled_away")
    return block.op("Mul", [scaled, scaled], "cycle/deviations")


def _mean(block: GraphBlock, deviation: str, cycle: Cycle) -> str:
    total = row_sum(block, deviation, "cycle/deviation_totals")
    return block.op("Div", [total, _live(block, cycle.scale[0])], "cycle/deviation_means")


def _cycle_shares(block: GraphBlock, deviation: str) -> str:
    """Return the mean of the channels' shares in both deviations, over those that are not 0."""
    total = row_sum(block, deviation, "cycle/share_totals")
    each = shares(block, deviation, total, "cycle/each")
    both = block.op("ReduceSum", [each, block.constant("axis_0", np.zeros(1, np.int64))], "cycle/shares", keepdims=1)
    whole = row_sum(block, both, "cycle/share_sum")
    return shares(block, both, whole, "cycle/normal")


def _both(block: GraphBlock, x: str, name: str) -> list[str]:
    """Return the two rows of x (2, n)."""
    return [block.rows(x, row, row + 1, f"{name}_{row}") for row in (0, 1)]


def _live(block: GraphBlock, scale: F32) -> str:
    """Return the number of channels that moved in training, at least 1."""
    return block.doubles("live_channels", [float(max(int((scale > 0).sum()), 1))])


def _long(block: GraphBlock, name: str, value: int) -> str:
    return block.constant(name, np.array([value], np.int64))
