"""Writes the scorer as operators: the statistic, the channels' contributions to it, and the score.

The formulas are those of `vcedge.runtime.engine.numpy_scorer`. R readings, C channels.
"""

from __future__ import annotations

import numpy as np

from vcedge.detector import Detector
from vcedge.export.onnx.block import GraphBlock
from vcedge.export.onnx.groups import write_cycle, write_distance
from vcedge.export.onnx.nats import line, row_sum, shares
from vcedge.export.onnx.readings import write_readings
from vcedge.export.onnx.squares import write_squares
from vcedge.limits import MAX_POWER, Calibration
from vcedge.scorer import LEAST_NATS, MOST_NATS


def write_scorer(block: GraphBlock, detector: Detector) -> None:
    """Compute `raw` (1,), `contributions` (1, C), `readings` and the next state of the scorer."""
    scorer = detector.scorer
    write_squares(block, detector)
    logs, share = write_readings(block, detector)
    weighted = block.op("Mul", [logs, block.doubles("readings/weights", scorer.weights[:, None])], "readings/weighted")
    axis_0 = block.constant("axis_0", np.zeros(1, np.int64))
    total = block.op("ReduceSum", [weighted, axis_0], "readings/logarithm", keepdims=1)
    nats = line(block, total, scorer.line, (LEAST_NATS, MOST_NATS), "readings")
    zero = block.doubles("zero_double", [0.0])
    above = block.op("Max", [weighted, zero], "contributions/above_usual")
    gain = block.doubles("readings/gain", [scorer.line.gain])
    each = block.op("Mul", [block.op("Mul", [above, gain], "contributions/of_readings"), share], "contributions/each")
    parts = block.op("ReduceSum", [each, axis_0], "contributions/readings", keepdims=1)
    groups = [] if scorer.distance is None else [("distance", write_distance(block, scorer.distance))]
    groups += [] if scorer.cycle is None else [("cycle", write_cycle(block, scorer.cycle))]
    for name, (added, split) in groups:
        nats = block.op("Add", [nats, added], f"raw/with_{name}")
        of_group = block.op("Mul", [added, split], f"contributions/of_{name}")
        parts = block.op("Add", [parts, of_group], f"contributions/with_{name}")
    block.op("Reshape", [nats, block.constant("shape/1", np.array([1], np.int64))], "raw")
    _contribute(block, parts, detector.channels)


def write_score(block: GraphBlock, calibration: Calibration) -> None:
    """Compute `score` (1,) of `raw` (1,); see `Calibration.score`."""
    below = block.op("Sub", [block.doubles("score/threshold", [calibration.threshold]), "raw"], "score/below")
    power = block.op("Mul", [below, block.doubles("score/steepness", [calibration.steepness])], "score/power")
    limits = [
        block.doubles(f"score/{name}_power", value) for name, value in (("least", -MAX_POWER), ("most", MAX_POWER))
    ]
    odds = block.op("Exp", [block.op("Clip", [power, *limits], "score/power_within")], "score/odds")
    one = block.doubles("one_double", [1.0])
    block.op("Div", [one, block.op("Add", [one, odds], "score/odds_and_1")], "score")


def _contribute(block: GraphBlock, parts: str, channels: int) -> None:
    """Compute `contributions`: the parts (1, C) scaled so that they sum to `raw`, or to 0 if that is negative."""
    zero = block.doubles("zero_double", [0.0])
    positive = block.op("Max", ["raw", zero], "contributions/positive")
    total = row_sum(block, parts, "contributions/total")
    split = shares(block, parts, total, "contributions")
    even = block.doubles("contributions/even", np.full((1, channels), 1 / channels))
    some = block.op("Greater", [total, zero], "contributions/are_some")
    block.op("Mul", [block.op("Where", [some, split, even], "contributions/split"), positive], "contributions")
