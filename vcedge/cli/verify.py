"""`vcedge verify`: whether exported files do what their model does, here and now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vcedge.detector import Detector
    from vcedge.export.judging import Parity
    from vcedge.schema import F64


def verify_command(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model.vcedge.", show_default=False)],
    exported: Annotated[
        list[Path], typer.Argument(metavar="EXPORTED...", help="Files exported from it.", show_default=False)
    ],
    input_file: Annotated[
        Path | None, typer.Option("--input", metavar="FILE", help="A recording; default: one that is generated.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="What was found, as JSON on stdout.")] = False,
) -> None:
    """Compare exported files with their model in the interpreter that is installed here.

    At least 5,000 steps from a state that is not zero, each side feeding its own state back; every level is forced, the
    scheduler is probed at its limits. Exit code 1 where a file differs.

    \b
    Example:
      vcedge verify model.vcedge exported/*.onnx --input today.csv
    """
    from vcedge.cli.console import note, print_json, single_threaded

    single_threaded()
    from vcedge.errors import GateFailed
    from vcedge.export.parity import verify
    from vcedge.runtime.exported.artifact import engine_for, read_artifact

    source = read_artifact(model)
    values = None if input_file is None else _rows(source.detector, input_file)
    results: list[dict[str, Any]] = []
    failed: list[str] = []
    for path in exported:
        artifact = read_artifact(path)
        parity = verify(source, artifact, values)
        assert artifact.graph is not None
        interpreter = getattr(engine_for(artifact), "interpreter", artifact.graph.to)
        results.append({"file": str(path), **vars(artifact.graph), "interpreter": interpreter, **parity.to_json()})
        note(f"{path}: {artifact.graph.words}, {interpreter}: {described(parity)}")
        if parity.problem is not None:
            failed.append(f"{path}: differs from {model}: {parity.problem}")
    if json:
        print_json({"model": str(model), "passed": not failed, "files": results})
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise GateFailed(f"{failed[0]}{more}")


def described(parity: Parity) -> str:
    """What was found, in a line."""
    if parity.problem is not None:
        return f"FAILED at {parity.problem}"
    flips = f", {parity.flips} level flips" if parity.flips else ""
    worst = max(parity.worst.values())
    return (
        f"the model's results over {parity.steps} steps to {worst:.1e} (allowed {parity.tolerance.relative:g}){flips}"
    )


def _rows(detector: Detector, path: Path) -> F64:
    """All rows of a recording (N, C), read as the training files were."""
    import numpy as np

    from vcedge.history import open_rows
    from vcedge.history.as_trained import reading_config

    blocks = [block.values for block in open_rows([path], detector.schema, reading_config(detector))]
    return np.concatenate(blocks) if blocks else np.empty((0, detector.channels))
