"""`vcedge evaluate`: how well a model detects what is known to be wrong."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vcedge.evaluation.measure import Measures

PROGRESS_ROWS = 100_000


def evaluate_command(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A model.vcedge, or exported from one.", show_default=False)
    ],
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Recordings.", show_default=False)],
    label: Annotated[str, typer.Option("--label", metavar="COLUMN", help="The column that says which rows are wrong.")],
    engine: Annotated[str, typer.Option("--engine", help="auto, native, numpy, onnx or tflite.")] = "auto",
    network: Annotated[
        bool, typer.Option("--network/--no-network", help="Without: the linear forecaster alone, same scorer.")
    ] = True,
    skip_rows: Annotated[
        int, typer.Option("--skip-rows", min=0, help="First rows of each file that are scored but not counted.")
    ] = 0,
    window: Annotated[
        int | None,
        typer.Option("--window", min=0, help="Buffer of VUS-PR in rows; default: the first channel's period."),
    ] = None,
    bars: Annotated[
        list[str] | None,
        typer.Option("--bar", metavar="MEASURE=NUMBER", help="Exit code 1 unless the mean clears it; repeatable."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="a.b=value", help="Read files otherwise than those of training; repeatable."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="All measures as JSON on stdout.")] = False,
) -> None:
    """Score recordings for which the truth is known, and measure how well.

    The label column holds 0 and 1, true and false, or words such as normal and attack. Each INPUT is a stream of its
    own, scored as the service would; the results of random scores and of an alarm on every row stand beside.

    \b
    Example:
      vcedge evaluate models/pump/model.vcedge faulty.csv --label anomaly --bar vus_pr=0.8 --bar far=0.1
    """
    from vcedge.cli.console import note, print_json, single_threaded

    single_threaded()
    from vcedge.errors import UsageError
    from vcedge.evaluation.bars import check_bars, parse_bars
    from vcedge.evaluation.measure import mean_of, measure, trivial_measures
    from vcedge.model_file import model_id
    from vcedge.runtime.exported.artifact import open_engine

    wanted = parse_bars(bars or [])
    runner = open_engine(model, engine, network)
    detector = runner.detector
    if label in detector.schema.names:
        raise UsageError(f"--label {label}: is a channel that {model} watches, expected a column that it does not see")
    found: list[Measures] = []
    other: dict[str, list[Measures]] = {"random": [], "all ones": []}
    for path in inputs:
        judged = _judge(runner, path, label, skip_rows, window, overrides or [])
        found.append(measure(judged))
        for name, measures in trivial_measures(judged).items():
            other[name].append(measures)
    mean = mean_of(found)
    promised = detector.calibration.false_alarms_per_day
    if json:
        print_json(
            {
                "model": model_id(model),
                "network": network,
                "label": label,
                "promised_false_alarms_per_day": promised,
                "files": [{"file": str(path), **_json(measures)} for path, measures in zip(inputs, found, strict=True)],
                "mean": _json(mean),
                "beside": {name: _json(mean_of(measures)) for name, measures in other.items()},
                "bars": [
                    {"measure": bar.measure, "expected": bar.value, "met": bar.met(mean[bar.measure])} for bar in wanted
                ],
            }
        )
    else:
        rows = [(path.name, measures) for path, measures in zip(inputs, found, strict=True)]
        rows += [("all", mean)] if len(rows) > 1 else []
        rows += [(name, mean_of(measures)) for name, measures in other.items()]
        for line in _table(rows):
            print(line)
        note(_promise(mean, promised))
    check_bars(wanted, mean, str(model))


def _judge(runner: Any, path: Path, label: str, skip_rows: int, window: int | None, overrides: list[str]) -> Any:
    """One recording, scored and put beside its labels."""
    from vcedge.cli.console import note
    from vcedge.evaluation.labels import read_labels
    from vcedge.evaluation.replay import score_labelled
    from vcedge.history import open_rows
    from vcedge.history.as_trained import reading_config
    from vcedge.runtime.stream.stream import Stream

    reading = reading_config(runner.detector, overrides)
    reader = open_rows([path], runner.detector.schema, reading)
    labels = read_labels(path, label, reading)
    told = 0

    def progress(rows: int) -> None:
        nonlocal told
        if rows // PROGRESS_ROWS > told:
            told = rows // PROGRESS_ROWS
            note(f"{path.name}: {rows:,} rows scored")

    return score_labelled(Stream(runner), reader, labels, skip_rows=skip_rows, window=window, progress=progress)


COLUMNS = (
    ("VUS-PR", "vus_pr", ".3f"),
    ("AUC-PR", "auc_pr", ".3f"),
    ("F1", "f1", ".3f"),
    ("FAR", "far", ".1%"),
    ("MAR", "mar", ".1%"),
    ("events", "events", ".0f"),
    ("found", "event_recall", ".0%"),
    ("delay s", "delay_s", ".4g"),
    ("rows", "delay_rows", ".4g"),
    ("false", "false_alarms", ".0f"),
    ("a day", "false_alarms_per_day", ".3g"),
    ("updated normal", "updated_normal", ".0%"),
    ("wrong", "updated_anomalous", ".0%"),
)
"""Heading, measure and format of each column for people."""


def _table(rows: list[tuple[str, Measures]]) -> list[str]:
    """Aligned lines; a dash stands for what cannot be measured."""
    cells = [["", *(heading for heading, _, _ in COLUMNS)]]
    for name, measures in rows:
        values = ((measures[key], form) for _, key, form in COLUMNS)
        cells.append([name, *("-" if math.isnan(value) else format(value, form) for value, form in values)])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        first, *others = (
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *others]).rstrip())
    return lines


def _promise(mean: Measures, promised: float) -> str:
    """Whether the stated false alarms were kept, and on how much time that rests."""
    days, false = mean["normal_days"], mean["false_alarms"]
    length = f"{days:.3g} days" if days >= 1 else f"{24 * days:.3g} hours"
    return (
        f"false alarms: {false:.0f} in {length} of normal operation; "
        f"{promised * days:.2g} were to be expected of {promised:g} a day"
    )


def _json(measures: Measures) -> dict[str, float | None]:
    """Measures as JSON has them: null where there is nothing to measure."""
    return {name: None if math.isnan(value) else value for name, value in measures.items()}
