"""Fits the linear parts again on every row, as the last step, after the held-out rows gave limits and weights."""

from __future__ import annotations

from dataclasses import replace

from vcedge.calibration.calibrate import fit_linear_like
from vcedge.calibration.split import Split, merge_ranges
from vcedge.detector import Detector
from vcedge.schema import F64


def refit(detector: Detector, values: F64, split: Split) -> Detector:
    """Return the detector with statistics, highway and scorer of all rows of values (N, C); all else stays.

    Order, ridge, weights, limits and the network's shrinkage were measured on rows that the first fit did not use. A
    fit to a quarter more rows, and the latest ones, has no larger errors on future rows, so the limits hold for it too.
    """
    linear = fit_linear_like(detector, values, Split(merge_ranges(split.all, split.starts), (), (), split.starts))
    parts = tuple(
        replace(fresh, weight=measured.weight, usual=measured.usual)
        for fresh, measured in zip(linear.scorer.parts, detector.scorer.parts, strict=True)
    )
    return replace(
        detector,
        features=replace(linear.features, clip=detector.features.clip),
        highway=linear.cross.highway,
        scorer=replace(linear.scorer, parts=parts),
    )
