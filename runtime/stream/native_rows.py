"""Scores rows of a stream in the native kernel (runtime/kernel/stream/rows.h).

The kernel works on the same record as `python_rows.py`, so either continues where the other stopped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge import resemblance
from vcedge.limits import MAX_POWER
from vcedge.runtime import _kernel
from vcedge.runtime.engine.interface import ComputePolicy
from vcedge.runtime.engine.kernel_layout import OTHER_KERNEL
from vcedge.runtime.stream import explainer
from vcedge.runtime.stream.events import GROWTH
from vcedge.runtime.stream.layout import RULES, rules_dtype
from vcedge.runtime.stream.parts import StreamParts
from vcedge.runtime.stream.range_watch import HOLD_ROWS
from vcedge.runtime.stream.score_block import ScoreBlock
from vcedge.schema import F64, NS_PER_S

ROWS = 4096
"""Rows of one call; Python handles signals between calls."""
Rules = NDArray[Any]
"""One record (1,) of `rules_dtype`."""


class NativeRows:
    """Scores rows of one stream until its threshold is set again."""

    def __init__(self, kernel: _kernel.Detector, parts: StreamParts) -> None:
        self._kernel, self._parts = kernel, parts
        self._rules = rules_of(parts)

    def score(self, block: ScoreBlock, values: F64, row: int, policy: ComputePolicy) -> int:
        """Score rows of values (N, C) from `row` on; return the first one that is left to Python."""
        parts = self._parts
        if not parts.timeline.steady or parts.numbers.inhibited or not parts.threshold > 0:
            return row
        end = row + parts.inhibition.count_running(values[row:])
        while row < end:
            stop = min(row + ROWS, end)
            left = self._kernel.score_rows(
                self._rules, parts.record.record, block.time_ns, values, block.columns, row, stop, *policy
            )
            if left < stop:
                return left
            row = stop
        return row


def rules_of(parts: StreamParts) -> Rules:
    """Return the constants of a stream for the kernel, as one record."""
    detector, calibration, tracker = parts.detector, parts.calibration, parts.explainer.tracker
    schema = detector.schema
    scalars: dict[str, float] = {
        **parts.adaptive.rules(),
        **parts.budget.rules(),
        **parts.sensors.rules(),
        **parts.range.rules(),
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
        "named_rows": 0 if detector.resemblance is None else resemblance.NAMED_ROWS,
    }
    if scalars.keys() != set(RULES.names or ()):
        raise ImportError(f"{OTHER_KERNEL}: its rules are {RULES.names}; reinstall vcedge")
    rules = np.zeros(1, rules_dtype(detector.channels))
    for name, value in scalars.items():
        rules["scalars"][name] = value
    rules["low"], rules["high"] = schema.limits()
    rules["rates"], rules["change_scale"] = schema.rates(), tracker.change_scale
    rules["stuck_rows"] = detector.calibration.stuck_rows
    rules["holds"] = [0, *parts.sensors.holds, HOLD_ROWS]
    for name, array in parts.range.rule_arrays().items():
        rules[name] = array
    rules["weights"], rules["keeps"] = tracker.weights.ravel(), tracker.keeps.ravel()
    return rules
