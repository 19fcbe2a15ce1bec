"""Writes standardisation as operators, and how missing values are filled in.

The formulas are those of `vcedge.runtime.engine.numpy_engine`. C channels.
"""

from __future__ import annotations

import numpy as np

from vcedge.detector import Detector
from vcedge.export.onnx.block import FLOAT, GraphBlock


def write_row(block: GraphBlock, detector: Detector) -> None:
    """Compute `gone` (1, C), which values are missing, `z` (1, C), the row without holes, and `last`, the row before.

    `early` (1,) is true as long as the state has too few rows for a forecast.
    """
    order = block.constant("highway/order", np.array([detector.highway.order], np.int64))
    block.op("Less", ["seen", order], "early")
    block.rows("lags", 0, 1, "last")
    held = _standardise(block, detector)
    _fill(block, detector, held)


def residual_of(block: GraphBlock, detector: Detector, row: str, name: str) -> str:
    """Return the errors (1, C) of the highway's forecast of `row`, in spreads, 0 for channels that are no sensors."""
    highway = detector.highway
    missed = block.op("Sub", [row, "forecast"], f"{name}/missed")
    level = block.op("Sub", [missed, block.floats("highway/bias", highway.bias)], f"{name}/unbiased")
    spreads = block.op("Div", [level, block.floats("highway/spread", highway.spread)], f"{name}/spreads")
    return block.op("Where", [is_sensor(block, detector), spreads, block.floats("zero", [0.0])], f"{name}/of_sensors")


def is_sensor(block: GraphBlock, detector: Detector) -> str:
    """Return which channels (1, C) are forecast."""
    return block.constant("is_sensor", detector.sensors[None])


def _standardise(block: GraphBlock, detector: Detector) -> str:
    """Compute `gone`, and return the standardised row (1, C); a missing value is that of the row before."""
    features = detector.features
    # inf - inf and NaN - NaN are NaN: one operator finds both
    odd = block.op("IsNaN", [block.op("Sub", ["values", "values"], "values/zero_or_nan")], "values/odd")
    block.op("Or", ["missing", odd], "gone")
    centred = block.op("Sub", ["values", block.doubles("features/center", features.center)], "values/centred")
    wide = block.op("Div", [centred, block.doubles("features/scale", features.scale)], "values/standardised")
    low = block.doubles("features/lowest", -features.clip)
    high = block.doubles("features/highest", features.clip)
    usable = block.op("Where", ["gone", block.doubles("zero_double", [0.0]), wide], "values/usable")
    clipped = block.op("Clip", [usable, low, high], "values/clipped")
    narrow = block.op("Cast", [clipped], "z_measured", to=FLOAT)
    return block.op("Where", ["gone", "last", narrow], "z_held")


def _fill(block: GraphBlock, detector: Detector, held: str) -> None:
    """Compute `z`: a missing sensor has its forecast plus what the errors of the present ones say about it."""
    highway, clip = detector.highway, detector.features.clip
    zero = block.floats("zero", [0.0])
    known = block.op("Where", ["gone", zero, residual_of(block, detector, held, "present")], "present/known")
    implied = block.op("MatMul", [known, block.floats("fill/W", detector.scorer.fill.T)], "fill/error")
    error = block.op("Mul", [implied, block.floats("highway/spread", highway.spread)], "fill/scaled")
    usual = block.op("Add", ["forecast", block.floats("highway/bias", highway.bias)], "fill/forecast")
    limits = [block.floats("fill/lowest", -clip), block.floats("fill/highest", clip)]
    filled = block.op("Clip", [block.op("Add", [usual, error], "fill/sum"), *limits], "fill/clipped")
    of_sensor = block.op("And", ["gone", is_sensor(block, detector)], "fill/of_sensor")
    ready = block.op("Not", ["early"], "fill/ready")
    block.op("Where", [block.op("And", [of_sensor, ready], "fill/is_due"), filled, held], "z")
