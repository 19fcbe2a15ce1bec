"""Writes the readings of a row as operators: smoothed errors, their amounts and rarities, and novelty.

The formulas are those of `vcedge.runtime.engine.numpy_scorer`, in float64. T tracks, R readings, C channels.
"""

from __future__ import annotations

import numpy as np

from vcedge.detector import Detector
from vcedge.export.onnx.block import GraphBlock
from vcedge.export.onnx.nats import row_sum, shares
from vcedge.export.onnx.row import is_sensor
from vcedge.scorer import (
    KINDS,
    LEAST_RATIO,
    LEAST_SMOOTH,
    MOST_RARE,
    NOVELTY_REST,
    NOVELTY_SPAN,
    TRACKS,
    alpha_of,
)


def write_readings(block: GraphBlock, detector: Detector) -> tuple[str, str]:
    """Compute `smooth_next`, `novelty_next` and `readings` (R, 1) of `squares`, `values` and the state.

    Return the logarithms (R, 1) of the readings over their usual values, and the channels' shares (R, C) in each.
    """
    _smooth(block, detector)
    groups = (_amounts(block, detector), _rarities(block, detector), _novelty(block, detector))
    rows: list[int] = []
    for index, track in enumerate(TRACKS):
        rows += [len(TRACKS) + index] if track.amount == "none" else [index, len(TRACKS) + index]
    order = block.constant("readings/rows", np.array([*rows, 2 * len(TRACKS)], np.int64))
    every = block.op("Concat", [reading for reading, _ in groups], "readings/every", axis=0)
    block.op("Gather", [every, order], "readings", axis=0)
    usual = block.doubles("readings/usual", detector.scorer.usual[:, None])
    ratio = block.op("Div", ["readings", usual], "readings/over_usual")
    positive = block.op("Max", [ratio, block.doubles("readings/least", [LEAST_RATIO])], "readings/ratio")
    parts = block.op("Concat", [share for _, share in groups], "shares/every", axis=0)
    return block.op("Log", [positive], "readings/logs"), block.op("Gather", [parts, order], "shares", axis=0)


def _smooth(block: GraphBlock, detector: Detector) -> None:
    """Compute `tracks` (T, C) and `smooth_next` (C, T) of `squares`; a new state begins with `Scorer.initial`."""
    scorer = detector.scorer
    kinds = np.array([KINDS.index(track.kind) for track in TRACKS], np.int64)
    order, window = detector.highway.order, scorer.reconstruction.lags[-1]
    rows = np.array([order, order, scorer.horizon.reach, window], np.int64)  # in the order of KINDS
    needed = block.constant("tracks/rows_needed", rows[kinds, None])
    ready = block.op("GreaterOrEqual", ["seen", needed], "tracks/ready")
    squares = block.op("Gather", ["squares", block.constant("tracks/kinds", kinds)], "tracks/squares", axis=0)
    fresh = block.op("Equal", ["seen", block.constant("zero_long", np.zeros(1, np.int64))], "tracks/fresh")
    kept, initial = block.op("Transpose", ["smooth"], "tracks/kept"), scorer.initial[kinds]
    before = block.op("Where", [fresh, block.doubles("tracks/initial", initial), kept], "tracks/before")
    alpha = block.doubles("tracks/alpha", scorer.alphas[:, None])
    change = block.op("Mul", [alpha, block.op("Sub", [squares, before], "tracks/distance")], "tracks/change")
    block.op("Where", [ready, block.op("Add", [before, change], "tracks/moved"), before], "tracks")
    block.op("Transpose", ["tracks"], "smooth_next")


def _amounts(block: GraphBlock, detector: Detector) -> tuple[str, str]:
    """Return the amounts (T, 1) of all tracks, and the channels' shares (T, C) in them."""
    roots, means = (_are(block, amount, [track.amount == amount for track in TRACKS]) for amount in ("roots", "rms"))
    each = block.op("Where", [roots, block.op("Sqrt", ["tracks"], "amounts/root"), "tracks"], "amounts/each")
    total = row_sum(block, each, "amounts/totals")
    mean = block.op("Div", [total, _sensors(block, detector)], "amounts/mean")
    root = block.op("Sqrt", [mean], "amounts/root_of_mean")
    amounts = block.op("Where", [roots, mean, block.op("Where", [means, root, total], "amounts/others")], "amounts")
    if not detector.sensors.any():
        amounts = block.op("Add", [amounts, block.doubles("one_double", [1.0])], "amounts/without_sensors")
    return amounts, shares(block, each, total, "amounts")


