"""Trains the detectors of a series as the product does, with its default configuration."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.detection.sets import Series
from vcedge.calibration.calibrate import (
    DetectorSpec,
    assemble,
    fit_linear,
    measure_network,
    wants_flags,
)
from vcedge.calibration.order import most_reach
from vcedge.calibration.recalibrate import refit
from vcedge.calibration.roles import with_roles
from vcedge.calibration.split import split_by_time
from vcedge.calibration.stuck import stuck_limits
from vcedge.config.train import DataConfig, FitConfig, ModelConfig, TrainConfig
from vcedge.detector import Detector
from vcedge.train.pipeline import train_detector

MAIN, REMOVED, OFF, TWIN = "VCGRU", "VCGRU, network removed", "VCGRU, network off", "GRU, same size"
"""REMOVED is MAIN, trained with a network, which is then taken out; OFF was calibrated without one."""
DETECTORS = (MAIN, REMOVED, OFF, TWIN)
NETWORKS: dict[str, dict[str, Any]] = {MAIN: {}, TWIN: {"cell": "gru", "levels": 1}}
SEEDED = (MAIN, TWIN)
FALSE_ALARMS_PER_DAY = TrainConfig(asset="-", data=DataConfig(train=["-"])).score.false_alarms_per_day


@dataclass(frozen=True)
class FittedDetector:
    """Holds a detector to use, and what its training took."""

    detector: Detector
    seconds: float
    notes: Mapping[str, float] = field(default_factory=dict)
    """Further columns: share of the channels whose correction is not shrunk to 0, and its mean factor."""


def fit_detector(method: str, series: Series, seed: int) -> FittedDetector:
    """Train MAIN, OFF or TWIN on the training rows; DataError if the product refuses them."""
    began = time.perf_counter()
    if method == OFF:
        return FittedDetector(linear_detector(series), time.perf_counter() - began)
    detector = train_detector(default_config(seed, **NETWORKS[method]), series.recording).finished
    assert detector.head is not None
    shrink = detector.head.shrink
    notes = {"channels_helped": float((shrink > 0).mean()), "shrink": float(shrink.mean())}
    return FittedDetector(detector, time.perf_counter() - began, notes)


def default_config(seed: int, **model: Any) -> TrainConfig:
    """Return the configuration of all sets: every key has its default but those of `model`."""
    return TrainConfig(
        asset="detection",
        data=DataConfig(train=["-"]),
        model=ModelConfig(**model),
        train=FitConfig(seed=seed),
    )


def linear_detector(series: Series) -> Detector:
    """Fit forecasters and scorer as `train_detector` does, without a network."""
    recording = series.recording
    values, split = series.train, split_by_time(recording.sequences, most_reach())
    schema = with_roles(recording.schema, values, {})
    spec = DetectorSpec("detection", schema, FALSE_ALARMS_PER_DAY)
    linear = fit_linear(values, split, schema, flags=wants_flags(values, split.fitted))
    measured = measure_network(assemble(spec, linear), values, split, stuck_limits(values, recording.sequences))
    return refit(measured, values, split, FALSE_ALARMS_PER_DAY)
