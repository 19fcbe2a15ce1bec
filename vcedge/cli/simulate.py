"""`vcedge simulate`: writes the history of a simulated pump rig, with faults if wanted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vcedge.cli.console import print_json
from vcedge.wording import count

if TYPE_CHECKING:
    from vcedge.simulate import Simulation


def simulate_command(
    *,
    out: Annotated[Path, typer.Argument(metavar="OUT.csv", help="The CSV file to write.", show_default=False)],
    hours: Annotated[float, typer.Option("--hours", help="Length of the history, one row a second.")] = 6.0,
    faults: Annotated[
        int, typer.Option("--faults", help="Number of faults, after 20 minutes and at most one in 35 minutes.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same file.")] = 0,
    batches: Annotated[
        bool,
        typer.Option("--batches", help="Run batches of two passes by a recipe; a fault then confuses two recipes."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Describe the file as JSON on stdout.")] = False,
) -> None:
    """Write the history of a simulated pump rig: eight sensors, load steps, drop-outs, and faults if wanted.

    The column `anomaly` holds the truth: 1 in the rows of a fault.
    Without --faults the rig is healthy: data to train on.

    \b
    Example:
      vcedge simulate healthy.csv --hours 12
      vcedge simulate faulty.csv --hours 6 --faults 4 --seed 1
    """
    from vcedge.simulate import simulate, write_csv

    simulation = simulate(hours=hours, faults=faults, seed=seed, batches=batches)
    write_csv(simulation, out)
    report = _report(out, seed, simulation)
    if json:
        print_json(report)
        return
    typer.echo(f"{out}: {count(report['rows'], 'row')} of {len(simulation.names)} channels, seed {seed}")
    for fault in report["faults"]:
        typer.echo(f"  {fault['start']} to {fault['end']}  {fault['text']}")


def _report(out: Path, seed: int, simulation: Simulation) -> dict[str, Any]:
    """Describe the file as JSON values; the rows of a fault are [first_row, end_row), counted from 0."""
    from vcedge.simulate.output import iso_times

    times = iso_times(simulation.time_ns)
    return {
        "file": str(out),
        "seed": seed,
        "rows": len(times),
        "start": times[0],
        "end": times[-1],
        "channels": [
            {"name": name, "unit": unit} for name, unit in zip(simulation.names, simulation.units, strict=True)
        ],
        "anomalous_rows": int(simulation.anomaly.sum()),
        "faults": [
            {
                "kind": fault.kind,
                "start": times[fault.start],
                "end": times[fault.stop - 1],
                "first_row": fault.start,
                "end_row": fault.stop,
                "channels": list(fault.channels),
                "text": fault.text,
            }
            for fault in simulation.faults
        ],
    }
