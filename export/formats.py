"""Defines the formats of exported files: the contract of a writer, and the table of writers.

The graph of a network has the same interface in every format, so that one engine runs them all:

    inputs   signals (B, S) float32   the cell's inputs (N), and with more than one level `scheduler_sizes` after them
             h (B, D) float32         the hidden state, zeros at the start
             min_level (1,) int32     floor under the level, 1 to L
             logit_bias (1,) float32  added to the scheduler's logit
    outputs  correction (B, C) float32   the network's forecast of the highway's next residual, shrunk, in spreads
             level (B,) int32            1 to L
             h_next (B, D) float32       h[k:] of a level that updates k is the same to the bit

B is 1, or free in a layout for batches. The graph of a whole detector: `vcedge.runtime.exported.detector_engine`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from vcedge.detector import Detector
from vcedge.errors import UsageError
from vcedge.runtime.exported.artifact import Artifact, GraphInfo, artifact_of, metadata_of

WRITERS = {"onnx": "vcedge.export.onnx.writer", "tflite": "vcedge.export.tflite.writer"}
"""Module of each format, with a `WRITER`; `write` imports what it needs beyond the base install."""


class Writer(Protocol):
    """Writes one format."""

    def suffix(self, graph: GraphInfo) -> str:
        """Return the end of the file's name, such as `.onnx`."""
        ...

    def layouts(self, detector: Detector, *, whole: bool) -> tuple[str, ...]:
        """Return the layouts for a detector's network, or the `whole` detector, the default first, or ()."""
        ...

    def quantizes(self, layout: str, *, whole: bool) -> bool:
        """Return whether the layout can have int8 weights."""
        ...

    def write(self, detector: Detector, graph: GraphInfo, metadata: Mapping[str, bytes]) -> bytes:
        """Return the file with the metadata in it; the same input gives the same bytes.

        Raises Unavailable or ModuleNotFoundError if a package that it needs is not installed.
        """
        ...


@dataclass(frozen=True)
class ExportRequest:
    """Holds a user's choices for an export."""

    to: str
    layout: str | None = None
    """None is the writer's default for the model."""
    whole: bool = False
    quantize: str = "none"


def writer_of(to: str) -> Writer:
    """Return the writer of a format. Raises UsageError for an unknown one."""
    if to not in WRITERS:
        raise UsageError(f"--to {to}: expected one of {', '.join(WRITERS)}")
    writer: Writer = import_module(WRITERS[to]).WRITER
    return writer


def graph_of(detector: Detector, request: ExportRequest) -> GraphInfo:
    """Return the requested graph with its layout chosen. Raises UsageError for what cannot be written."""
    writer = writer_of(request.to)
    if detector.cell is None and not request.whole:
        raise UsageError("the model has no network: only --whole can be exported")
    layouts = writer.layouts(detector, whole=request.whole)
    if not layouts:
        raise UsageError(f"--to {request.to}: cannot write {'the whole detector' if request.whole else 'this model'}")
    layout = request.layout or layouts[0]
    if layout not in layouts:
        raise UsageError(f"--layout {layout}: expected one of {', '.join(layouts)} for this model")
    if request.quantize == "none":
        return GraphInfo(request.to, layout, request.whole)
    if request.quantize != "int8":
        raise UsageError(f"--quantize {request.quantize}: expected none or int8")
    if detector.cell is None or not writer.quantizes(layout, whole=request.whole):
        raise UsageError(f"--quantize int8: --to {request.to} cannot write the layout {layout} with int8 weights")
    return GraphInfo(request.to, layout, request.whole, "int8")


def export_model(model: Artifact, graph: GraphInfo) -> Artifact:
    """Return the exported file in memory, read back as strictly as any file but not verified for parity."""
    writer = writer_of(graph.to)
    data = writer.write(model.detector, graph, metadata_of(model.model, graph))
    return artifact_of(data, f"{model.detector.asset}{writer.suffix(graph)}")
