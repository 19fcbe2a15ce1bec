"""Turns a recording and, if there is one, a trained network into a calibrated detector.

It is the last part of a training, and `vcedge calibrate` uses it too (`vcedge.calibration.recalibrate`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vcedge.calibration.choose import PartsChoice, choose_weights
from vcedge.calibration.highway import CrossFit, cross_fit, fit_features
from vcedge.calibration.order import ORDERS, RIDGES, OrderChoice, choose_order
from vcedge.calibration.scorer import DEFAULT_SPAN, fit_scorer, medium_span, with_usual
from vcedge.calibration.seen_range import fit_seen_range
from vcedge.calibration.split import LEAST_ROWS, Ranges, Split, rows_in
from vcedge.calibration.threshold import fit_threshold, steepness, tail_quantile
from vcedge.calibration.trace import Trace, run_engine
from vcedge.detector import Cell, Detector, Features, Head, Scorer
from vcedge.errors import DataError
from vcedge.limits import Calibration, EventRule, events_per_row
from vcedge.runtime.engine.registry import REFERENCE, load_engine
from vcedge.schema import F32, F64, SensorSchema

SURPRISE_SHARE = 0.002
"""Share of held-out rows whose one-step error forces a full update: so few full updates cost almost nothing."""
SURPRISE_TICKS = 1
"""Full updates that one surprise forces: more would overwrite the slow dimensions that training left unchanged."""
FLAGS_SHARE = 0.001
"""Missing flags become network inputs if more than this share of the values is missing: their weights cannot
be learned from fewer."""
SHRINK_PARTS, SHRINK_LEAST, SHRINK_CHANCE = 4, 0.01, 4.0
"""The tail is cut into SHRINK_PARTS. A channel's correction is used only if in each part a factor fitted on the others
removes the share SHRINK_LEAST of the squared residual and SHRINK_CHANCE times the mean residual of a row: a part of few
rows can agree by chance. An untrained network passes on almost no channel."""


@dataclass(frozen=True)
class LinearPart:
    """Holds the parts that are fitted before the network, with the rows that they are fitted on."""

    values: F64  # (N, C)
    split: Split
    features: Features
    cross: CrossFit
    scorer: Scorer
    order: OrderChoice
    """Reasons for order and ridge of the highway."""
    parts: PartsChoice | None = None
    """Reasons for the scorer's weights; None with too few rows, and then all are equal."""


