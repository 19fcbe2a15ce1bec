"""From the statistic of held-out normal rows to a threshold that keeps a stated number of false alarms a day.

What a person is disturbed by is an event, not a row: the held-out rows are made into events exactly as the stream does
it, and the peaks of these events have a tail that reaches as far as the promise needs (peaks over threshold).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vcedge.limits import EventRule, Tail, Usual, events_per_row
from vcedge.runtime.stream.events import track_events
from vcedge.schema import F64

TAIL_SHARE = 0.1
"""The largest tenth of held-out values is what a tail is fitted to."""
STARTS = (0.9, 0.8, 0.7, 0.6, 0.5)
"""Quantiles from which peaks are taken: the first that leaves enough of them."""
ENOUGH_PEAKS = 3.0
"""Peaks for each event that the promise allows on the held-out rows; and this many at least."""
LEAST_PEAKS = 8
SHAPES = (-0.2, 0.25)
"""Bounds of the tail's shape. Few peaks know little of it: a shape too low ends the tail within reach of normal."""
SHRINK_PEAKS = 10
"""The shape is drawn to 0 (exponential) as if so many further peaks had shown that."""
FLOOR_SHARE = 0.02
"""At most this share of normal rows is in alarm, however many alarms a day are allowed."""
RELEASE_PART, RELEASE_RANGE = 1 / 3, (0.02, 0.22)
"""An event ends when a third of the way from threshold to median is covered, in logarithms within this range: 0.8 of
the threshold is a little for one channel, and most of the way to the median for the mean of fifty."""
LEAST_WIDTH = 0.05
MEDIAN_SCORE = 0.05
LEAST_STATISTIC = 1e-9


@dataclass(frozen=True)
class Promise:
    """What held-out rows say of the statistic, and the threshold that follows."""

    threshold: float
    usual: Usual
    tail: Tail
    events: EventRule


def held_out_events(false_alarms_per_day: float, period_ns: int, rows: int) -> float:
    """How many events the promise allows on so many rows: below 1, the threshold is extended beyond what they show."""
    return events_per_row(false_alarms_per_day, period_ns) * rows


def keep_promise(stretches: Sequence[F64], rate: float, rule: EventRule) -> Promise:
    """Threshold for `rate` events a row, from the statistic of held-out stretches without gaps, each (N,).

    Of the rule, durations are kept and the release is measured.
    """
    raw = np.maximum(np.concatenate(stretches), LEAST_STATISTIC)
    median = float(np.median(raw))
    width = max(math.log(float(np.quantile(raw, 0.9))) - math.log(median), LEAST_WIDTH)
    tail = _fit_tail(stretches, raw, median, rate, rule)
    threshold = tail.threshold(rate, len(raw))
    return Promise(threshold, Usual(median, width), tail, replace(rule, release=release_share(threshold, median)))


def release_share(threshold: float, median: float) -> float:
    """Share of the threshold below which an event ends."""
    below = RELEASE_PART * (math.log(threshold) - math.log(median))
    return math.exp(-min(max(below, RELEASE_RANGE[0]), RELEASE_RANGE[1]))


def _fit_tail(stretches: Sequence[F64], raw: F64, median: float, rate: float, rule: EventRule) -> Tail:
    """Tail of the events' peaks above the highest start that leaves enough of them."""
    start, peaks = median, np.empty(0)
    for quantile in STARTS:
        start = float(np.quantile(raw, quantile))
        peaks = _peaks(stretches, start, replace(rule, release=release_share(start, median)))
        if len(peaks) >= max(ENOUGH_PEAKS * rate * len(raw), LEAST_PEAKS):
            break
    floor = float(np.quantile(raw, 1 - FLOOR_SHARE))
    if not len(peaks):  # a statistic that does not move, or that has no value for as long as an event must last
        return Tail(start=start, scale=LEAST_WIDTH, floor=max(floor, start), peaks=1)
    scale, shape = _pareto(np.log(peaks) - math.log(start))
    return Tail(start, scale, shape, len(peaks), floor)


def _peaks(stretches: Sequence[F64], start: float, rule: EventRule) -> F64:
    """Highest threshold (K,) at which each event that the stream would have reported at `start` would still open.

    Without a least duration this is the event's peak, otherwise the peak of what was exceeded for so long.
    """
    peaks = []
    for raw in stretches:
        if len(raw) < rule.min_rows:
            continue
        lasting = np.lib.stride_tricks.sliding_window_view(raw, rule.min_rows).min(axis=1)
        events = track_events(lasting.tolist(), start, replace(rule, min_rows=1))
        peaks += [event.peak for _, event in events if event.type == "end"]
    return np.array(peaks)


def _pareto(excess: F64) -> tuple[float, float]:
    """Scale and shape of the generalised Pareto distribution of excesses (K,), by the method of moments."""
    mean = max(float(excess.mean()), 1e-6)
    variance = float(excess.var(ddof=1)) if len(excess) > 1 else mean**2
    shape = 0.5 * (1.0 - mean**2 / max(variance, 1e-12)) * len(excess) / (len(excess) + SHRINK_PEAKS)
    shape = min(max(shape, SHAPES[0]), SHAPES[1])
    return mean * (1.0 - shape), shape


def tail_quantile(values: F64, share: float) -> float:
    """The value that a share of future values exceeds, from held-out ones (N,).

    Where these are too few to hold such a value, the excesses over their 90% quantile are taken as exponential and
    extended. For limits of single rows, which promise nothing.
    """
    if len(values) * share >= 1:
        return max(float(np.quantile(values, 1 - share)), LEAST_STATISTIC)
    start = float(np.quantile(values, 1 - TAIL_SHARE))
    excess = values[values > start] - start
    mean = float(excess.mean()) if len(excess) else 0.0
    extended = start + mean * math.log(TAIL_SHARE / share)
    return max(extended, float(values.max()) * 1.01, LEAST_STATISTIC)


def steepness(raw: F64, threshold: float) -> float:
    """Exponent of `Calibration.score` for which the held-out median maps to 0.05."""
    median = max(float(np.median(raw)), LEAST_STATISTIC)
    if median >= threshold:
        return 1.0
    return float(np.clip(math.log(1 / MEDIAN_SCORE - 1) / math.log(threshold / median), 0.25, 16.0))
