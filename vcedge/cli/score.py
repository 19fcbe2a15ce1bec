"""`vcedge score`: what a model says of recordings, row by row."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer

PROGRESS_ROWS = 100_000


def score_command(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A model.vcedge, or exported from one.", show_default=False)
    ],
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Recordings.", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", help="The scores file; default: stdout.")] = None,
    engine: Annotated[str, typer.Option("--engine", help="auto, native, numpy, onnx or tflite.")] = "auto",
    network: Annotated[
        bool, typer.Option("--network/--no-network", help="Without: the linear forecaster alone, same scorer.")
    ] = True,
    adapt: Annotated[
        bool, typer.Option("--adapt/--no-adapt", help="Whether the threshold follows slow drift, as in the service.")
    ] = True,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="a.b=value", help="Read files otherwise than those of training; repeatable."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="A summary as JSON on stdout; needs --out.")] = False,
) -> None:
    """Score recordings with a model: one line for each row, in order.

    Each INPUT is a stream of its own. A row's result depends on it and on earlier rows alone.

    \b
    Example:
      vcedge score models/pump/model.vcedge today.csv --out scores.csv
      vcedge score model.vcedge export.csv --set time.format="%d/%m/%y %H:%M" --set table.decimal=,
    """
    import time

    from vcedge.cli.console import note, print_json, refuse_overwriting
    from vcedge.errors import UsageError
    from vcedge.history import open_rows
    from vcedge.history.as_trained import reading_config
    from vcedge.runtime.exported.artifact import open_engine
    from vcedge.runtime.recordings.score_recording import score_blocks, write_header, write_scores
    from vcedge.runtime.recordings.score_summary import ScoreSummary
    from vcedge.runtime.stream.stream import Stream

    if json and out is None:
        raise UsageError("--json prints a summary on stdout, so the scores need --out FILE")
    if out is not None:
        refuse_overwriting(out, [model, *inputs])
    runner = open_engine(model, engine, network)
    detector = runner.detector
    reading = reading_config(detector, overrides or [])
    tally = ScoreSummary(runner.detector)
    began = time.perf_counter()
    readers = [open_rows([path], detector.schema, reading) for path in inputs]
    with _output(out) as stream_out:
        write_header(stream_out)
        for reader in readers:
            tally.start()
            for block in score_blocks(Stream(runner, adapt=adapt), reader):
                write_scores(stream_out, block, None if reader.has_time else tally.rows)
                before = tally.rows
                tally.add_block(block)
                if tally.rows // PROGRESS_ROWS > before // PROGRESS_ROWS:
                    note(f"{tally.rows:,} rows scored")
    for reader in readers:
        for line in reader.report.lines():
            note(f"data: {line}")
    for line in tally.lines(time.perf_counter() - began):
        note(line)
    if json:
        print_json({**tally.to_json(), "engine": runner.name})


@contextmanager
def _output(out: Path | None) -> Iterator[TextIO]:
    """Where scores go: stdout as they come, or a file that is there only when it is whole."""
    from vcedge.files import open_atomic

    if out is None:
        yield sys.stdout
        return
    with open_atomic(out) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
        yield text
        text.flush()
        text.detach()  # the file is closed by whom it was opened
