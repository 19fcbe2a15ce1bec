"""Fits the scorer: whitening, the second forecast, and the principal components of the last rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vcedge.calibration.highway import CrossFit, cross_fit, standardise
from vcedge.calibration.order import ORDERS
from vcedge.calibration.split import Ranges, Split, rows_in
from vcedge.detector import Detector, Features, Reconstruction, Scorer, ScorerPart
from vcedge.schema import F32, F64

FAST, SLOW, COMPONENTS = 0.25, 8.0, 0.5
"""Spans of the parts, in units of `score.span`."""
AHEAD = 5
"""Rows that the second forecast looks ahead: it models changes over several rows, not from one to the next."""
LAGS = (0, 1, 2, 4)
"""Lags of the rows that components reconstruct: doubling steps cover the same window at a quarter of the size."""
KEPT_VARIANCE = 0.85
COVARIANCE_RIDGE = 0.05
"""Added to the residuals' variances before whitening, so that nearly equal channels do not divide by almost 0."""
REACH = ORDERS[-1]
"""Rows required before each fitted row: the largest candidate order."""
DEFAULT_SPAN = 20.0
MOST_ROWS = 8000
"""Most rows that components are fitted to, evenly spaced."""
LEAST_USUAL = 1e-6


def fit_scorer(values: F64, features: Features, cross: CrossFit, split: Split, span: float) -> Scorer:
    """Fit the scorer to values (N, C), with equal weights; `with_usual` later measures the means of its parts."""
    order, ridge = cross.highway.order, cross.highway.ridge
    parts = (
        ScorerPart("fast", "error", max(FAST * span, 1.0), 0.2),
        ScorerPart("medium", "error", span, 0.2),
        ScorerPart("slow", "error", SLOW * span, 0.2),
        ScorerPart("horizon", "horizon", span, 0.2),
        ScorerPart("reconstruction", "reconstruction", max(COMPONENTS * span, 1.0), 0.2),
    )
    return Scorer(
        parts=parts,
        whiten=_whitening(cross.residual, split.fitted),
        horizon=cross_fit(values, features, split, order, ridge, AHEAD).highway,
        reconstruction=components(values, features, split),
    )


def medium_span(scorer: Scorer) -> float:
    """Return the `score.span` that `fit_scorer` fitted a scorer with."""
    return next(part.span for part in scorer.parts if part.name == "medium")


def reweighted(scorer: Scorer, other: Scorer) -> Scorer:
    """Return the scorer with the weights of another one of the same parts."""
    weights = [part.weight for part in other.parts]
    parts = tuple(replace(part, weight=weight) for part, weight in zip(scorer.parts, weights, strict=True))
    return replace(scorer, parts=parts)


def with_usual(detector: Detector, parts: F64) -> Detector:
    """Return the detector whose scorer parts are divided by their mean over normal rows (M, parts)."""
    usual = np.maximum(parts.mean(axis=0), LEAST_USUAL).tolist()
    measured = tuple(replace(part, usual=mean) for part, mean in zip(detector.scorer.parts, usual, strict=True))
    return replace(detector, scorer=replace(detector.scorer, parts=measured))


def _whitening(residual: F32, ranges: Ranges) -> F32:
    """Return the symmetric root (C, C) of the inverse covariance of residuals in spreads (N, C), NaN where unknown.

    The symmetric root keeps each whitened error closest to its own channel, so that it can be attributed to it.
    """
    rows = np.concatenate([residual[a:b] for a, b in ranges])
    wide = np.nan_to_num(rows[np.isfinite(rows).any(axis=1)].astype(np.float64))
    covariance = wide.T @ wide / max(len(wide), 1) + COVARIANCE_RIDGE * np.eye(residual.shape[1])
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors / np.sqrt(values)) @ vectors.T, np.float32)


def components(values: F64, features: Features, split: Split, lags: tuple[int, ...] = LAGS) -> Reconstruction:
    """Fit the principal components that hold KEPT_VARIANCE of the variance of windows of rows (N, C).

    A window holds the rows `lags` back; lags increase from 0.
    """
    reach, step = lags[-1], max(1, rows_in(split.fitted) // MOST_ROWS)
    windows = []
    for start, stop in split.fitted:
        z = standardise(values[start:stop], features)
        at = np.arange(reach, len(z), step)
        windows.append(np.hstack([z[at - lag] for lag in lags]))
    rows = np.concatenate(windows)
    mean = rows.mean(axis=0)
    power, vectors = np.linalg.eigh((rows - mean).T @ (rows - mean))
    power, vectors = power[::-1], vectors[:, ::-1]
    kept = int(np.searchsorted(np.cumsum(power), KEPT_VARIANCE * power.sum())) + 1
    return Reconstruction(lags, mean.astype(np.float32), np.ascontiguousarray(vectors[:, :kept].T, np.float32))
