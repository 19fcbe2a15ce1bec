"""Turns a recording and, if there is one, a trained network into a calibrated detector.

It is the last part of a training, and `vcedge calibrate` uses it too (`vcedge.calibration.recalibrate`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vcedge.calibration.highway import held_out_residual, intervals, standardise
from vcedge.calibration.linear_model import Rows
from vcedge.calibration.order import OrderChoice, choose_order
from vcedge.calibration.seen_range import fit_seen_range
from vcedge.calibration.split import LEAST_ROWS, Ranges, Split, cut_blocks, merge_ranges, rows_in
from vcedge.calibration.statistic import Statistic, fit_statistic
from vcedge.calibration.threshold import fit_threshold, tail_quantile
from vcedge.calibration.trace import Trace, run_engine
from vcedge.detector import Cell, Detector, Features, Head
from vcedge.errors import DataError
from vcedge.limits import Calibration, EventRule
from vcedge.runtime.engine.registry import REFERENCE, load_engine
from vcedge.schema import F32, F64, SensorSchema

DEFAULT_SPAN = 20.0
"""Rows that the middle readings smooth over; longer scales are those of the cycle and of the lasting mean."""
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

    rows: Rows
    split: Split
    statistic: Statistic
    order: OrderChoice
    """Reasons for the order of the forecasters."""

    @property
    def features(self) -> Features:
        """The statistics of the channels."""
        return self.statistic.features

    def residual(self) -> F32:
        """Return each row's residual (N, C), in spreads, of a fit without that row; NaN where unknown."""
        rows, highway = self.rows, self.statistic.highway
        z = standardise(rows.values, self.features, rows.starts)
        fitted = merge_ranges(self.split.fitted, rows.starts)
        blocks = [intervals(block, rows.starts, highway.order) for block in cut_blocks(fitted)]
        return held_out_residual(z, rows.measured & rows.sensors, blocks, rows.sensors, highway).astype(np.float32)


