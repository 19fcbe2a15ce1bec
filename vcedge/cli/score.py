"""`vcedge score`: scores recordings row by row."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from vcedge.cli.console import note, note_all, print_json, refuse_overwriting
from vcedge.cli.options import EngineName, Network, ReadingOverrides, Recordings, RunnableFile
from vcedge.errors import UsageError
from vcedge.files import open_atomic

if TYPE_CHECKING:
    from vcedge.history import RowReader
    from vcedge.runtime.engine.interface import Engine
    from vcedge.runtime.recordings.score_summary import ScoreSummary

PROGRESS_ROWS = 100_000


def score_command(
    *,
    model: RunnableFile,
    inputs: Recordings,
    out: Annotated[Path | None, typer.Option("--out", help="The scores file; default: stdout.")] = None,
    engine: EngineName = "auto",
    network: Network = True,
    adapt: Annotated[
        bool, typer.Option("--adapt/--no-adapt", help="Let the threshold follow slow drift, as in the service.")
    ] = True,
    overrides: ReadingOverrides = None,
    json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON on stdout; needs --out.")] = False,
) -> None:
    """Score recordings with a model: one line for each row, in order.

    Each INPUT is a stream of its own. The result of a row depends only on it and on earlier rows.

    \b
    Example:
      vcedge score models/pump/model.vcedge today.csv --out scores.csv
      vcedge score model.vcedge export.csv --set time.format="%d/%m/%y %H:%M" --set table.decimal=,
    """
    from vcedge.history import open_rows
    from vcedge.history.as_trained import reading_config
    from vcedge.runtime.exported.artifact import load

    if json and out is None:
        raise UsageError("--json prints a summary on stdout, so the scores need --out FILE")
    if out is not None:
        refuse_overwriting(out, [model, *inputs])
    runner = load(model, engine, network=network)
    reading = reading_config(runner.detector, overrides or [])
    began = time.perf_counter()
    readers = [open_rows([path], runner.detector.schema, reading) for path in inputs]
    with _output(out) as file:
        summary = _score(runner, readers, file, adapt=adapt)
    for reader in readers:
        note_all(reader.report.lines(), "data: ")
    note_all(summary.lines(time.perf_counter() - began))
    if json:
        print_json({**summary.to_json(), "engine": runner.name})


def _score(engine: Engine, readers: Sequence[RowReader], out: TextIO, *, adapt: bool) -> ScoreSummary:
    """Write the scores of all recordings, each a stream of its own."""
    from vcedge.runtime.recordings.score_recording import score_blocks, write_header, write_scores
    from vcedge.runtime.recordings.score_summary import ScoreSummary
    from vcedge.runtime.stream.stream import Stream

    summary = ScoreSummary(engine.detector)
    write_header(out)
    for reader in readers:
        summary.start()
        for block in score_blocks(Stream(engine, adapt=adapt), reader):
            write_scores(out, block, None if reader.has_time else summary.rows)
            before = summary.rows
            summary.add_block(block)
            if summary.rows // PROGRESS_ROWS > before // PROGRESS_ROWS:
                note(f"{summary.rows:,} rows scored")
    return summary


@contextmanager
def _output(out: Path | None) -> Iterator[TextIO]:
    """Open the destination of the scores: stdout row by row, or a file that appears only when it is complete."""
    if out is None:
        yield sys.stdout
        return
    with open_atomic(out) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
        yield text
        text.flush()
        text.detach()  # open_atomic closes the file
