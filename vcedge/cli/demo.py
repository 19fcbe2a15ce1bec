"""`vcedge demo`: runs the whole chain on a simulated pump rig."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from vcedge.cli.console import note, print_json, progress
from vcedge.errors import Unavailable

NEEDED = ("amqtt", "torch", "jinja2", "matplotlib")


def demo_command(
    *,
    folder: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Folder for all files; a new or empty one.")
    ] = Path("vcedge-demo"),
    json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON on stdout.")] = False,
) -> None:
    """Run the whole chain on a simulated pump rig: simulate, train, serve over MQTT, replay faults, report.

    Needs no data, no broker and no root, and takes a minute or two. DIR is overwritten if an earlier demo made it.

    \b
    Example:
      vcedge demo
      vcedge demo --dir /tmp/pump --json
    """
    for package in NEEDED:
        if find_spec(package) is None:
            raise Unavailable(
                f"the demo needs the package '{package}', which is not installed: pip install 'vcedge[demo]'"
            )
    from vcedge.demo.plan import Plan
    from vcedge.demo.run import run_demo
    from vcedge.demo.summary import document, report_lines, write_document

    result = run_demo(folder, Plan(), note if json else typer.echo, progress)
    write_document(result)
    if json:
        print_json(document(result))
        return
    typer.echo("")
    for line in report_lines(result):
        typer.echo(line)
