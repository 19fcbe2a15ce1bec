"""Writes the squared errors of a row as operators: of forecasts, whitened and single, and of its reconstruction.

The formulas are those of `vcedge.runtime.engine.numpy_scorer`. C channels.
"""

from __future__ import annotations

import numpy as np

from vcedge.detector import Detector, Highway
from vcedge.export.onnx.block import DOUBLE, GraphBlock
from vcedge.export.onnx.row import is_sensor
from vcedge.scorer import ERROR_CAP


def write_squares(block: GraphBlock, detector: Detector) -> None:
    """Compute `squares` (4, C) float64 in the order of KINDS, 0 for channels without a forecast, of `z` and `error`."""
    kinds = [_whitened(block, detector), _single(block), _ahead(block, detector), _window(block, detector)]
    joined = block.op("Concat", kinds, "squares/joined", axis=0)
    capped = block.op("Min", [joined, block.floats("error/cap", ERROR_CAP)], "squares/capped")
    zero = block.floats("zero", [0.0])
    of_sensors = block.op("Where", [is_sensor(block, detector), capped, zero], "squares/of_sensors")
    block.op("Cast", [of_sensors], "squares", to=DOUBLE)


def forecast(block: GraphBlock, highway: Highway, lags: str, first: int, name: str) -> str:
    """Return the highway's forecast (1, C) from the rows of `lags` from number `first` on, newest first."""
    rows = block.rows(lags, first, first + highway.order, f"{name}/rows")
    flat = block.op("Reshape", [rows, block.constant("shape/1_all", np.array([1, -1], np.int64))], f"{name}/flat")
    return block.product(flat, highway.weights[1:], highway.weights[0], name)


def _whitened(block: GraphBlock, detector: Detector) -> str:
    white = block.op("MatMul", ["error", block.floats("whiten/W", detector.scorer.whiten)], "whitened")
    return block.op("Mul", [white, white], "whitened/squared")


def _single(block: GraphBlock) -> str:
    return block.op("Mul", ["error", "error"], "single/squared")


def _ahead(block: GraphBlock, detector: Detector) -> str:
    highway = detector.scorer.horizon
    ahead = forecast(block, highway, "lags", highway.ahead - 1, "ahead/forecast")
    missed = block.op("Sub", ["z", ahead], "ahead/missed")
    unbiased = block.op("Sub", [missed, block.floats("ahead/bias", highway.bias)], "ahead/unbiased")
    error = block.op("Div", [unbiased, block.floats("ahead/spread", highway.spread)], "ahead/error")
    return block.op("Mul", [error, error], "ahead/squared")


def _window(block: GraphBlock, detector: Detector) -> str:
    model = detector.scorer.reconstruction
    rows = ["z", *(block.rows("lags", lag - 1, lag, f"window/row_{lag}") for lag in model.lags[1:])]
    joined = block.op("Concat", rows, "window/rows", axis=1)
    window = block.op("Sub", [joined, block.floats("window/mean", model.mean)], "window")
    inside = block.op("MatMul", [window, block.floats("components/transposed", model.components.T)], "components/sizes")
    again = block.op("MatMul", [inside, block.floats("components", model.components)], "window/again")
    left = block.op("Sub", [window, again], "window/left")
    shape = block.constant("shape/lags_channels", np.array([len(model.lags), -1], np.int64))
    by_lag = block.op("Reshape", [block.op("Mul", [left, left], "window/left_squared"), shape], "window/by_lag")
    axis = block.constant("axis_0", np.zeros(1, np.int64))
    return block.op("ReduceSum", [by_lag, axis], "window/squared", keepdims=1)