def _rarities(block: GraphBlock, detector: Detector) -> tuple[str, str]:
    """Return the rarities (T, 1) of all tracks, and the channels' shares (T, C) in them."""
    scorer = detector.scorer
    least = block.doubles("rarities/least", [LEAST_SMOOTH])
    logs = block.op("Log", [block.op("Max", ["tracks", least], "rarities/positive")], "rarities/logs")
    scaled = block.op("Mul", [logs, block.doubles("rarities/slope", scorer.slope)], "rarities/scaled")
    line = block.op("Add", [scaled, block.doubles("rarities/intercept", scorer.intercept)], "rarities/line")
    limits = [block.doubles(f"rarities/{name}", limit) for name, limit in (("none", 0.0), ("most", MOST_RARE))]
    nats = block.op("Clip", [line, *limits], "rarities/nats")
    square = block.op("Mul", [nats, nats], "rarities/squares")
    fourth = block.op("Mul", [square, square], "rarities/fourth_powers")
    fourths = _are(block, "fourth", [track.power == 4 for track in TRACKS])
    each = block.op("Where", [fourths, fourth, square], "rarities/each")
    total = row_sum(block, each, "rarities/totals")
    root = block.op("Sqrt", [block.op("Div", [total, _sensors(block, detector)], "rarities/mean")], "rarities/root")
    mean = block.op("Where", [fourths, block.op("Sqrt", [root], "rarities/fourth_root"), root], "rarities/power_mean")
    rarities = block.op("Add", [mean, block.doubles("one_double", [1.0])], "rarities")
    return rarities, shares(block, each, total, "rarities")


def _novelty(block: GraphBlock, detector: Detector) -> tuple[str, str]:
    """Compute `novelty_next`, and return its reading (1, 1) and the channels' shares (1, C) in it."""
    seen, zero, one = detector.seen, block.doubles("zero_double", [0.0]), block.doubles("one_double", [1.0])
    above = block.op("Sub", ["values", block.doubles("seen/high", seen.high)], "novelty/above")
    below = block.op("Sub", [block.doubles("seen/low", seen.low), "values"], "novelty/below")
    over = block.op("Max", [block.op("Max", [above, below], "novelty/outside"), zero], "novelty/over")
    spreads = block.op("Div", [over, block.doubles("features/scale", detector.features.scale)], "novelty/spreads")
    of_sensors = block.op("Min", [spreads, one], "novelty/of_sensors")
    of_others = block.op(
        "Where",
        [block.op("Greater", [over, block.doubles("seen/margin", seen.margin)], "novelty/is_new"), one, zero],
        "novelty/of_others",
    )
    every = block.op("Where", [is_sensor(block, detector), of_sensors, of_others], "novelty/every")
    now = block.op("Where", ["gone", zero, every], "novelty/now")
    change = block.op("Sub", [now, "novelty"], "novelty/distance")
    part = block.op("Mul", [change, block.doubles("novelty/alpha", [alpha_of(NOVELTY_SPAN)])], "novelty/change")
    block.op("Add", ["novelty", part], "novelty_next")
    total = row_sum(block, "novelty_next", "novelty/total")
    reading = block.op("Add", [total, block.doubles("novelty/rest", [NOVELTY_REST])], "novelty/reading")
    return reading, shares(block, "novelty_next", total, "novelty")


def _are(block: GraphBlock, name: str, which: list[bool]) -> str:
    return block.constant(f"tracks/are_{name}", np.array(which)[:, None])


def _sensors(block: GraphBlock, detector: Detector) -> str:
    """Return the number of sensors, at least 1."""
    return block.doubles("sensors", [float(max(detector.sensors.sum(), 1))])