@dataclass(frozen=True)
class DetectorSpec:
    """Holds the parts of a detector that are given, not fitted: asset, schema, origin, event rule and target."""

    asset: str
    schema: SensorSchema
    false_alarms_per_day: float = 1.0
    """Wanted rate of false alarms."""
    reading: Mapping[str, Any] = field(default_factory=dict)
    """Settings for reading recordings; see `Detector.reading`."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    events: EventRule = field(default_factory=EventRule)
    target_share: float = 1.0
    """Mean share of the hidden dimensions that normal operation may update."""


@dataclass(frozen=True)
class LinearOptions:
    """Holds what may be given of the linear part; the order is chosen if it is None."""

    order: int | None = None
    ridge: float | None = None
    span: float = DEFAULT_SPAN


def fit_linear(
    values: F64, split: Split, schema: SensorSchema, options: LinearOptions | None = None, *, flags: bool
) -> LinearPart:
    """Fit feature statistics, forecasters and scorer to values (N, C); `flags` as in `Features`.

    The channels have the roles of the schema.
    """
    options = options or LinearOptions()
    rows = rows_of(values, split.starts, schema)
    choice = choose_order(rows, split.fitted, options.order, options.ridge)
    return LinearPart(rows, split, fit_statistic(rows, split.fitted, choice, options.span, flags=flags), choice)


def rows_of(values: F64, starts: frozenset[int], schema: SensorSchema) -> Rows:
    """Return values (N, C) with the roles of their channels."""
    roles = [channel.role for channel in schema.channels]
    sensors = np.array([role == "sensor" for role in roles])
    return Rows(values, starts, sensors, np.array([role != "constant" for role in roles]))


def wants_flags(values: F64, ranges: Ranges) -> bool:
    """Return whether enough values are missing for a network to learn from the flags."""
    missing = sum(int(np.isnan(values[a:b]).sum()) for a, b in ranges)
    return missing > FLAGS_SHARE * rows_in(ranges) * len(values[0])


def assemble(spec: DetectorSpec, linear: LinearPart) -> Detector:
    """Return a detector without a network, whose rows were not traced yet: it knows no surprise and no stuck sensor."""
    statistic = linear.statistic
    limits = Calibration(
        threshold=0.0,
        steepness=1.0,
        surprise_limit=float(np.finfo(np.float64).max),
        surprise_ticks=SURPRISE_TICKS,
        warmup_rows=max(statistic.highway.reach, statistic.scorer.reach) + round(statistic.scorer.span),
        stuck_rows=(0,) * len(spec.schema.channels),
        false_alarms_per_day=spec.false_alarms_per_day,
        rows=0,
        events=spec.events,
        target_share=spec.target_share,
    )
    quiet = linear.split.must_not_alarm
    limits = fit_threshold(limits, statistic, spec.false_alarms_per_day, spec.schema.period_ns, quiet)
    seen = fit_seen_range(linear.rows.values, linear.split.fitted)
    fitted = (statistic.features, statistic.highway, None, None, statistic.scorer, seen)
    return Detector(spec.asset, spec.schema, *fitted, limits, spec.reading, spec.provenance)


def with_network(detector: Detector, cell: Cell, head: Head) -> Detector:
    """Return the detector with a network that is not measured yet.

    The weights of its inputs from constants are 0: training saw no value of theirs to learn from.
    """
    live = detector.live
    inputs = np.tile(live, cell.spec.inputs // len(live))
    signals = np.concatenate([inputs, np.tile(live, 3)])
    gate = cell.gate_input if cell.spec.levels == 1 else (cell.gate_input * signals).astype(np.float32)
    return replace(detector, cell=replace(cell, input=cell.input * inputs, gate_input=gate), head=head)


def with_statistic(
    detector: Detector, statistic: Statistic, false_alarms_per_day: float, must_not_alarm: Ranges = ()
) -> Detector:
    """Return the detector with another statistic, and the threshold that belongs to it; the network stays."""
    period_ns = detector.schema.period_ns
    return replace(
        detector,
        features=replace(statistic.features, clip=detector.features.clip),
        highway=statistic.highway,
        scorer=statistic.scorer,
        calibration=fit_threshold(detector.calibration, statistic, false_alarms_per_day, period_ns, must_not_alarm),
    )


def measure_network(detector: Detector, values: F64, split: Split, stuck_rows: tuple[int, ...]) -> Detector:
    """Measure shrinkage, error scale and surprise limit on rows that no weight was fitted to.

    The network was trained on `fit` and chosen on `validation`, so everything that depends on it is measured on `tail`.

    Args:
        detector: the detector as assembled.
        values: the recording (N, C), NaN where missing.
        split: its time-ordered split.
        stuck_rows: for each channel the run of equal values that counts as stuck, see `vcedge.calibration.stuck`;
            used for sensors alone.

    Raises:
        DataError: too few rows of the tail are past the warm-up.
    """
    if detector.head is not None:
        detector = replace(detector, head=_measured_head(detector, detector.head, values, split))
    trace = tail_trace(detector, values, split)
    warmup = detector.calibration.warmup_rows
    settled = int((trace.since >= warmup).sum())
    if settled < LEAST_ROWS:
        raise DataError(
            f"{settled} of {len(trace.raw)} held-out rows are at least {warmup} rows after a gap (the warm-up), "
            f"expected at least {LEAST_ROWS}: use a shorter score.span or a longer recording"
        )
    errors = _one_step_errors(detector, trace)
    surprise = max(tail_quantile(errors, SURPRISE_SHARE), 1e-6) if len(errors) else 1.0
    stuck = tuple(rows if sensor else 0 for rows, sensor in zip(stuck_rows, detector.sensors.tolist(), strict=True))
    limits = replace(detector.calibration, surprise_limit=surprise, stuck_rows=stuck)
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
