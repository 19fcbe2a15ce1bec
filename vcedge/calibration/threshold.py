"""Finds the threshold of the decision rule from the statistic on cross-fitted rows, and what it promises.

The reference is the median of the blocks' 99% quantiles: one block with outliers does not move it. To it the smallest
margin is added with which the rule, run on the same rows, opens no more events than allowed. Nothing is extrapolated:
where the recording is too short to show the wanted rate, the promise is what it can show.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from vcedge.calibration.split import Ranges
from vcedge.calibration.statistic import Statistic
from vcedge.limits import LEAST_MARGIN, MEMORY_PART, MEMORY_ROWS, Calibration, EventRule, Promise
from vcedge.runtime.stream.adaptive_threshold import AdaptiveThreshold
from vcedge.runtime.stream.events import track_events
from vcedge.schema import F64

HIGH_QUANTILE = 0.99
MARGINS = (LEAST_MARGIN, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""Nats above the reference among which the threshold is chosen."""
TAIL_SHARE = 0.1
"""Share of the largest held-out values that `tail_quantile` fits a tail to."""
LEAST_STATISTIC = 1e-9
MEDIAN_SCORE = 0.05
LEAST_WIDTH = 0.5
"""Least nats between median and threshold in the map to a score."""


def fit_threshold(
    calibration: Calibration,
    statistic: Statistic,
    false_alarms_per_day: float,
    period_ns: int,
    must_not_alarm: Ranges = (),
) -> Calibration:
    """Return the calibration with threshold, level, promise and score fitted to the cross-fitted rows.

    Args:
        calibration: Gives the event rule; what is fitted is replaced.
        statistic: The fitted statistic.
        false_alarms_per_day: Wanted rate.
        period_ns: Usual time between two rows.
        must_not_alarm: Rows in which no event may be open, if any margin reaches that.
    """
    blocks = [block for block in statistic.cross_fitted if len(block)]
    reference = _median([float(np.quantile(block, HIGH_QUANTILE)) for block in blocks])
    fitted = replace(
        calibration,
        median=float(np.median(np.concatenate(blocks))),
        memory=memory_of(statistic.rows),
        rows=statistic.rows,
        threshold=reference,
        promise=Promise(reference),
    )
    fitted = replace(fitted, lasting=_median([max(_lasting_means(fitted, block)) for block in blocks]))
    found = list(_without_rise(fitted, statistic.stretches))
    opened = {margin: _events(found, reference + margin, fitted.events, statistic.ranges) for margin in MARGINS}
    quiet = [margin for margin, events in opened.items() if not _overlap(events, must_not_alarm)]
    margins = tuple(quiet or MARGINS[-1:])
    promise = Promise(reference, margins, tuple(_count(opened[margin], fitted.memory) for margin in margins))
    fitted = replace(fitted, promise=promise).with_false_alarms(false_alarms_per_day, period_ns)
    return replace(fitted, steepness=_steepness(fitted.median, fitted.threshold))


def memory_of(rows: int) -> float:
    """Return the rows over which a stream averages its level, for a recording of this many rows."""
    return min(max(MEMORY_PART * rows, MEMORY_ROWS[0]), MEMORY_ROWS[1])


def _median(limits: Sequence[float]) -> float:
    """Return the median of the blocks' limits; at least 0 nats, as they are lower where the machine stood."""
    return max(float(np.median(limits)), 0.0)


def _without_rise(calibration: Calibration, stretches: Sequence[F64]) -> Iterator[F64]:
    """Yield the evidence (n,) of each stretch less the rise of the threshold with the level of the rows before."""
    adaptive = AdaptiveThreshold(calibration)
    for stretch in stretches:
        values = np.empty(len(stretch))
        for row, raw in enumerate(stretch.tolist()):
            values[row] = adaptive.evidence(raw) - adaptive.rise
            adaptive.learn(raw)
        yield values
        adaptive.restart()  # the next row is behind a gap


def _lasting_means(calibration: Calibration, values: F64) -> Iterator[float]:
    """Yield the lasting mean of the statistic after each row."""
    adaptive = AdaptiveThreshold(calibration)
    for raw in values.tolist():
        adaptive.learn(raw)
        yield adaptive.lasting_mean


def _events(found: Sequence[F64], threshold: float, rule: EventRule, ranges: Ranges) -> Ranges:
    """Return the rows of the recording of each event that a stream opens; `ranges` are those of the stretches."""
    events: list[tuple[int, int]] = []
    for values, (first, _) in zip(found, ranges, strict=True):
        for row, event in track_events(values.tolist(), threshold, rule):
            if event.type == "end":
                events.append((first + event.start_ns, first + row))
    return tuple(events)


def _count(events: Ranges, memory: float) -> int:
    """Count events; one that lasts counts once for each memory: a rule that alarms all day is no quiet one."""
    return sum(1 + int((last - first) // memory) for first, last in events)


def _overlap(events: Ranges, others: Ranges) -> bool:
    """Return whether any event shares a row with any of other ranges."""
    return any(first < stop and start < last for first, last in events for start, stop in others)


def tail_quantile(values: F64, share: float) -> float:
    """Estimate the value that a share of future values exceeds, from held-out ones (N,).

    If these are too few to hold such a value, an exponential tail is fitted to the excesses over their 90% quantile.
    This suits limits of single rows, which promise no rate of events.
    """
    if len(values) * share >= 1:
        return max(float(np.quantile(values, 1 - share)), LEAST_STATISTIC)
    start = float(np.quantile(values, 1 - TAIL_SHARE))
    excess = values[values > start] - start
    mean = float(excess.mean()) if len(excess) else 0.0
    extended = start + mean * math.log(TAIL_SHARE / share)
    return max(extended, float(values.max()) * 1.01, LEAST_STATISTIC)


def _steepness(median: float, threshold: float) -> float:
    """Return the slope of `Calibration.score` with which the median maps to MEDIAN_SCORE."""
    return math.log(1 / MEDIAN_SCORE - 1) / max(threshold - median, LEAST_WIDTH)
