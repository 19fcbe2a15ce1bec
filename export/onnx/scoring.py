"""Writes the scorer as operators: smoothed errors fused to the statistic, and the score.

The formulas are those of `vcedge.runtime.engine.numpy_scorer`.
P parts, C channels. Smoothing and fusion are in float64, as in the engines.
"""

from __future__ import annotations

import numpy as np

from vcedge.detector import ERROR_CAP, LEAST_PART, Detector, Highway
from vcedge.export.onnx.block import DOUBLE, GraphBlock
from vcedge.limits import MAX_POWER, Calibration

TINY = float(np.finfo(np.float64).tiny)


def write_scorer(block: GraphBlock, detector: Detector) -> None:
    """Compute `raw`, `contributions`, `parts`, `smooth_next` of `z`, `error`, `unknown`, `lags`, `smooth`, `seen`."""
    scorer = detector.scorer
    kinds = {"error": _whitened(block, detector), "horizon": _horizon(block, detector)}
    kinds["reconstruction"] = _reconstruction(block, detector)
    rows = {"error": detector.highway.order, "horizon": scorer.horizon.reach}
    rows["reconstruction"] = scorer.reconstruction.lags[-1]
    parts = scorer.parts
    squared = block.op("Concat", [kinds[part.kind] for part in parts], "parts/squared", axis=0)  # (P, C)
    needed = block.constant("parts/rows_needed", np.array([[rows[part.kind]] for part in parts], np.int64))
    ready = block.op("GreaterOrEqual", ["seen", needed], "parts/ready")
    _smooth(block, detector, squared, ready)
    _fuse(block, detector)


def forecast(block: GraphBlock, highway: Highway, lags: str, first: int, name: str) -> str:
    """Return the highway's forecast (1, C) from the rows of `lags` from number `first` on, newest first."""
    rows = block.rows(lags, first, first + highway.order, f"{name}/rows")
    flat = block.op("Reshape", [rows, block.constant("shape/1_all", np.array([1, -1], np.int64))], f"{name}/flat")
    return block.product(flat, highway.weights[1:], highway.weights[0], name)


def write_score(block: GraphBlock, calibration: Calibration) -> None:
    """Compute `score` (1,) of `raw` (1,); see `Calibration.score`."""
    tiny = block.doubles("score/tiny", [TINY])
    size = block.op("Log", [block.op("Max", ["raw", tiny], "score/positive")], "score/log_raw")
    below = block.op(
        "Sub", [block.doubles("score/log_threshold", [np.log(calibration.threshold)]), size], "score/below"
    )
    power = block.op("Mul", [below, block.doubles("score/steepness", [calibration.steepness])], "score/power")
    limits = [
        block.doubles(f"score/{name}_power", value) for name, value in (("least", -MAX_POWER), ("most", MAX_POWER))
    ]
    odds = block.op("Exp", [block.op("Clip", [power, *limits], "score/power_within")], "score/odds")
    one = block.doubles("one_double", [1.0])
    share = block.op("Div", [one, block.op("Add", [one, odds], "score/odds_and_1")], "score/share")
    positive = block.op("Greater", ["raw", block.doubles("zero_double", [0.0])], "score/raw_is_positive")
    block.op("Where", [positive, share, block.doubles("zero_double", [0.0])], "score")


def _whitened(block: GraphBlock, detector: Detector) -> str:
    white = block.op("MatMul", ["error", block.floats("whiten/W", detector.scorer.whiten)], "whitened")
    return _known(block, white, "whitened")


def _horizon(block: GraphBlock, detector: Detector) -> str:
    highway = detector.scorer.horizon
    ahead = forecast(block, highway, "lags", highway.ahead - 1, "horizon/forecast")
    missed = block.op("Sub", ["z", ahead], "horizon/missed")
    unbiased = block.op("Sub", [missed, block.floats("horizon/bias", highway.bias)], "horizon/unbiased")
    error = block.op("Div", [unbiased, block.floats("horizon/spread", highway.spread)], "horizon/error")
    return _known(block, error, "horizon")


def _reconstruction(block: GraphBlock, detector: Detector) -> str:
    model = detector.scorer.reconstruction
    rows = ["z", *(block.rows("lags", lag - 1, lag, f"window/row_{lag}") for lag in model.lags[1:])]
    joined = block.op("Concat", rows, "window/rows", axis=1)
    window = block.op("Sub", [joined, block.floats("window/mean", model.mean)], "window")
    inside = block.op("MatMul", [window, block.floats("components/transposed", model.components.T)], "components/sizes")
    again = block.op("MatMul", [inside, block.floats("components", model.components)], "window/again")
    left = block.op("Sub", [window, again], "window/left")
    shape = block.constant("shape/lags_channels", np.array([len(model.lags), -1], np.int64))
    by_lag = block.op("Reshape", [block.op("Mul", [left, left], "window/squared"), shape], "window/by_lag")
    axis = block.constant("axis_0", np.zeros(1, np.int64))
    return _known(
        block, block.op("ReduceSum", [by_lag, axis], "window/error", keepdims=1), "reconstruction", squared=True
    )


