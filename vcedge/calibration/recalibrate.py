"""Calibrates a trained detector for another machine of the same kind: it keeps the network and fits all other parts."""

from __future__ import annotations

from dataclasses import replace

from vcedge.calibration.calibrate import calibrate_limits, fit_linear_like
from vcedge.calibration.rows import check_channels, judged_rows, usable_rows
from vcedge.calibration.scorer import REACH, reweighted
from vcedge.calibration.seen_range import fit_seen_range
from vcedge.calibration.split import Split, merge_ranges, split_by_time
from vcedge.calibration.stuck import stuck_limits
from vcedge.detector import Detector
from vcedge.history import Recording
from vcedge.schema import F64


def recalibrate(
    detector: Detector, recording: Recording, false_alarms_per_day: float, asset: str | None = None
) -> Detector:
    """Return a detector with the same network for another machine of the kind, without training.

    The resemblance of events belongs to the old machine and is left out; see
    `vcedge.sensitivity.resemblance.refitted`.

    Args:
        detector: the trained detector.
        recording: normal operation of the other machine.
        false_alarms_per_day: false alarms that the new threshold allows.
        asset: name of the other machine; None keeps the old name.

    Raises:
        DataError: the recording is too short or has too many gaps.
    """
    values, sequences, places = usable_rows(recording)
    split = split_by_time(sequences, max(REACH, detector.highway.order))
    split = replace(split, must_not_alarm=judged_rows(recording, places))
    check_channels(values, split, detector.schema)
    linear = fit_linear_like(detector, values, split)
    scorer = reweighted(linear.scorer, detector.scorer)
    calibration = {
        "files": [{"name": name, "sha256": digest} for name, digest in recording.files],
        "rows": len(values),
        "false_alarms_per_day": false_alarms_per_day,
    }
    fresh = replace(
        detector,
        asset=asset or detector.asset,
        features=replace(linear.features, clip=detector.features.clip),
        highway=linear.cross.highway,
        scorer=scorer,
        seen=fit_seen_range(recording.values, recording.sequences),
        provenance={**detector.provenance, "calibration": calibration},
        resemblance=None,
    )
    stuck = stuck_limits(recording.values, recording.sequences)
    return refit(calibrate_limits(fresh, values, split, stuck, false_alarms_per_day), values, split)


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
