"""Fits every method to the training part of a series, with the same split and the same rule for thresholds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.detection.sets import Series
from vcedge.baselines.interface import Cost, Fitted
from vcedge.baselines.table import fit_baseline, trivial
from vcedge.calibration.calibrate import (
    DetectorSpec,
    assemble,
    calibrate_limits,
    fit_linear,
    tail_trace,
    wants_flags,
    weighted,
)
from vcedge.calibration.recalibrate import refit
from vcedge.calibration.scorer import REACH
from vcedge.calibration.split import Ranges, Split, split_by_time
from vcedge.calibration.stuck import stuck_limits
from vcedge.calibration.threshold import fit_threshold, tail_quantile
from vcedge.config.train import DataConfig, FitConfig, ModelConfig, TrainConfig
from vcedge.detector import Detector
from vcedge.limits import DAY_NS, Calibration, EventRule, events_per_row
from vcedge.schema import F64
from vcedge.train.pipeline import train_detector

MAIN, TWIN, OFF = "VCGRU", "GRU, same size", "VCGRU, network off"
NETWORKS: dict[str, dict[str, Any]] = {MAIN: {}, TWIN: {"cell": "gru", "levels": 1}}
SIMPLE: dict[str, tuple[str, float]] = {
    "ridge-VAR, EWMA 20": ("ridge-VAR", 20.0),
    "window-PCA": ("window-PCA", 1.0),
    "PCA T²+Q, EWMA 20": ("PCA T²+Q", 20.0),
    "isolation forest, EWMA 20": ("isolation forest", 20.0),
    "max |z|, EWMA 20": ("max |z|", 20.0),
    "persistence, EWMA 20": ("persistence", 20.0),
    "ridge-VAR": ("ridge-VAR", 1.0),
}
"""Fitted, as the networks are, to the first 80% of the training part; the rest is for the threshold."""
REFERENCE = {
    "ridge-VAR, EWMA 20 (reference)": "ridge-VAR ew20",
    "window-PCA (reference)": "window-PCA",
}
"""The reference's own, fitted to all of the training part; the threshold comes from a fit to three quarters of it."""
TRIVIAL = ("random", "all ones")
METHODS = (MAIN, OFF, TWIN, *REFERENCE, *SIMPLE, *TRIVIAL)
SEEDED = (*NETWORKS, "random")
FALSE_ALARMS_PER_DAY = TrainConfig(asset="-", data=DataConfig(train=["-"])).score.false_alarms_per_day
QUANTILE, ROWS_AN_EVENT = 0.999, 1000
"""Share of held-out rows below a threshold, and the equivalent for events: one in ROWS_AN_EVENT rows."""


@dataclass(frozen=True)
class FittedMethod:
    """Holds a fitted detector or baseline, and its thresholds, all from the same held-out rows."""

    method: str
    detector: Detector | None
    baseline: Fitted | None
    thresholds: dict[str, float]
    """`promise`: for the false alarms a day of the default configuration; `thousand`: for one event in ROWS_AN_EVENT
    rows; `quantile`: the QUANTILE of held-out rows, extrapolated if they are fewer than a thousand."""
    rule: EventRule
    warmup: int
    seconds: float
    often: Calibration | None
    """Limits of a detector for one event in ROWS_AN_EVENT rows, which then adapt."""
    notes: dict[str, float]
    """Further columns: share of the channels whose correction is not shrunk to 0, and its mean factor."""


def fit_method(method: str, series: Series, seed: int, reference: ModuleType | None = None) -> FittedMethod:
    """Fit one method to the training part; KeyError for a method that is not in METHODS."""
    began = time.perf_counter()
    fit = _fit(method, series, seed, reference)
    return FittedMethod(**{**vars(fit), "seconds": time.perf_counter() - began})


def default_config(seed: int, **model: Any) -> TrainConfig:
    """Return the configuration of all sets: every key has its default but those of `model`."""
    return TrainConfig(
        asset="detection",
        data=DataConfig(train=["-"]),
        model=ModelConfig(**model),
        train=FitConfig(seed=seed),
    )