def _known(block: GraphBlock, error: str, name: str, *, squared: bool = False) -> str:
    """Return capped squares (1, C) in float64; unknown channels get the mean of the known ones."""
    square = error if squared else block.op("Mul", [error, error], f"{name}/squared")
    capped = block.op("Min", [square, block.floats("error/cap", ERROR_CAP)], f"{name}/capped")
    wide = block.op("Cast", [capped], f"{name}/double", to=DOUBLE)
    zero, one = block.doubles("zero_double", [0.0]), block.doubles("one_double", [1.0])
    axis = block.constant("axis_1", np.array([1], np.int64))
    counted = block.op("Where", ["unknown", zero, wide], f"{name}/known")
    total = block.op("ReduceSum", [counted, axis], f"{name}/known_sum", keepdims=1)
    ones = block.op("Where", ["unknown", zero, one], f"{name}/is_known")
    count = block.op("Max", [block.op("ReduceSum", [ones, axis], f"{name}/count", keepdims=1), one], f"{name}/rows")
    mean = block.op("Div", [total, count], f"{name}/known_mean")
    return block.op("Where", ["unknown", mean, wide], f"{name}/row")


def _smooth(block: GraphBlock, detector: Detector, squared: str, ready: str) -> None:
    """Compute `smooth_next` (P, C); a new state begins with `ScorerPart.initial`."""
    parts = detector.scorer.parts
    initial = [[part.initial] for part in parts]
    fresh = block.op("Equal", ["seen", block.constant("zero_long", np.zeros(1, np.int64))], "parts/fresh")
    before = block.op("Where", [fresh, block.doubles("parts/initial", initial), "smooth"], "parts/before")
    alpha = block.doubles("parts/alpha", [[part.alpha] for part in parts])
    change = block.op("Mul", [alpha, block.op("Sub", [squared, before], "parts/distance")], "parts/change")
    block.op("Where", [ready, block.op("Add", [before, change], "parts/moved"), before], "smooth_next")


def _fuse(block: GraphBlock, detector: Detector) -> None:
    """Compute the weighted geometric mean of the parts over their usual values, and each channel's contribution."""
    parts = detector.scorer.parts
    axis, axis_0 = block.constant("axis_1", np.array([1], np.int64)), block.constant("axis_0", np.zeros(1, np.int64))
    flat = block.constant("parts/are_sums", np.array([[part.kind == "reconstruction"] for part in parts]))
    root = block.op("Sqrt", ["smooth_next"], "parts/roots")
    share = block.op("Where", [flat, "smooth_next", root], "parts/shares")  # (P, C)
    total = block.op("ReduceSum", [share, axis], "parts/totals", keepdims=1)  # (P, 1)
    block.op("Div", [total, block.doubles("channels", [float(detector.channels)])], "parts")
    weights = block.doubles("parts/weights", [[part.weight] for part in parts])
    tiny = block.doubles("parts/tiny", [TINY])
    each = block.op("Div", [weights, block.op("Max", [total, tiny], "parts/totals_above_0")], "parts/weight_each")
    some = block.op("Greater", [total, block.doubles("zero_double", [0.0])], "parts/has_some")
    factor = block.op("Where", [some, each, block.doubles("zero_double", [0.0])], "parts/factors")
    by_part = block.op("Mul", [factor, share], "contributions/by_part")
    parts_of = block.op("ReduceSum", [by_part, axis_0], "contributions/shares", keepdims=1)  # (1, C)
    usual = block.doubles("parts/usual", [[part.usual] for part in parts])
    least = block.doubles("parts/least", [LEAST_PART])
    relative = block.op("Max", [block.op("Div", ["parts", usual], "parts/over_usual"), least], "parts/relative")
    logs = block.op("Mul", [block.op("Log", [relative], "parts/logs"), weights], "parts/weighted_logs")
    both = block.constant("axes_0_1", np.array([0, 1], np.int64))
    sum_ = block.op("ReduceSum", [logs, both], "raw/log_0d", keepdims=0)
    one = block.constant("shape/1", np.array([1], np.int64))
    raw = block.op("Exp", [block.op("Reshape", [sum_, one], "raw/log")], "raw")
    whole = block.op("ReduceSum", [parts_of, axis], "contributions/whole", keepdims=1)
    scale = block.op("Div", [raw, block.op("Max", [whole, tiny], "contributions/whole_above_0")], "contributions/scale")
    scaled = block.op("Mul", [parts_of, scale], "contributions/scaled")
    even = block.op("Div", [raw, block.doubles("channels", [float(detector.channels)])], "contributions/even")
    any_ = block.op("Greater", [whole, block.doubles("zero_double", [0.0])], "contributions/are_some")
    block.op("Where", [any_, scaled, even], "contributions_any")
    block.op("Expand", ["contributions_any", block.op("Shape", [parts_of], "contributions/shape")], "contributions")
