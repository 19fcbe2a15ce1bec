"""Calibrates a trained detector for another machine of the same kind: it keeps the network and fits all other parts."""

from __future__ import annotations

from dataclasses import replace

from vcedge.calibration.calibrate import (
    DetectorSpec,
    LinearOptions,
    assemble,
    fit_linear,
    measure_network,
    rows_of,
    with_network,
    with_statistic,
)
from vcedge.calibration.order import OrderChoice, most_reach
from vcedge.calibration.roles import with_roles
from vcedge.calibration.rows import check_channels, judged_rows, usable_rows
from vcedge.calibration.seen_range import fit_seen_range
from vcedge.calibration.split import Split, merge_ranges, split_by_time
from vcedge.calibration.statistic import fit_statistic
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
    split = split_by_time(sequences, most_reach(detector.highway.order))
    split = replace(split, must_not_alarm=judged_rows(recording, places))
    check_channels(values, split, detector.schema)
    schema = with_roles(detector.schema, values, {c.name: c.role for c in detector.schema.channels})
    options = LinearOptions(detector.highway.order, detector.highway.ridge, detector.scorer.span)
    linear = fit_linear(values, split, schema, options, flags=detector.features.flags)
    calibration = {
        "files": [{"name": name, "sha256": digest} for name, digest in recording.files],
        "rows": len(values),
        "false_alarms_per_day": false_alarms_per_day,
    }
    spec = DetectorSpec(
        asset or detector.asset,
        schema,
        false_alarms_per_day,
        detector.reading,
        {**detector.provenance, "calibration": calibration},
        detector.calibration.events,
        detector.calibration.target_share,
    )
    fresh = assemble(spec, linear)
    if detector.cell is not None and detector.head is not None:
        fresh = with_network(fresh, detector.cell, detector.head)
    fresh = measure_network(fresh, values, split, stuck_limits(recording.values, recording.sequences))
    fitted = refit(fresh, values, split, false_alarms_per_day)
    return replace(fitted, seen=fit_seen_range(recording.values, recording.sequences))


def refit(detector: Detector, values: F64, split: Split, false_alarms_per_day: float) -> Detector:
    """Return the detector with statistics, forecasters, scorer and threshold of all rows of values (N, C).

    Order and the network's shrinkage were measured on rows that the first fit did not use. A fit to a quarter more
    rows, and the latest ones, has no larger errors on future rows, so they hold for it too.
    """
    rows = rows_of(values, split.starts, detector.schema)
    choice = OrderChoice(detector.highway.order, detector.highway.ridge)
    flags, span = detector.features.flags, detector.scorer.span
    statistic = fit_statistic(rows, merge_ranges(split.all, split.starts), choice, span, flags=flags)
    fitted = with_statistic(detector, statistic, false_alarms_per_day, split.must_not_alarm)
    return replace(fitted, seen=fit_seen_range(values, split.all))
