"""`vcedge evaluate`: measures how well a model detects labelled anomalies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vcedge.cli.console import note, print_json, single_threaded
from vcedge.cli.options import EngineName, Network, ReadingOverrides, Recordings, RunnableFile
from vcedge.errors import UsageError
from vcedge.wording import DAY_S, duration, number

if TYPE_CHECKING:
    from vcedge.config.train import ReadingConfig
    from vcedge.evaluation.measure import LabelledScores, Measures
    from vcedge.runtime.engine.interface import Engine

PROGRESS_ROWS = 100_000


def evaluate_command(
    *,
    model: RunnableFile,
    inputs: Recordings,
    label: Annotated[str, typer.Option("--label", metavar="COLUMN", help="The column that marks anomalous rows.")],
    engine: EngineName = "auto",
    network: Network = True,
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
    overrides: ReadingOverrides = None,
    json: Annotated[bool, typer.Option("--json", help="Print all measures as JSON on stdout.")] = False,
) -> None:
    """Score labelled recordings, and measure how well their anomalies are detected.

    The label column holds 0 and 1, true and false, or words such as normal and attack. Each INPUT is a stream of its
    own, scored as in the service; the results of random scores and of an alarm on every row are given for comparison.

    \b
    Example:
      vcedge evaluate models/pump/model.vcedge faulty.csv --label anomaly --bar vus_pr=0.8 --bar far=0.1
    """
    single_threaded()
    from vcedge.evaluation.bars import check_bars, parse_bars
    from vcedge.history.as_trained import reading_config
    from vcedge.model_file import model_id
    from vcedge.runtime.exported.artifact import load

    wanted = parse_bars(bars or [])
    runner = load(model, engine, network=network)
    if label in runner.detector.schema.names:
        raise UsageError(f"--label {label}: is a channel that {model} watches, expected a column that is no channel")
    reading = reading_config(runner.detector, overrides or [])
    scored = (_scored(runner, path, reading, label, skip_rows, window) for path in inputs)
    found = _evaluate(inputs, scored)
    promised = runner.detector.calibration.false_alarms_per_day
    if json:
        given = {"model": model_id(model), "network": network, "label": label}
        given["promised_false_alarms_per_day"] = promised
        print_json({**given, **found.to_json(), "bars": [bar.to_json(found.mean) for bar in wanted]})
    else:
        print("\n".join(_table(found.rows())))
        note(_promise(found.mean, promised))
    check_bars(wanted, found.mean, str(model))


@dataclass(frozen=True)
class Evaluation:
    """Holds the measures of each file, their mean, and the means of trivial detectors by name."""

    files: Sequence[tuple[Path, Measures]]
    mean: Measures
    trivial: Mapping[str, Measures]

    def rows(self) -> list[tuple[str, Measures]]:
        """Return the rows of the table for people."""
        rows = [(path.name, measures) for path, measures in self.files]
        rows += [("all", self.mean)] if len(rows) > 1 else []
        return [*rows, *self.trivial.items()]

    def to_json(self) -> dict[str, Any]:
        """Return all measures as JSON values."""
        return {
            "files": [{"file": str(path), **_json(measures)} for path, measures in self.files],
            "mean": _json(self.mean),
            "beside": {name: _json(measures) for name, measures in self.trivial.items()},
        }


def _evaluate(inputs: Sequence[Path], scored: Iterable[LabelledScores]) -> Evaluation:
    from vcedge.evaluation.measure import mean_of, measure, trivial_measures

    found: list[Measures] = []
    trivial: dict[str, list[Measures]] = {"random": [], "all ones": []}
    for scores in scored:
        found.append(measure(scores))
        for name, measures in trivial_measures(scores).items():
            trivial[name].append(measures)
    means = {name: mean_of(measures) for name, measures in trivial.items()}
    return Evaluation(list(zip(inputs, found, strict=True)), mean_of(found), means)


def _scored(
    engine: Engine, path: Path, reading: ReadingConfig, label: str, skip_rows: int, window: int | None
) -> LabelledScores:
    """Score one recording, and put the scores beside its labels."""
    from vcedge.evaluation.labels import read_labels
    from vcedge.evaluation.replay import score_labelled
    from vcedge.history import open_rows
    from vcedge.runtime.stream.stream import Stream

    reader = open_rows([path], engine.detector.schema, reading)
    labels = read_labels(path, label, reading)
    noted = 0

    def progress(rows: int) -> None:
        nonlocal noted
        if rows // PROGRESS_ROWS > noted:
            noted = rows // PROGRESS_ROWS
            note(f"{path.name}: {rows:,} rows scored")

    return score_labelled(Stream(engine), reader, labels, skip_rows=skip_rows, window=window, progress=progress)


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
    ("anomalous", "updated_anomalous", ".0%"),
)
"""Heading, measure and format of each column for people."""


def _table(rows: Sequence[tuple[str, Measures]]) -> list[str]:
    """Return aligned lines; a dash stands for what cannot be measured."""
    cells = [["", *(heading for heading, _, _ in COLUMNS)]]
    for name, measures in rows:
        values = ((measures[key], form) for _, key, form in COLUMNS)
        cells.append([name, *("-" if math.isnan(value) else format(value, form) for value, form in values)])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for first, *others in cells:
        aligned = [first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]
        lines.append("  ".join(aligned).rstrip())
    return lines


def _promise(mean: Measures, promised: float) -> str:
    """Return the counted and the expected false alarms, and the length of normal operation."""
    days = mean["normal_days"]
    return (
        f"false alarms: {mean['false_alarms']:.0f} in {duration(DAY_S * days)} of normal operation; "
        f"{promised * days:.2g} expected at {number(promised)} a day"
    )


def _json(measures: Measures) -> dict[str, float | None]:
    """Return measures as JSON values: null if there is nothing to measure."""
    return {name: None if math.isnan(value) else value for name, value in measures.items()}
