"""Turns a recording and, where there is one, a trained network into a calibrated detector.

Used at the end of training and by `vcedge calibrate`, which keeps the network and refits the rest for another machine
of the kind: statistics, highway, shrinkage, limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.highway import CrossFit, cross_fit, fit_features
from vcedge.calibration.split import Ranges, Split, rows_in
from vcedge.calibration.threshold import alarm_share, steepness, tail_threshold
from vcedge.calibration.trace import Trace, run_engine
from vcedge.detector import Calibration, Cell, Detector, Features, Head, ScorerPart
from vcedge.runtime.engine import load_engine
from vcedge.schema import F32, F64, SensorSchema

SURPRISE_SHARE = 0.002
"""Share of held-out rows whose one-step error is a surprise: full compute for these costs next to nothing."""
SURPRISE_TICKS = 8
STUCK_FACTOR = 3
"""A sensor is stuck when it stands still this many times longer than it ever did in the recording."""
STUCK_LEAST = 30
FLAGS_SHARE = 0.001
"""Missing flags become network inputs where at least this share of the values is missing: less teaches nothing."""
SHRINK_LEAST, SHRINK_CHANCE = 0.01, 4.0
"""A channel's correction counts only if it explains at least this share of the held-out residual, and so many
times what a factor fitted to as many rows of noise explains by chance (one row's share of the variance)."""
LEAST_ROWS = 20
"""Fewest rows that each part of a split must have."""


@dataclass(frozen=True)
class LinearPart:
    """What is fitted before there is a network."""

    features: Features
    cross: CrossFit


def fit_linear(values: F64, split: Split, order: int, ridge: float, flags: bool) -> LinearPart:
    """Feature statistics and highway of values (N, C); `flags` as in `Features`."""
    features = fit_features(values, split.fitted, flags)
    return LinearPart(features, cross_fit(values, features, split, order, ridge))


def wants_flags(values: F64, ranges: Ranges) -> bool:
    """Whether enough values are missing for a network to learn what that means."""
    missing = sum(int(np.isnan(values[a:b]).sum()) for a, b in ranges)
    return missing > FLAGS_SHARE * rows_in(ranges) * len(values[0])


def assemble(
    asset: str,
    schema: SensorSchema,
    linear: LinearPart,
    network: tuple[Cell, Head] | None,
    scorer: tuple[ScorerPart, ...],
    reading: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> Detector:
    """A detector whose limits are still open: it computes, raises no alarm and is never surprised."""
    order = linear.cross.highway.order
    open_limits = Calibration(
        threshold=float(np.finfo(np.float64).max),
        steepness=1.0,
        surprise_limit=float(np.finfo(np.float64).max),
        surprise_ticks=SURPRISE_TICKS,
        warmup_rows=order + round(max(part.span for part in scorer)),
        stuck_rows=(0,) * len(schema.channels),
        false_alarms_per_day=1.0,
        rows=0,
    )
    cell, head = network if network is not None else (None, None)
    return Detector(
        asset, schema, linear.features, linear.cross.highway, cell, head, scorer, open_limits, reading, provenance
    )


def calibrate_limits(detector: Detector, values: F64, split: Split, false_alarms_per_day: float) -> Detector:
    """Measure shrinkage, error scale, surprise limit, threshold and stuck limits on rows that no weight has seen.

    The highway's spread is one of held-out rows already; the network has seen `fit` and was chosen on `validation`,
    so everything that concerns it is measured on `tail`.
    """
    if detector.head is not None:
        detector = replace(detector, head=_measured_head(detector, detector.head, values, split))
    trace = tail_trace(detector, values, split)
    normal = trace.raw[_settled(trace, detector.calibration.warmup_rows)]
    normal = normal if len(normal) else trace.raw
    threshold = tail_threshold(normal, alarm_share(false_alarms_per_day, detector.schema.period_ns))
    errors = _one_step_errors(detector, trace)
    limits = replace(
        detector.calibration,
        threshold=threshold,
        steepness=steepness(normal, threshold),
        surprise_limit=max(tail_threshold(errors, SURPRISE_SHARE), 1e-6),
        stuck_rows=stuck_limits(values, split.all),
        false_alarms_per_day=false_alarms_per_day,
        rows=len(normal),
    )
    return replace(detector, calibration=limits)


def recalibrate(
    detector: Detector, values: F64, split: Split, false_alarms_per_day: float, asset: str | None = None
) -> Detector:
    """The same network for another machine of the kind, from values (N, C) of its normal operation; no training."""
    linear = fit_linear(values, split, detector.highway.order, detector.highway.ridge, detector.features.flags)
    fresh = replace(
        detector,
        asset=asset or detector.asset,
        features=replace(linear.features, clip=detector.features.clip),
        highway=linear.cross.highway,
    )
    return calibrate_limits(fresh, values, split, false_alarms_per_day)


def tail_trace(detector: Detector, values: F64, split: Split) -> Trace:
    """What the detector does on the tail, with the state warmed up on the validation rows before it."""
    return run_engine(load_engine(detector), values, split.validation + split.tail, split.starts).within(split.tail)


def stuck_limits(values: F64, ranges: Ranges) -> tuple[int, ...]:
    """For each channel of values (N, C) the run of equal values that counts as stuck; 0 where it may stand for ever.

    A channel that stood still for more than a tenth of the recording (a switch, a set point) is never called stuck.
    """
    limits = []
    rows = rows_in(ranges)
    for channel in range(values.shape[1]):
        longest = max((longest_run(values[a:b, channel]) for a, b in ranges), default=0)
        limits.append(0 if longest > rows / 10 else max(STUCK_FACTOR * longest, STUCK_LEAST))
    return tuple(limits)


def longest_run(values: F64) -> int:
    """How many times in a row values (N,) equal the one before, missing ones left out."""
    present = values[np.isfinite(values)]
    changes = np.flatnonzero(np.diff(present) != 0)
    if len(present) < 2:
        return 0
    borders = np.concatenate(([-1], changes, [len(present) - 1]))
    return int(np.diff(borders).max()) - 1


def _measured_head(detector: Detector, head: Head, values: F64, split: Split) -> Head:
    """Shrink each channel's correction to what helped on the held-out tail; scale errors to unit mean square.

    The tail is cut in two: a channel must be helped in both halves, else its correction is chance.
    """
    ones = np.ones(detector.channels, np.float32)
    open_head = replace(head, shrink=ones, error_scale=ones)
    trace = tail_trace(replace(detector, head=open_head), values, split)
    known = trace.settled[:, None] & ~trace.missing
    half = len(known) // 2
    shrinks = [_least_squares(trace, known, slice(0, half)), _least_squares(trace, known, slice(half, None))]
    shrink = np.minimum(*shrinks)
    error = np.minimum(trace.residual**2, (trace.residual - shrink * trace.correction) ** 2)
    mean = np.where(known, error, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    plain = np.where(known, trace.residual**2, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    # Relative to the highway's own error on the same rows: its spread comes from all rows, the tail is a few.
    scale = np.sqrt(np.where(plain > 0, mean / np.maximum(plain, 1e-12), 1.0))
    return replace(head, shrink=shrink.astype(np.float32), error_scale=np.maximum(scale, 0.05).astype(np.float32))


def _least_squares(trace: Trace, known: NDArray[np.bool_], rows: slice) -> F32:
    """Factor (C,) in [0, 1] on the correction that fits the residual best; 0 where it explains next to nothing."""
    residual = np.where(known, trace.residual, 0)[rows].astype(np.float64)
    correction = np.where(known, trace.correction, 0)[rows].astype(np.float64)
    power = np.maximum((correction**2).sum(axis=0), 1e-12)
    factor = np.clip((residual * correction).sum(axis=0) / power, 0.0, 1.0)
    before = (residual**2).sum(axis=0)
    after = ((residual - factor * correction) ** 2).sum(axis=0)
    least = SHRINK_LEAST + SHRINK_CHANCE / np.maximum(known[rows].sum(axis=0), 1)
    return np.where(after < (1 - least) * before, factor, 0.0).astype(np.float32)


def _settled(trace: Trace, warmup_rows: int) -> NDArray[np.bool_]:
    """Rows (M,) that come at least so many rows after a reset."""
    since = np.arange(len(trace.first))
    start = np.maximum.accumulate(np.where(trace.first, since, 0))
    return np.asarray(since - start >= warmup_rows)


def _one_step_errors(detector: Detector, trace: Trace) -> F64:
    """Mean squared one-step error (M,) of the settled rows, as the engine compares it with the surprise limit."""
    scale = np.ones(detector.channels) if detector.head is None else detector.head.error_scale
    error = np.minimum(trace.residual**2, (trace.residual - trace.correction) ** 2) / scale**2
    error = np.where(trace.missing, 0.0, error)[trace.settled]
    return np.asarray(error.mean(axis=1)) if len(error) else np.ones(1)
