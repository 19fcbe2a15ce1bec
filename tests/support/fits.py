"""Detectors with a fitted statistic, and the states of the reference engine along some rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.support.detectors import recording_of
from vcedge.calibration.calibrate import DetectorSpec, LinearOptions, LinearPart, assemble, fit_linear
from vcedge.calibration.linear_model import LinearModel
from vcedge.calibration.roles import with_roles
from vcedge.calibration.split import Ranges, split_by_time
from vcedge.detector import Detector
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.schema import F64, SensorSchema

DAY_ROWS = 86_400
"""Rows of a day in these recordings, which have one row a second."""


def schema_of_rows(values: F64) -> SensorSchema:
    """Return the schema of a recording (N, C) with measured roles."""
    return with_roles(recording_of(values).schema, values, {})


def fitted(values: F64, sequences: Ranges = (), *, per_day: float = 1.0) -> tuple[Detector, LinearPart]:
    """Return a detector without a network, fitted to the first 80% of values (N, C), and what was fitted."""
    split = split_by_time(sequences or ((0, len(values)),), 9)
    schema = schema_of_rows(values)
    linear = fit_linear(values, split, schema, LinearOptions(order=5), flags=False)
    return assemble(DetectorSpec("a", schema, per_day), linear), linear


def model_of(detector: Detector) -> LinearModel:
    """Return the linear models of a detector."""
    scorer = detector.scorer
    return LinearModel(detector.features, detector.highway, scorer.horizon, scorer.whiten, scorer.reconstruction)


@dataclass(frozen=True)
class Steps:
    """Holds what the reference engine computes on N rows."""

    raw: F64  # (N,)
    contributions: F64  # (N, C)
    z: F64  # (N, C)
    smooth: F64  # (N, TRACKS, C)
    readings: F64  # (N, READINGS)


def steps(detector: Detector, values: F64, starts: tuple[int, ...] = (0,)) -> Steps:
    """Step the reference engine through values (N, C); the state is reset at each of `starts`."""
    engine = NumpyEngine(detector)
    state, found = engine.new_state(), []
    for row, sample in enumerate(values):
        if row in starts:
            state.reset()
        raw, _, contributions = engine.step(sample, state)
        found.append((raw, contributions, state.lags[0].copy(), state.smooth.copy(), state.readings.copy()))
    return Steps(*(np.array(part, np.float64) for part in zip(*found, strict=True)))


def cyclic(seed: int, rows: int, period: int, channels: int = 3, noise: float = 0.2) -> F64:
    """Return a recording (rows, C) that repeats a cycle, each channel with its own form."""
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * np.arange(rows)[:, None] / period
    wave = np.sin(angle + np.arange(channels)) + 0.5 * np.sin(2 * angle + 2 * np.arange(channels))
    return np.asarray(10.0 + wave + noise * rng.standard_normal((rows, channels)))
