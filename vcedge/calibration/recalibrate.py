"""A trained detector made ready for another machine of the kind: the network stays, all else is fitted anew."""

from __future__ import annotations

from dataclasses import replace

from vcedge.calibration.calibrate import calibrate_limits, fit_linear, stuck_limits
from vcedge.calibration.refit import refit
from vcedge.calibration.rows import check_channels, usable_rows
from vcedge.calibration.scorer import REACH, medium_span, reweighted
from vcedge.calibration.split import split_by_time
from vcedge.detector import Detector
from vcedge.history import Recording


def recalibrate(
    detector: Detector, recording: Recording, false_alarms_per_day: float, asset: str | None = None
) -> Detector:
    """The same network for another machine of the kind, from a recording of its normal operation; no training.

    What events resemble is of the old machine and left out (`vcedge.sensitivity.resemblance.refitted`).
    Raises DataError where the recording is too short or too broken.
    """
    values, sequences, _ = usable_rows(recording)
    split = split_by_time(sequences, max(REACH, detector.highway.order))
    check_channels(values, split, detector.schema)
    order, ridge = detector.highway.order, detector.highway.ridge
    linear = fit_linear(values, split, detector.features.flags, order, ridge, medium_span(detector.scorer))
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
        provenance={**detector.provenance, "calibration": calibration},
        resemblance=None,
    )
    stuck = stuck_limits(recording.values, recording.sequences)
    return refit(calibrate_limits(fresh, values, split, stuck, false_alarms_per_day), values, split)
