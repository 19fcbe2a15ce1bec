"""`vcedge calibrate`: a trained network for another machine of the same kind."""

from __future__ import annotations

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
) -> None:
    """Fit statistics, linear forecaster, shrinkage and thresholds to another machine. The network stays; no training.

    \b
    Example:
      vcedge calibrate models/pump-1/model.vcedge pump-2.csv --rows 400 --asset pump-2 --out pump-2.vcedge
    """
    from vcedge.calibration.calibrate import LEAST_ROWS, recalibrate
    from vcedge.calibration.split import split_by_time
    from vcedge.cli.console import note
    from vcedge.history import load_history
    from vcedge.history.reading import data_config
    from vcedge.model_file import load, save

    detector = load(model)
    recording = load_history(data_config(detector, inputs, rows), Path())
    for line in recording.report.lines():
        note(f"data: {line}")
    split = split_by_time(recording.sequences, detector.highway.order + LEAST_ROWS)
    rate = detector.calibration.false_alarms_per_day if false_alarms_per_day is None else false_alarms_per_day
    adapted = recalibrate(detector, recording.values, split, rate, asset)
    save(adapted, out)
    note(
        f"{out} written: threshold {adapted.calibration.threshold:.4g} for {rate:g} false alarms a day, "
        f"from {adapted.calibration.rows} held-out rows"
    )
