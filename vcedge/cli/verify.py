"""`vcedge verify`: compares exported files with their model in the interpreter that is installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vcedge.cli.console import note, print_json, single_threaded
from vcedge.cli.options import ModelFile
from vcedge.errors import GateFailed

if TYPE_CHECKING:
    from vcedge.detector import Detector
    from vcedge.export.parity import Parity
    from vcedge.schema import F64


def verify_command(
    *,
    model: ModelFile,
    exported: Annotated[
        list[Path], typer.Argument(metavar="EXPORTED...", help="Files exported from it.", show_default=False)
    ],
    input_file: Annotated[
        Path | None, typer.Option("--input", metavar="FILE", help="A recording; default: a generated one.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the results as JSON on stdout.")] = False,
) -> None:
    """Compare exported files with their model in the interpreter that is installed here.

    Runs at least 5,000 steps from a state other than zero, each side with its own state; every level is forced, and the
    scheduler is probed at its limits. Exit code 1 if a file differs.

    \b
    Example:
      vcedge verify model.vcedge exported/*.onnx --input today.csv
    """
    single_threaded()
    from vcedge.export.verify import verify
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
        note(f"{path}: {artifact.graph.words}, {interpreter}: {parity_text(parity)}")
        if parity.problem is not None:
            failed.append(f"{path}: differs from {model}: {parity.problem}")
    if json:
        print_json({"model": str(model), "passed": not failed, "files": results})
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise GateFailed(f"{failed[0]}{more}")


def parity_text(parity: Parity) -> str:
    """Return the result of a comparison in one line."""
    if parity.problem is not None:
        return f"FAILED at {parity.problem}"
    flips = f", {parity.flips} level flips" if parity.flips else ""
    worst, allowed = max(parity.worst.values()), parity.tolerance.relative
    return f"equals the model over {parity.steps:,} steps to {worst:.1e} (allowed {allowed:g}){flips}"


def _rows(detector: Detector, path: Path) -> F64:
    """Return all rows of a recording (N, C), read as the training files were."""
    import numpy as np

    from vcedge.history import open_rows
    from vcedge.history.as_trained import reading_config

    blocks = [block.values for block in open_rows([path], detector.schema, reading_config(detector))]
    return np.concatenate(blocks) if blocks else np.empty((0, detector.channels))
