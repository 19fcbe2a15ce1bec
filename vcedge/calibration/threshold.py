"""Fits the threshold for a stated number of false alarms a day to the statistic of held-out normal rows.

A false alarm is an event, not a row. So events are tracked in the held-out rows exactly as in the stream, and a tail
is fitted to their peaks and extended as far as the rate requires (peaks over threshold).
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
"""Share of the largest held-out values that `tail_quantile` fits a tail to."""
STARTS = (0.9, 0.8, 0.7, 0.6, 0.5)
"""Candidate quantiles for the start of the tail: the first one with enough peaks above it is used."""
ENOUGH_PEAKS = 3.0
"""Least number of peaks: ENOUGH_PEAKS for each event that the rate allows on the held-out rows, LEAST_PEAKS in all."""
LEAST_PEAKS = 8
SHAPES = (-0.2, 0.25)
"""Bounds of the tail's shape. Few peaks determine it badly, and too low a shape ends the tail within normal values."""
SHRINK_PEAKS = 10
"""The shape is shrunk towards 0 (exponential) with the weight of this many peaks."""
FLOOR_SHARE = 0.02
"""Largest share of normal rows in alarm, however many alarms a day are allowed."""
RELEASE_PART, RELEASE_RANGE = 1 / 3, (0.02, 0.22)
"""An event ends a third of the way from threshold to median, measured in logarithms and bounded by this range: 0.8 of
the threshold is a small step for one channel, but most of the way to the median for the mean of fifty."""
LEAST_WIDTH = 0.05
MEDIAN_SCORE = 0.05
LEAST_STATISTIC = 1e-9


@dataclass(frozen=True)
class ThresholdFit:
    """Holds the threshold, and the distribution of the held-out statistic that it follows from."""

    threshold: float
    usual: Usual
    tail: Tail
    events: EventRule


def held_out_events(false_alarms_per_day: float, period_ns: int, rows: int) -> float:
    """Return the events allowed on this many rows; below 1, the threshold is extrapolated beyond the held-out rows."""
    return events_per_row(false_alarms_per_day, period_ns) * rows


def fit_threshold(stretches: Sequence[F64], rate: float, rule: EventRule) -> ThresholdFit:
    """Fit the threshold for `rate` events a row to the statistic of held-out stretches without gaps, each (N,).

    The rule's durations are kept, and its release is measured.
    """
    raw = np.maximum(np.concatenate(stretches), LEAST_STATISTIC)
    median = float(np.median(raw))
    width = max(math.log(float(np.quantile(raw, 0.9))) - math.log(median), LEAST_WIDTH)
    tail = _fit_tail(stretches, raw, median, rate, rule)
    threshold = tail.threshold(rate, len(raw))
    return ThresholdFit(threshold, Usual(median, width), tail, replace(rule, release=release_share(threshold, median)))


def release_share(threshold: float, median: float) -> float:
    """Return the share of the threshold below which an event ends."""
    below = RELEASE_PART * (math.log(threshold) - math.log(median))
    return math.exp(-min(max(below, RELEASE_RANGE[0]), RELEASE_RANGE[1]))


def _fit_tail(stretches: Sequence[F64], raw: F64, median: float, rate: float, rule: EventRule) -> Tail:
    """Fit the tail of the events' peaks above the highest start that leaves enough of them."""
    start, peaks = median, np.empty(0)
    for quantile in STARTS:
        start = float(np.quantile(raw, quantile))
        peaks = _peaks(stretches, start, replace(rule, release=release_share(start, median)))
        if len(peaks) >= max(ENOUGH_PEAKS * rate * len(raw), LEAST_PEAKS):
            break
    floor = float(np.quantile(raw, 1 - FLOOR_SHARE))
    if not len(peaks):  # a constant statistic, or no stretch as long as an event must last
        return Tail(start=start, scale=LEAST_WIDTH, floor=max(floor, start), peaks=1)
    scale, shape = _pareto(np.log(peaks) - math.log(start))
    return Tail(start, scale, shape, len(peaks), floor)


def _peaks(stretches: Sequence[F64], start: float, rule: EventRule) -> F64:
    """Return the highest threshold (K,) at which each event that a stream reports at `start` would still open.

    Without a least duration this is the event's peak, otherwise the highest value that was exceeded for so long.
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
    """Fit scale and shape of the generalised Pareto distribution of excesses (K,) by the method of moments."""
    mean = max(float(excess.mean()), 1e-6)
    variance = float(excess.var(ddof=1)) if len(excess) > 1 else mean**2
    shape = 0.5 * (1.0 - mean**2 / max(variance, 1e-12)) * len(excess) / (len(excess) + SHRINK_PEAKS)
    shape = min(max(shape, SHAPES[0]), SHAPES[1])
    return mean * (1.0 - shape), shape


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


def steepness(raw: F64, threshold: float) -> float:
    """Return the exponent of `Calibration.score` with which the held-out median maps to 0.05."""
    median = max(float(np.median(raw)), LEAST_STATISTIC)
    if median >= threshold:
        return 1.0
    return float(np.clip(math.log(1 / MEDIAN_SCORE - 1) / math.log(threshold / median), 0.25, 16.0))
