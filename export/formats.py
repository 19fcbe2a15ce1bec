"""What can be exported: the contract of a writer, and the table from a format's name to its writer.

The graph of a network alone has the same interface in every format, so that one engine's code runs them all:

    inputs   signals (B, S) float32   the cell's inputs (N), and with more than one level `scheduler_sizes` after them
             h (B, D) float32         the hidden state, zeros at the start
             min_level (1,) int32     floor under the level, 1 to L
             logit_bias (1,) float32  added to the scheduler's logit
    outputs  correction (B, C) float32   the network's forecast of the highway's next residual, shrunk, in spreads
             level (B,) int32            1 to L
             h_next (B, D) float32       h[k:] of a level that updates k is the same to the bit

B is 1, or in a layout for batches free. What a `whole` graph has besides is in `vcedge/runtime/whole.py`.
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
"""Module of each format, with a `WRITER`; what it needs beyond the base install is imported in `write`."""


class Writer(Protocol):
    """Writes one format."""

    def suffix(self, graph: GraphInfo) -> str:
        """How the file's name ends, such as `.onnx`."""
        ...

    def layouts(self, detector: Detector, whole: bool) -> tuple[str, ...]:
        """What it can write for a detector, the default first; empty where it can write nothing of the kind."""
        ...

    def quantizes(self, layout: str, whole: bool) -> bool:
        """Whether the layout can have int8 weights."""
        ...

    def write(self, detector: Detector, graph: GraphInfo, metadata: Mapping[str, bytes]) -> bytes:
        """The file, with the metadata in it; the same input gives the same bytes.

        Raises Unavailable (or ModuleNotFoundError) where a package that it needs is not installed.
        """
        ...


@dataclass(frozen=True)
class Wanted:
    """What a user asks for."""

    to: str
    layout: str | None = None
    """None: the writer's default for the model."""
    whole: bool = False
    quantize: str = "none"


def writer_of(to: str) -> Writer:
    """The writer of a format. Raises UsageError for an unknown one."""
    if to not in WRITERS:
        raise UsageError(f"--to {to}: expected one of {', '.join(WRITERS)}")
    writer: Writer = import_module(WRITERS[to]).WRITER
    return writer


def graph_of(detector: Detector, wanted: Wanted) -> GraphInfo:
    """The graph that is wanted, its layout chosen. Raises UsageError for what cannot be written."""
    writer = writer_of(wanted.to)
    if detector.cell is None and not wanted.whole:
        raise UsageError("the model has no network: only --whole can be exported")
    layouts = writer.layouts(detector, wanted.whole)
    if not layouts:
        raise UsageError(f"--to {wanted.to}: cannot write {'the whole detector' if wanted.whole else 'this model'}")
    layout = wanted.layout or layouts[0]
    if layout not in layouts:
        raise UsageError(f"--layout {layout}: expected one of {', '.join(layouts)} for this model")
    if wanted.quantize == "none":
        return GraphInfo(wanted.to, layout, wanted.whole)
    if wanted.quantize != "int8":
        raise UsageError(f"--quantize {wanted.quantize}: expected none or int8")
    if detector.cell is None or not writer.quantizes(layout, wanted.whole):
        raise UsageError(f"--quantize int8: --to {wanted.to} cannot write the layout {layout} with int8 weights")
    return GraphInfo(wanted.to, layout, wanted.whole, "int8")


def export_model(model: Artifact, graph: GraphInfo) -> Artifact:
    """The exported file, unverified, in memory; read back as strictly as any file."""
    writer = writer_of(graph.to)
    data = writer.write(model.detector, graph, metadata_of(model.model, graph))
    return artifact_of(data, f"{model.detector.asset}{writer.suffix(graph)}")