@dataclass(frozen=True)
class DetectorSpec:
    """Holds the parts of a detector that are given, not fitted: asset, schema, origin, event rule and target."""

    asset: str
    schema: SensorSchema
    reading: Mapping[str, Any] = field(default_factory=dict)
    """Settings for reading recordings; see `Detector.reading`."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    events: EventRule = field(default_factory=EventRule)
    target_share: float = 1.0
    """Mean share of the hidden dimensions that normal operation may update."""


def fit_linear(
    values: F64,
    split: Split,
    *,
    flags: bool,
    order: int | None = None,
    ridge: float | None = None,
    span: float = DEFAULT_SPAN,
) -> LinearPart:
    """Fit feature statistics, highway and scorer to values (N, C); `flags` as in `Features`.

    Order and ridge are chosen if they are not given. The scorer's weights are equal until `weighted` chooses them.
    """
    features = fit_features(values, split.fitted, flags=flags)
    orders, ridges = ORDERS if order is None else (order,), RIDGES if ridge is None else (ridge,)
    choice = choose_order(values, features, split, orders, ridges)
    cross = cross_fit(values, features, split, choice.order, choice.ridge)
    return LinearPart(values, split, features, cross, fit_scorer(values, features, cross, split, span), choice)


def fit_linear_like(detector: Detector, values: F64, split: Split) -> LinearPart:
    """Fit the linear part to values (N, C) with flags, order, ridge and span of an existing detector."""
    flags, highway, span = detector.features.flags, detector.highway, medium_span(detector.scorer)
    return fit_linear(values, split, flags=flags, order=highway.order, ridge=highway.ridge, span=span)


def weighted(linear: LinearPart, spec: DetectorSpec) -> LinearPart:
    """Return the linear part with the weights chosen for the scorer of a detector without a network."""
    residual = linear.cross.residual.astype(np.float64)
    scorer, choice = choose_weights(assemble(spec, linear), linear.values, linear.split, residual)
    return replace(linear, scorer=scorer, parts=choice)


def wants_flags(values: F64, ranges: Ranges) -> bool:
    """Return whether enough values are missing for a network to learn from the flags."""
    missing = sum(int(np.isnan(values[a:b]).sum()) for a, b in ranges)
    return missing > FLAGS_SHARE * rows_in(ranges) * len(values[0])


def assemble(spec: DetectorSpec, linear: LinearPart, network: tuple[Cell, Head] | None = None) -> Detector:
    """Return a detector whose limits are still open: it computes, but raises no alarm and forces no full update."""
    open_limits = Calibration(
        threshold=float(np.finfo(np.float64).max),
        steepness=1.0,
        surprise_limit=float(np.finfo(np.float64).max),
        surprise_ticks=SURPRISE_TICKS,
        warmup_rows=max(linear.cross.highway.reach, linear.scorer.reach) + round(medium_span(linear.scorer)),
        stuck_rows=(0,) * len(spec.schema.channels),
        false_alarms_per_day=1.0,
        rows=0,
        events=spec.events,
        target_share=spec.target_share,
    )
    cell, head = network if network is not None else (None, None)
    fitted = (
        linear.features,
        linear.cross.highway,
        cell,
        head,
        linear.scorer,
        fit_seen_range(linear.values, linear.split.all),
    )
    return Detector(spec.asset, spec.schema, *fitted, open_limits, spec.reading, spec.provenance)


def calibrate_limits(
    detector: Detector, values: F64, split: Split, stuck_rows: tuple[int, ...], false_alarms_per_day: float
) -> Detector:
    """Measure shrinkage, error scale, surprise limit and threshold on rows that no weight was fitted to.

    The network was trained on `fit` and chosen on `validation`, so everything that depends on it is measured on `tail`.
    The highway's spread was already measured on held-out rows.

    Args:
        detector: a detector with open limits.
        values: the recording (N, C), NaN where missing.
        split: its time-ordered split.
        stuck_rows: for each channel the run of equal values that counts as stuck, see `vcedge.calibration.stuck`.
        false_alarms_per_day: false alarms that the threshold allows.

    Raises:
        DataError: too few rows of the tail are past the warm-up.
    """
    if detector.head is not None:
        detector = replace(detector, head=_measured_head(detector, detector.head, values, split))
    trace = tail_trace(detector, values, split)
    warmup = detector.calibration.warmup_rows
    settled = trace.since >= warmup
    if settled.any():
        detector = with_usual(detector, trace.parts[settled])
    normal = detector.scorer.fuse(trace.parts[settled])
    if len(normal) < LEAST_ROWS:
        raise DataError(
            f"{len(normal)} of {len(trace.raw)} held-out rows are at least {warmup} rows after a gap (the warm-up), "
            f"expected at least {LEAST_ROWS}: use a shorter score.span or a longer recording"
        )
    stretches = np.split(normal, np.flatnonzero(trace.since[settled] == warmup))
    rate = events_per_row(false_alarms_per_day, detector.schema.period_ns)
    fitted = fit_threshold(stretches, rate, detector.calibration.events)
    limits = replace(
        detector.calibration,
        threshold=fitted.threshold,
        steepness=steepness(normal, fitted.threshold),
        surprise_limit=max(tail_quantile(_one_step_errors(detector, trace), SURPRISE_SHARE), 1e-6),
        stuck_rows=stuck_rows,
        false_alarms_per_day=false_alarms_per_day,
        rows=len(normal),
        usual=fitted.usual,
        tail=fitted.tail,
        events=fitted.events,
    )
    return replace(detector, calibration=limits)


def tail_trace(detector: Detector, values: F64, split: Split) -> Trace:
    """Trace the detector over the tail, with the state warmed up on the validation rows before it."""
    return run_engine(load_engine(detector, REFERENCE), values, split.validation + split.tail, split.starts).within(
        split.tail
    )


def _measured_head(detector: Detector, head: Head, values: F64, split: Split) -> Head:
    """Shrink each channel's correction to the part that helps on all of the tail, and scale the errors to match."""
    ones = np.ones(detector.channels, np.float32)
    trace = tail_trace(replace(detector, head=replace(head, shrink=ones, error_scale=ones)), values, split)
    shrink = _shrinkage(trace)
    count = np.maximum(trace.known.sum(axis=0), 1)
    error = np.minimum(trace.residual**2, (trace.residual - shrink * trace.correction) ** 2)
    mean = np.where(trace.known, error, 0).sum(axis=0) / count
    plain = np.where(trace.known, trace.residual**2, 0).sum(axis=0) / count
    # Relative to the highway's own error on the same rows: its spread was measured on all rows, the tail is short.
    scale = np.sqrt(np.where(plain > 0, mean / np.maximum(plain, 1e-12), 1.0))
    return replace(head, shrink=shrink, error_scale=np.maximum(scale, 0.05).astype(np.float32))


def _shrinkage(trace: Trace) -> F32:
    """Return the factor (C,) in [0, 1] of each channel's correction.

    It is the smallest of the factors that are fitted with one part of the tail left out, or 0 if any of them does not
    help on the part that was left out.
    """
    parts = np.array_split(np.arange(len(trace.rows)), SHRINK_PARTS)
    residual = np.where(trace.known, trace.residual, 0).astype(np.float64)
    correction = np.where(trace.known, trace.correction, 0).astype(np.float64)
    cross = np.array([(residual[part] * correction[part]).sum(axis=0) for part in parts])  # (parts, C)
    power = np.array([(correction[part] ** 2).sum(axis=0) for part in parts])
    before = np.array([(residual[part] ** 2).sum(axis=0) for part in parts])
    factor = np.clip((cross.sum(axis=0) - cross) / np.maximum(power.sum(axis=0) - power, 1e-12), 0.0, 1.0)
    removed = 2 * factor * cross - factor**2 * power
    rows = np.array([trace.known[part].sum(axis=0) for part in parts])
    helps = (removed > (SHRINK_LEAST + SHRINK_CHANCE / np.maximum(rows, 1)) * before).all(axis=0)
    return np.where(helps, factor.min(axis=0), 0.0).astype(np.float32)


def _one_step_errors(detector: Detector, trace: Trace) -> F64:
    """Return the mean squared one-step error (M,) that the engine compares with the surprise limit, for known rows."""
    scale = np.ones(detector.channels) if detector.head is None else detector.head.error_scale
    error = np.minimum(trace.residual**2, (trace.residual - trace.correction) ** 2) / scale**2
    error = np.where(trace.known, error, 0.0)[trace.known.any(axis=1)]
    return np.asarray(error.mean(axis=1))
