"""`vcedge calibrate`: fits a trained network to another machine of the same kind."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vcedge.cli.console import note, note_all, print_json, refuse_overwriting, single_threaded
from vcedge.cli.options import ModelFile, ReadingOverrides
from vcedge.errors import UsageError
from vcedge.wording import alarm_rate, count

if TYPE_CHECKING:
    from vcedge.detector import Detector
    from vcedge.history import Recording


def calibrate_command(
    *,
    model: ModelFile,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...", help="Recordings of the other machine in normal operation.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The model file to write.", show_default=False)],
    rows: Annotated[int | None, typer.Option("--rows", min=1, help="Use only this many first rows.")] = None,
    asset: Annotated[str | None, typer.Option("--asset", help="Name of the other machine.")] = None,
    false_alarms_per_day: Annotated[
        float | None, typer.Option("--false-alarms-per-day", help="Default: the model's own.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option("--labels", metavar="FILE", help="Judgements of events, a labels.csv; repeatable."),
    ] = None,
    overrides: ReadingOverrides = None,
    json: Annotated[bool, typer.Option("--json", help="Describe the new model as JSON on stdout.")] = False,
) -> None:
    """Fit statistics, linear forecaster, shrinkage and thresholds to another machine. The network is not trained.

    If the model compares events with known faults, this comparison is fitted too. Settings given by --set are stored in
    the new model, so that it reads other files of the same kind. Rows that --labels name as a fault or as maintenance
    are left out.

    \b
    Example:
      vcedge calibrate models/pump-1/model.vcedge pump-2.csv --rows 400 --asset pump-2 --out pump-2.vcedge
    """
    _check(asset, false_alarms_per_day)
    single_threaded()
    from vcedge.history import load_history
    from vcedge.history.as_trained import data_config, stored_reading
    from vcedge.history.files import find_files
    from vcedge.history.labels import with_labels
    from vcedge.model_file import load, model_id, save

    refuse_overwriting(out, [model, *find_files([*inputs, *(labels or [])], Path())])
    detector = load(model)
    recording = load_history(data_config(detector, inputs, rows, overrides or []), Path())
    if labels:
        recording = with_labels(recording, labels, Path(), asset or detector.asset)
    note_all(recording.report.lines(), "data: ")
    if overrides:
        detector = replace(detector, reading=stored_reading(detector, overrides).model_dump(mode="json"))
    adapted = _recalibrated(detector, recording, asset, false_alarms_per_day)
    save(adapted, out)
    note(f"{out} written: {_summary(adapted)}")
    if json:
        print_json({"id": model_id(out), **_description(adapted), "out": str(out)})


def _check(asset: str | None, rate: float | None) -> None:
    """Raise UsageError for values that no model can hold."""
    from vcedge.config.train import ASSET_PATTERN

    if asset is not None and not re.fullmatch(ASSET_PATTERN.rstrip("$"), asset):
        raise UsageError(f"--asset {asset!r}: expected a name without spaces, '/', '+' and '#', such as pump-2")
    if rate is not None and not (math.isfinite(rate) and rate > 0):
        raise UsageError(f"--false-alarms-per-day {rate}: expected a number greater than 0, such as 0.5")


def _recalibrated(detector: Detector, recording: Recording, asset: str | None, rate: float | None) -> Detector:
    """Return the detector fitted to the recording; `rate` is in false alarms a day, None: the model's own."""
    from vcedge.calibration.recalibrate import recalibrate
    from vcedge.sensitivity.resemblance import refitted

    rate = detector.calibration.wanted_per_day if rate is None else rate
    adapted = recalibrate(detector, recording, rate, asset)
    if adapted.calibration.false_alarms_per_day > rate:
        note(f"this recording cannot show as few as {alarm_rate(rate)}: use a longer one")
    if detector.resemblance is not None:
        adapted = refitted(adapted, recording)
        if adapted.resemblance is None:
            note("too few rows to compare events with known faults: events of this machine will not name one")
    return adapted


def _summary(detector: Detector) -> str:
    limits = detector.calibration
    promise = alarm_rate(limits.false_alarms_per_day)
    seen = limits.promise.expected(limits.threshold)
    evidence = f"{count(seen, 'event')} in {count(limits.rows, 'normal row')}"
    return f"threshold {limits.threshold:.4g} nats, for {promise}, from {evidence}"


def _description(detector: Detector) -> dict[str, Any]:
    limits = detector.calibration
    return {
        "asset": detector.asset,
        "threshold": limits.threshold,
        "rows": limits.rows,
        "false_alarms_per_day": limits.false_alarms_per_day,
    }
