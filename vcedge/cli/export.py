"""`vcedge export`: writes a model as a graph for another interpreter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vcedge.cli.console import note, note_all, print_json, single_threaded
from vcedge.cli.options import ModelFile
from vcedge.cli.verify import parity_text
from vcedge.errors import GateFailed
from vcedge.files import write_atomic

if TYPE_CHECKING:
    from vcedge.export.formats import ExportRequest


def export_command(
    *,
    model: ModelFile,
    to: Annotated[str, typer.Option("--to", help="onnx or tflite.", show_default=False)],
    layout: Annotated[
        str | None, typer.Option("--layout", help="How the levels are laid out; default: by the model's size.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="From raw sensor values to the score, not only the network.")
    ] = False,
    quantize: Annotated[str, typer.Option("--quantize", help="none or int8: the weights.")] = "none",
    out: Annotated[Path, typer.Option("--out", help="Folder for the file.")] = Path(),
    json: Annotated[bool, typer.Option("--json", help="Describe file and measurements as JSON on stdout.")] = False,
) -> None:
    """Write a model as a graph that other interpreters run.

    The file contains the model: vcedge runs it too, and it states its origin. It is compared with the model over 5,000
    steps first, and is not written if it differs.

    \b
    Example:
      vcedge export models/pump/model.vcedge --to onnx --out exported
      vcedge export model.vcedge --to onnx --whole --layout dense
    """
    single_threaded()
    from vcedge.export.formats import ExportRequest

    written = _export(model, ExportRequest(to, layout, whole, quantize), out)
    if json:
        print_json(written)


def _export(model: Path, request: ExportRequest, out: Path) -> dict[str, Any]:
    """Write the file once it is verified; return its description as JSON values."""
    from vcedge.bench.break_even import break_even
    from vcedge.export.formats import export_model, graph_of
    from vcedge.export.verify import verify
    from vcedge.model_file import model_id
    from vcedge.runtime.exported.artifact import read_artifact

    source = read_artifact(model)
    graph = graph_of(source.detector, request)
    exported = export_model(source, graph)
    parity = verify(source, exported)
    if parity.problem is not None:
        raise GateFailed(f"{exported.name} ({graph.words}): not written, it differs from {model}: {parity.problem}")
    out.mkdir(parents=True, exist_ok=True)
    path = out / exported.name
    write_atomic(path, exported.data)
    note(f"{path} written: {graph.words}, {len(exported.data):,} bytes, {parity_text(parity)}")
    times = break_even(source, exported)
    note_all(times.lines())
    return {
        "out": str(path),
        "id": model_id(exported.data),
        "model": model_id(source.model),
        "bytes": len(exported.data),
        "graph": vars(graph),
        "parity": parity.to_json(),
        "break_even": times.to_json(),
    }
