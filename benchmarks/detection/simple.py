"""Builds the simple detectors of the reference scoring, and takes their thresholds from held-out training rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.sets import SPECS, Series
from vcedge.schema import F64

RIDGE, RANDOM, ALL_ONES, CYCLE = "ridge-VAR, EWMA 20", "random", "all ones", "mean over the cycle"
OF_REFERENCE = {
    RIDGE: "ridge-VAR ew20",
    "window-PCA": "window-PCA",
    "window-PCA, EWMA 20": "window-PCA",
    "KNN": "KNN",
    "k-means windows": "KMeans-win",
    "max |z|": "max|z|",
    "PCA T²+Q, EWMA 20": "PCA T2+Q ew20",
    "isolation forest": "IForest",
    "persistence": "persistence",
    "ridge-VAR": "ridge-VAR",
}
"""Names of this page and of the reference's own table."""
SIMPLE = (*OF_REFERENCE, CYCLE)
TRIVIAL = (RANDOM, ALL_ONES)
QUANTILE, HELD_OUT, SPAN = 0.999, 0.25, 20.0
Scorer = Callable[[F64], F64]


@dataclass(frozen=True)
class SimpleScores:
    """Holds the scores of the test rows (N,), and the threshold from the held-out training rows."""

    scores: F64
    threshold: float

    @property
    def alarm(self) -> NDArray[np.bool_]:
        """Rows above the threshold (N,)."""
        return np.asarray(self.scores > self.threshold)


def applies(method: str, name: str) -> bool:
    """Return whether a method can be measured on a set: the mean over the cycle needs a known cycle."""
    return method != CYCLE or SPECS[name].cycle is not None


def score_simple(method: str, series: Series, reference: ModuleType) -> SimpleScores:
    """Score the test rows by a fit to all training rows; the threshold is from a fit to the first three quarters.

    It is the QUANTILE of the scores of the last quarter. "all ones" is above its threshold everywhere.
    """
    if method == ALL_ONES:
        return SimpleScores(np.ones(len(series.test)), 0.0)
    build, cut = _builder(method, series, reference), round((1 - HELD_OUT) * len(series.train))
    held_out = np.nan_to_num(build(series.train[:cut])(series.train)[cut:])
    scores = np.nan_to_num(np.asarray(build(series.train)(series.test), np.float64))
    return SimpleScores(scores, float(np.quantile(held_out, QUANTILE)))


def _builder(method: str, series: Series, reference: ModuleType) -> Callable[[F64], Scorer]:
    """Return the function that fits a method to training rows (N, C) and returns its scorer."""
    if method == CYCLE:
        rows = SPECS[series.set].cycle
        assert rows is not None
        return lambda train: _cycle_mean(train, rows, reference)
    if method == RANDOM:
        return lambda train: lambda values: np.random.default_rng(len(values)).random(len(values))
    fit: Any = reference.BASELINES[OF_REFERENCE[method]]
    if method != "window-PCA, EWMA 20":
        return lambda train: fit(train)

    def smoothed(train: F64) -> Scorer:
        scorer = fit(train)
        return lambda values: np.asarray(reference.ewma(scorer(values), SPAN))

    return smoothed


def _cycle_mean(train: F64, rows: int, reference: ModuleType) -> Scorer:
    """Fit the mean over the last cycle; the score is its largest deviation, in standard deviations of training."""
    standard = reference.Std(_moving_mean(train, rows)[rows - 1 :])
    return lambda values: np.asarray(np.abs(standard(_moving_mean(values, rows))).max(axis=1))


def _moving_mean(values: F64, rows: int) -> F64:
    """Return the mean of the last `rows` rows (N, C), of fewer at the beginning."""
    sums = np.concatenate((np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)))
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - rows, 0)
    return np.asarray((sums[last] - sums[first]) / (last - first)[:, None])
