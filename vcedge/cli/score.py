"""`vcedge score`: what a model says of recordings, row by row."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer


def score_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model.vcedge.", show_default=False)],
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Recordings.", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", help="The scores file; default: stdout.")] = None,
    engine: Annotated[str, typer.Option("--engine", help="auto or numpy.")] = "auto",
    network: Annotated[
        bool, typer.Option("--network/--no-network", help="Without: the linear forecaster alone, same scorer.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="A summary as JSON on stdout; needs --out.")] = False,
) -> None:
    """Score recordings with a model: one line for each row, in order.

    Each INPUT is a stream of its own. A row's result depends on it and on earlier rows alone.

    \b
    Example:
      vcedge score models/pump/model.vcedge today.csv --out scores.csv
    """
    import time

    from vcedge.cli.console import note, print_json
    from vcedge.errors import UsageError
    from vcedge.history import open_rows
    from vcedge.history.reading import time_and_table
    from vcedge.model_file import load
    from vcedge.runtime.engine import load_engine
    from vcedge.runtime.offline import score_blocks, write_header, write_score
    from vcedge.runtime.stream import Stream

    if json and out is None:
        raise UsageError("--json prints a summary on stdout, so the scores need --out FILE")
    detector = load(model)
    runner = load_engine(detector if network else detector.without_network(), engine)
    time_settings, table = time_and_table(detector)
    rows = alarms = events = updated = 0
    began = time.perf_counter()
    readers = [open_rows([path], detector.schema, time_settings, table) for path in inputs]
    with nullcontext(sys.stdout) if out is None else open(out, "w", encoding="utf-8") as stream_out:
        write_header(stream_out)
        for reader in readers:
            for score in score_blocks(Stream(runner), reader):
                write_score(stream_out, score, None if reader.has_time else rows)
                rows, alarms, updated = rows + 1, alarms + score.alarm, updated + score.updated
                events += sum(event.type == "new" and event.kind == "anomaly" for event in score.events)
    for reader in readers:
        for line in reader.report.lines():
            note(f"data: {line}")
    share = updated / (rows * detector.hidden) if rows and detector.hidden else 0.0
    seconds = time.perf_counter() - began
    note(f"{rows} rows scored in {seconds:.1f} s: {alarms} alarm rows, {events} events, updated share {share:.0%}")
    if json:
        print_json({"rows": rows, "alarms": alarms, "events": events, "updated_share": share, "engine": runner.name})
