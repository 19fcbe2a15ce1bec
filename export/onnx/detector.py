"""Writes the complete detector as a graph, from raw values to the score.

The formulas are those of `vcedge.runtime.engine.numpy_engine`.
`vcedge.runtime.exported.detector_engine` defines the interface; values have the names used there.
"""

from __future__ import annotations

import numpy as np

from vcedge.detector import Detector, Highway
from vcedge.export.network import network_of
from vcedge.export.onnx.block import BOOL, DOUBLE, FLOAT, INT32, GraphBlock
from vcedge.export.onnx.network import write_network
from vcedge.export.onnx.row import residual_of, write_row
from vcedge.export.onnx.scoring import write_score, write_scorer
from vcedge.export.onnx.squares import forecast
from vcedge.runtime.engine.state import WAKE_MEMORY, WAKE_NONE, WAKE_SURPRISE
from vcedge.scorer import ERROR_CAP


def write_detector(block: GraphBlock, detector: Detector, layout: str, *, int8: bool) -> None:
    """Compute the outputs of `vcedge.runtime.exported.detector_engine` from its inputs."""
    write_row(block, detector)
    _errors(block, detector)
    write_scorer(block, detector)
    write_score(block, detector.calibration)
    if detector.cell is None:
        block.op("Identity", [block.int32("one", 1)], "level")
        block.op("Identity", [block.int32("wake/none", WAKE_NONE)], "wake")
    else:
        _signals(block, detector)
        floor = _floor(block, detector)
        write_network(block, network_of(detector, int8=int8), layout, floor, "correction_next")
        _wake(block, detector)
    _remember(block, detector.highway)


def _errors(block: GraphBlock, detector: Detector) -> None:
    """Compute the highway's `residual` (1, C) in spreads, and `error` (1, C), the smaller of it and the network's."""
    zero, head = block.floats("zero", [0.0]), detector.head
    block.op("Where", ["early", zero, residual_of(block, detector, "z", "highway")], "residual")
    if head is None:
        block.op("Identity", ["residual"], "error")
        return
    corrected = block.op("Sub", ["residual", "correction"], "error/corrected")
    sizes = [block.op("Abs", [value], f"error/size_{name}") for name, value in (("c", corrected), ("r", "residual"))]
    better = block.op("Less", sizes, "error/network_is_better")
    smaller = block.op("Where", [better, corrected, "residual"], "error/smaller")
    scaled = block.op("Div", [smaller, block.floats("error/scale", head.error_scale)], "error/scaled")
    block.op("Where", ["early", zero, scaled], "error")


def _signals(block: GraphBlock, detector: Detector) -> None:
    """Compute `signals` (1, S): the cell's inputs, then the sizes that only the scheduler uses."""
    features = detector.features
    parts = ["z"]
    if features.flags:
        parts.append(block.op("Cast", ["gone"], "flags", to=FLOAT))
    if detector.levels > 1:
        started = block.op("Cast", ["seen"], "started", to=BOOL)
        previous = block.op("Where", [started, "last", "z"], "previous")
        change = block.op("Abs", [block.op("Sub", ["z", previous], "change/signed")], "change/size")
        relative = block.op("Div", [change, block.floats("change/scale", features.change_scale)], "change/relative")
        most = block.floats("features/most", features.clip)
        surprise = block.op("Abs", ["residual"], "residual/size")
        parts += [
            block.op("Abs", ["z"], "z/size"),
            block.op("Min", [relative, most], "change"),
            block.op("Min", [surprise, most], "residual/most"),
        ]
    if len(parts) == 1:
        block.op("Identity", parts, "signals")
    else:
        block.op("Concat", parts, "signals", axis=1)


def _floor(block: GraphBlock, detector: Detector) -> str:
    """Return the least level (1,): min_level, or the highest in the first ticks of a surprise, which are counted."""
    levels, limits = detector.levels, detector.calibration
    asked = block.op("Max", ["min_level", block.int32("one", 1)], "floor/at_least_1")
    floor = block.op("Min", [asked, block.int32("levels", levels)], "floor")
    if levels == 1:
        return floor
    squared = block.op("Mul", ["error", "error"], "surprise/squared")
    capped = block.op("Min", [squared, block.floats("error/cap", ERROR_CAP)], "surprise/capped")
    wide = block.op("Cast", [capped], "surprise/capped_double", to=DOUBLE)
    mean = block.op("ReduceMean", [wide], "surprise/mean", axes=[1], keepdims=0)
    above = block.op("Greater", [mean, block.doubles("surprise/limit", limits.surprise_limit)], "surprise")
    none, ticks = block.int32("none", 0), block.int32("surprise/ticks", limits.surprise_ticks)
    calm = block.op("Equal", ["calm", none], "surprise/was_calm")
    begins = block.op("And", [above, calm], "surprise/begins")
    forced = block.op("Where", [begins, ticks, "forced"], "surprise/forced")
    calmer = block.op("Max", [block.op("Sub", ["calm", block.int32("one", 1)], "calm/less"), none], "calm/calmer")
    block.op("Where", [above, ticks, calmer], "calm_next")
    fewer = block.op("Sub", [forced, block.int32("one", 1)], "forced/less")
    block.op("Max", [fewer, none], "forced_next")
    surprised = block.op("Greater", [forced, none], "surprised")
    return block.op("Where", [surprised, block.int32("levels", levels), floor], "floor/surprised")


def _wake(block: GraphBlock, detector: Detector) -> None:
    """Compute `wake` (1,), why the level is above the floor; see `vcedge.runtime.engine.numpy_cell.largest_term`."""
    assert detector.cell is not None
    cell, none = detector.cell, block.int32("wake/none", WAKE_NONE)
    if detector.levels == 1:
        block.op("Identity", [none], "wake")
        return
    terms = block.op("Mul", ["signals", block.floats("wake/weights", cell.gate_input[None])], "wake/terms")
    memory = block.op("MatMul", ["h", block.floats("wake/memory_weights", cell.gate_hidden[:, None])], "wake/memory")
    index = block.op("ArgMax", [terms], "wake/index", axis=1, keepdims=0)
    narrow = block.op("Cast", [index], "wake/input", to=INT32)
    most = block.op("ReduceMax", [terms], "wake/most", axes=[1], keepdims=1)
    inside = block.op("Less", [most, memory], "wake/memory_is_louder")
    flat = block.op("Reshape", [inside, block.constant("shape/1", np.array([1], np.int64))], "wake/is_memory")
    loudest = block.op("Where", [flat, block.int32("wake/memory_code", WAKE_MEMORY), narrow], "wake/loudest")
    awake = block.op("Greater", ["level", "floor"], "wake/above_floor")
    by_itself = block.op("Where", [awake, loudest, none], "wake/by_itself")
    forced = block.op("And", ["surprised", awake], "wake/forced")
    block.op("Where", [forced, block.int32("wake/surprise", WAKE_SURPRISE), by_itself], "wake")


def _remember(block: GraphBlock, highway: Highway) -> None:
    """Push the sample into the lags and forecast the next one from them."""
    older = block.rows("lags", 0, -1, "lags/older")
    block.op("Concat", ["z", older], "lags_next", axis=0)
    block.op("Add", ["seen", block.constant("one_long", np.array([1], np.int64))], "seen_next")
    forecast(block, highway, "lags_next", 0, "forecast_next")
