"""The last step: what is linear fitted again on every row, once the held-out ones have said what is to be expected."""

from __future__ import annotations

from dataclasses import replace

from vcedge.calibration.calibrate import fit_linear
from vcedge.calibration.scorer import medium_span
from vcedge.calibration.split import Split, joined
from vcedge.detector import Detector
from vcedge.schema import F64


def refit(detector: Detector, values: F64, split: Split) -> Detector:
    """The detector with statistics, highway and scorer of all rows of values (N, C); all else stays as it was measured.

    Order, ridge, weights, limits and the network's shrinkage come from rows that the first fit had not seen. A fit on
    a fifth more rows, and the latest ones, errs no more than that one on what comes; so the limits hold for it too.
    """
    everything = Split(joined(split.all, split.starts), (), (), split.starts)
    old, highway = detector.scorer, detector.highway
    linear = fit_linear(
        values, everything, detector.features.flags, highway.order, highway.ridge, medium_span(detector.scorer)
    )
    parts = tuple(
        replace(fresh, weight=measured.weight, usual=measured.usual)
        for fresh, measured in zip(linear.scorer.parts, old.parts, strict=True)
    )
    return replace(
        detector,
        features=replace(linear.features, clip=detector.features.clip),
        highway=linear.cross.highway,
        scorer=replace(linear.scorer, parts=parts),
    )