def linear_detector(series: Series) -> tuple[Detector, Split]:
    """Fit highway and scorer as `train_detector` does, without a network."""
    recording = series.recording
    values, split = series.train, split_by_time(recording.sequences, REACH)
    spec = DetectorSpec("detection", recording.schema)
    linear = weighted(fit_linear(values, split, flags=wants_flags(values, split.fitted)), spec)
    stuck = stuck_limits(values, recording.sequences)
    return calibrate_limits(assemble(spec, linear), values, split, stuck, FALSE_ALARMS_PER_DAY), split


def _fit(method: str, series: Series, seed: int, reference: ModuleType | None) -> FittedMethod:
    if method in NETWORKS:
        trained = train_detector(default_config(seed, **NETWORKS[method]), series.recording)
        return _of_detector(method, trained.detector, trained.values, trained.split)
    if method == OFF:
        detector, split = linear_detector(series)
        return _of_detector(method, detector, series.train, split)
    split = split_by_time(series.recording.sequences, REACH)
    fitted_on = _joined(split.fitted)
    if method in REFERENCE:
        assert reference is not None
        return _of_reference(method, series, reference)
    if method in TRIVIAL:
        baseline = trivial(seed)[method]
    else:
        name, span = SIMPLE[method]
        baseline = fit_baseline(name, series.train, fitted_on, span)
    raw = baseline.score(series.train, _joined(split.all))
    return _of_scores(method, baseline, [raw[start:stop] for start, stop in split.tail], series)


def _of_detector(method: str, detector: Detector, values: F64, split: Split) -> FittedMethod:
    limits = detector.calibration
    often = calibrate_limits(detector, values, split, limits.stuck_rows, _a_day(detector.schema.period_ns)).calibration
    trace = tail_trace(detector, values, split)
    normal = trace.raw[trace.since >= limits.warmup_rows]
    shrink = np.zeros(1) if detector.head is None else detector.head.shrink
    return FittedMethod(
        method,
        refit(detector, values, split),
        None,
        {"promise": limits.threshold, "thousand": often.threshold, "quantile": tail_quantile(normal, 1 - QUANTILE)},
        limits.events,
        limits.warmup_rows,
        0.0,
        often,
        {"channels_helped": float((shrink > 0).mean()), "shrink": float(shrink.mean())},
    )


def _of_scores(method: str, baseline: Fitted, stretches: list[F64], series: Series) -> FittedMethod:
    """Fit thresholds to the scores of held-out stretches."""
    promise = fit_threshold(stretches, events_per_row(FALSE_ALARMS_PER_DAY, series.period_ns), EventRule())
    thresholds = {
        "promise": promise.threshold,
        "thousand": fit_threshold(stretches, 1 / ROWS_AN_EVENT, EventRule()).threshold,
        "quantile": tail_quantile(np.concatenate(stretches), 1 - QUANTILE),
    }
    if method == "all ones":
        thresholds = dict.fromkeys(thresholds, 0.0)
    # The warm-up is that of a detector of the default configuration.
    return FittedMethod(method, None, baseline, thresholds, promise.events, REACH + 20, 0.0, None, {})


def _of_reference(method: str, series: Series, reference: ModuleType) -> FittedMethod:
    build, cut = reference.BASELINES[REFERENCE[method]], 3 * len(series.train) // 4
    held_out = np.nan_to_num(np.asarray(build(series.train[:cut])(series.train)[cut:], np.float64))
    return _of_scores(method, ReferenceBaseline(build(series.train)), [held_out], series)


@dataclass(frozen=True)
class ReferenceBaseline:
    """Adapts a baseline of the reference, which handles neither gaps nor missing values."""

    function: Any
    cost = Cost(0.0, 0)

    def score(self, values: F64, ranges: Ranges) -> F64:
        """See `vcedge.baselines.interface.Fitted.score`."""
        scores = np.zeros(len(values))
        for start, stop in ranges:
            scores[start:stop] = np.nan_to_num(np.asarray(self.function(values[start:stop]), np.float64))
        return scores


def _a_day(period_ns: int) -> float:
    """Return the events a day that equal one in ROWS_AN_EVENT rows."""
    return DAY_NS / period_ns / ROWS_AN_EVENT


def _joined(ranges: Ranges) -> Ranges:
    """Merge all ranges: the training part has no gap."""
    return ((ranges[0][0], ranges[-1][1]),)
