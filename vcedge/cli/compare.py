"""`vcedge compare`: compares the detector with others on the user's own recording."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcedge.cli.console import note, note_all, print_json, progress, single_threaded
from vcedge.cli.options import ConfigOverrides, TrainFile

if TYPE_CHECKING:
    from vcedge.config.train import TrainConfig
    from vcedge.evaluation.bars import Bar
    from vcedge.train.compare.comparison import Comparison


def compare_command(
    *,
    config: TrainFile,
    out: Annotated[Path, typer.Option("--out", help="Folder for compare.html and compare.json.")] = Path("compare"),
    held_out: Annotated[
        float,
        typer.Option("--held-out", min=0.05, max=0.9, help="Without data.test: share of the last rows to test on."),
    ] = 0.25,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of the networks and of injected faults.")] = None,
    bars: Annotated[
        list[str] | None,
        typer.Option("--bar", metavar="MEASURE=NUMBER", help="Exit code 1 unless VCGRU clears it; repeatable."),
    ] = None,
    overrides: ConfigOverrides = None,
    json: Annotated[bool, typer.Option("--json", help="Print compare.json on stdout.")] = False,
) -> None:
    """Compare VCGRU with GRU, RNN and simple detectors on your own recording: the proof of concept.

    Trains four networks and fits the simple detectors on data.train, and tests all on data.test with the labels in the
    column data.label. Without data.test the last rows of the recording are kept for the test; without labels, faults
    are injected into normal rows. Writes one page that opens offline, and the same numbers as JSON.

    \b
    Example:
      vcedge compare configs/pump.yaml --out poc --set data.label=anomaly --bar vus_pr=0.8
    """
    single_threaded()
    from vcedge.config.train import load_train_config
    from vcedge.evaluation.bars import check_bars, parse_bars
    from vcedge.train.compare.summary import NUMBERS, PAGE, to_json

    wanted = parse_bars(bars or [])
    fixed = [
        "model.cell=vcgru",
        *([] if seed is None else [f"train.seed={seed}"]),
    ]  # the other cells are compared with it
    settings = load_train_config(config, [*(overrides or []), *fixed])
    comparison = _compare(settings, held_out, out, wanted)
    if json:
        print_json(to_json(comparison, wanted))
    else:
        print("\n".join(_lines(comparison)))
    note(f"{out / PAGE} and {out / NUMBERS} written")
    check_bars(wanted, comparison.main.mean, str(config))


def _compare(settings: TrainConfig, held_out: float, out: Path, bars: list[Bar]) -> Comparison:
    """Load the data, compare the methods, and write page and numbers."""
    from vcedge.history import load_history
    from vcedge.history.labels import with_labels
    from vcedge.train.compare.cases import prepare
    from vcedge.train.compare.comparison import compare
    from vcedge.train.compare.summary import write_comparison

    out.mkdir(parents=True, exist_ok=True)
    recording = load_history(settings.data, settings.base_dir)
    test = prepare(settings.data, settings.base_dir, recording, held_out)
    if settings.data.labels:
        training = with_labels(test.training, settings.data.labels, settings.base_dir, settings.asset)
        test = replace(test, training=training)
    note_all(test.training.report.lines(), "data: ")
    with progress("comparing", 1.0) as report:
        comparison = compare(settings, test, report)
        write_comparison(out, comparison, bars)
        report(1.0, "")
    return comparison


def _lines(comparison: Comparison) -> list[str]:
    """Return the answer with its reasons, then one line for each method: what it finds and what it costs."""
    from vcedge.train.compare.verdict import worth_of

    worth = worth_of(comparison)
    width = max(len(one.method.name) for one in comparison.results)
    lines = [f"{worth.answer}: {worth.reasons[0]}", *(f"  {reason}" for reason in worth.reasons[1:]), ""]
    lines += [f"{'':{width}}  VUS-PR     F1  found  false a day      MACs        µs"]
    for one in comparison.results:
        mean = one.mean
        cells = (
            f"{_cell(mean['vus_pr'], '.3f'):>6}",
            f"{_cell(mean['f1'], '.3f'):>5}",
            f"{_cell(mean['event_recall'], '.0%'):>5}",
            f"{_cell(mean['false_alarms_per_day'], '.3g'):>11}",
            f"{one.macs:>8.0f}",
            f"{one.us:>8.1f}",
        )
        lines.append("  ".join([f"{one.method.name:{width}}", *cells]))
    return lines


def _cell(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)
