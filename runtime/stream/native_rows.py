"""Lets the native kernel decide about many rows of a stream (runtime/kernel/stream/rows.h).

It is `Stream.push` once more, on the same record: the kernel goes on where Python stopped, and the other way round.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vcedge import resemblance
from vcedge.detector import Detector
from vcedge.limits import MAX_POWER, Calibration
from vcedge.resemblance import ShapeTracker
from vcedge.runtime import _kernel
from vcedge.runtime.engine.interface import ComputePolicy
from vcedge.runtime.stream import explainer
from vcedge.runtime.stream.adaptive_threshold import AdaptiveThreshold
from vcedge.runtime.stream.compute_budget import ComputeBudget
from vcedge.runtime.stream.events import GROWTH
from vcedge.runtime.stream.layout import OTHER_KERNEL, RULES, rules_dtype
from vcedge.runtime.stream.score_block import ScoreBlock
from vcedge.runtime.stream.sensor_health import SensorHealth
from vcedge.runtime.stream.state import StreamState
from vcedge.schema import F64, NS_PER_S

ROWS = 4096
"""Rows of one call: between calls signals are noticed."""
Rules = NDArray[Any]
"""One record (1,) of `rules_dtype`."""


class StreamParts(NamedTuple):
    """The parts of a stream whose constants the kernel needs."""

    adaptive: AdaptiveThreshold
    budget: ComputeBudget
    sensors: SensorHealth
    tracker: ShapeTracker


class NativeRows:
    """Calls the kernel for streams of one detector that are judged by the same rules."""

    def __init__(self, kernel: _kernel.Detector, rules: Rules) -> None:
        self._kernel, self._rules = kernel, rules

    def judge(
        self, state: StreamState, block: ScoreBlock, values: F64, rows: tuple[int, int], policy: ComputePolicy
    ) -> int:
        """Judge the rows [start, stop) of values (N, C); return the first one that is left for Python."""
        row, end = rows
        while row < end:
            stop = min(row + ROWS, end)
            left = self._kernel.judge_rows(
                self._rules, state.record, block.time_ns, values, block.columns, row, stop, *policy
            )
            if left < stop:
                return left
            row = stop
        return row


def rules_of(detector: Detector, calibration: Calibration, parts: StreamParts) -> Rules:
    """Return what a stream of this detector and calibration does not change, as one record."""
    schema, tracker = detector.schema, parts.tracker
    scalars: dict[str, float] = {
        **parts.adaptive.rules(),
        **parts.budget.rules(),
        **parts.sensors.rules(),
        "steepness": calibration.steepness,
        "max_power": MAX_POWER,
        "release": detector.calibration.events.release,
        "growth": GROWTH,
        "period_s": schema.period_ns / NS_PER_S,
        "largest": resemblance.LARGEST,
        "large": resemblance.LARGE,
        "tiny": resemblance.TINY,
        "least_change": resemblance.LEAST_CHANGE,
        "least_level": resemblance.LEAST_LEVEL,
        "warmup_rows": calibration.warmup_rows,
        "max_gap_ns": schema.max_gap_ns,
        "min_rows": detector.calibration.events.min_rows,
        "hold_rows": detector.calibration.events.hold_rows,
        "look_back": explainer.LOOK_BACK,
        "shapes": detector.resemblance is not None,
    }
    if scalars.keys() != set(RULES.names or ()):
        raise ImportError(f"{OTHER_KERNEL}: its rules are {RULES.names}; reinstall vcedge")
    rules = np.zeros(1, rules_dtype(detector.channels))
    for name, value in scalars.items():
        rules["scalars"][name] = value
    rules["low"], rules["high"] = schema.limits()
    rules["rates"], rules["change_scale"] = schema.rates(), tracker.change_scale
    rules["stuck_rows"] = detector.calibration.stuck_rows
    rules["holds"] = [0, *parts.sensors.holds]
    rules["weights"], rules["keeps"] = tracker.weights.ravel(), tracker.keeps.ravel()
    return rules
