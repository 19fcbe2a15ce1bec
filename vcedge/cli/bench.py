"""`vcedge bench`: time per step beside dense peers, in one run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vcedge.cli.console import note_all, print_json, single_threaded
from vcedge.errors import UsageError

if TYPE_CHECKING:
    from vcedge.bench.cells import CellUnderTest


def bench_command(
    *,
    model: Annotated[Path | None, typer.Argument(metavar="[MODEL]", help="A model.vcedge.", show_default=False)] = None,
    synthetic: Annotated[
        str | None, typer.Option(metavar="HIDDEN,INPUTS", help="A random cell of this size instead of a model.")
    ] = None,
    recording: Annotated[
        Path | None, typer.Option("--input", metavar="FILE", help="Time the whole detector on this recording too.")
    ] = None,
    engine: Annotated[list[str] | None, typer.Option(help="Print only the rows of this engine; repeatable.")] = None,
    rounds: Annotated[int, typer.Option(min=3, help="How often each run is timed; medians need about 100.")] = 101,
    json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON on stdout.")] = False,
) -> None:
    """Time one step of the cell with its head at each level, beside dense peers, interleaved on one core.

    A step is: write the sample, feed back the state, step, read the prediction. With a recording the whole detector is
    timed on it too, with the levels that the scheduler picks there and with all dimensions (`full`). Peers that are not
    installed are listed. Compare ratios: absolute times depend on the machine and on its other load.

    \b
    Example:
      vcedge bench --synthetic 128,16
      vcedge bench model.vcedge --input today.csv
      vcedge bench model.vcedge --json > bench.json
    """
    single_threaded()
    from vcedge.bench.measure import measure, table

    subject, extra = _subject(model, synthetic, recording)
    result = measure(subject, extra, rounds)
    note_all(result["missing"], "left out, not installed: ")
    if engine:
        result["rows"] = [row for row in result["rows"] if row["engine"] in engine]
    if json:
        print_json(result)
    else:
        print("\n".join(table(result["rows"])))


def _subject(model: Path | None, synthetic: str | None, recording: Path | None) -> tuple[CellUnderTest, Any]:
    """Return the cell to time, and further runs of the whole detector."""
    from vcedge.bench import cells
    from vcedge.bench.detector_steps import detector_runs

    if (model is None) == (synthetic is None):
        raise UsageError("expected a MODEL or --synthetic HIDDEN,INPUTS, such as --synthetic 128,16")
    if synthetic is not None and recording is not None:
        raise UsageError("--input needs a MODEL: a random cell does not have the recording's channels")
    if synthetic is not None:
        parts = synthetic.split(",")
        if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
            raise UsageError(f"--synthetic {synthetic}: expected HIDDEN,INPUTS such as 128,16")
        return cells.synthetic(int(parts[0]), int(parts[1])), []
    from vcedge.model_file import loads, read

    assert model is not None
    detector = loads(read(model), str(model))
    runs = detector_runs(detector)
    if recording is not None:
        from vcedge.bench.recorded import read_values, recorded_runs

        runs += recorded_runs(detector, read_values(detector, recording))
    return cells.of_detector(detector), runs
