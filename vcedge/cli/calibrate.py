"""`vcedge calibrate`: a trained network for another machine of the same kind."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated

import typer


def calibrate_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model.vcedge.", show_default=False)],
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Normal operation of the other machine.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", help="The model file to write.", show_default=False)],
    rows: Annotated[int | None, typer.Option("--rows", min=1, help="Use only the first so many rows.")] = None,
    asset: Annotated[str | None, typer.Option("--asset", help="Name of the other machine.")] = None,
    false_alarms_per_day: Annotated[
        float | None, typer.Option("--false-alarms-per-day", help="Default: as the model was trained for.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="a.b=value", help="Read files otherwise than those of training; repeatable."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="What was written, as JSON on stdout.")] = False,
) -> None:
    """Fit statistics, linear forecaster, shrinkage and thresholds to another machine. The network stays; no training.

    So is what events are compared with, where the model has that.

    What --set says of the files is stored in the new model, so that it reads others of the same kind.

    \b
    Example:
      vcedge calibrate models/pump-1/model.vcedge pump-2.csv --rows 400 --asset pump-2 --out pump-2.vcedge
    """
    from vcedge.cli.console import note, print_json, refuse_overwriting, single_threaded

    _check(asset, false_alarms_per_day)
    single_threaded()
    from dataclasses import replace

    from vcedge.calibration.recalibrate import recalibrate
    from vcedge.history import load_history
    from vcedge.history.as_trained import data_config, stored_reading
    from vcedge.history.files import find_files
    from vcedge.model_file import load, model_id, save
    from vcedge.sensitivity.resemblance import refitted

    refuse_overwriting(out, [model, *find_files(inputs, Path())])
    detector = load(model)
    recording = load_history(data_config(detector, inputs, rows, overrides or []), Path())
    for line in recording.report.lines():
        note(f"data: {line}")
    if overrides:
        detector = replace(detector, reading=stored_reading(detector, overrides).model_dump(mode="json"))
    rate = detector.calibration.false_alarms_per_day if false_alarms_per_day is None else false_alarms_per_day
    adapted = recalibrate(detector, recording, rate, asset)
    if detector.resemblance is not None:
        adapted = refitted(adapted, recording)
        if adapted.resemblance is None:
            note("too few rows to learn what events resemble: those of this machine will bear no name")
    save(adapted, out)
    limits = adapted.calibration
    evidence = f"{limits.tail.peaks} excursions in {limits.rows} rows"
    note(f"{out} written: threshold {limits.threshold:.4g} for {rate:g} false alarms a day, from {evidence}")
    if json:
        print_json(
            {
                "id": model_id(out),
                "asset": adapted.asset,
                "threshold": limits.threshold,
                "rows": limits.rows,
                "false_alarms_per_day": limits.false_alarms_per_day,
                "out": str(out),
            }
        )


def _check(asset: str | None, false_alarms_per_day: float | None) -> None:
    """Raise UsageError for options that no model can hold, before anything is read."""
    from vcedge.config.train import ASSET_PATTERN
    from vcedge.errors import UsageError

    if asset is not None and not re.fullmatch(ASSET_PATTERN.rstrip("$"), asset):
        raise UsageError(f"--asset {asset!r}: expected a name without spaces, '/', '+' and '#'")
    rate = false_alarms_per_day
    if rate is not None and not (math.isfinite(rate) and rate > 0):
        raise UsageError(f"--false-alarms-per-day {rate}: expected a number greater than 0")
