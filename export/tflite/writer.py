"""Writes TFLite files, a format of `vcedge export`; see `vcedge.export.formats`."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from vcedge.detector import Detector
from vcedge.export.network import network_of
from vcedge.export.tflite import layouts
from vcedge.export.tflite.graph import FileBuilder
from vcedge.runtime.exported.artifact import MANIFEST, MODEL, GraphInfo
from vcedge.runtime.exported.network_engine import network_shapes
from vcedge.runtime.exported.tflite_file import DIGEST, DIGEST_SIZE, MODEL_DIGEST, SCHEDULER, pack, sealed, step_name

ONE_FILE = {"case": layouts.case, "if4": layouts.if4, "dense": layouts.dense}


class TfliteWriter:
    """Writes .tflite files and families of them; see `vcedge.export.formats.Writer`."""

    def suffix(self, graph: GraphInfo) -> str:
        """Return `.tflite`, or `.tflite.zip` for a family."""
        return ".tflite.zip" if graph.layout == "family" else ".tflite"

    def layouts(self, detector: Detector, *, whole: bool) -> tuple[str, ...]:
        """Return the layouts that the model's levels allow, the default first; none for the whole detector."""
        if whole or detector.cell is None:
            return ()
        if detector.levels == 1:
            return ("dense",)
        if layouts.fits_if4(detector.cell.spec.boundaries):
            return ("case", "if4", "family", "dense")
        return ("case", "family", "dense")

    def quantizes(self, layout: str, *, whole: bool) -> bool:
        """Return true: all layouts can have int8 weights."""
        return True

    def write(self, detector: Detector, graph: GraphInfo, metadata: Mapping[str, bytes]) -> bytes:
        """Return the file with the metadata in it; the same input gives the same bytes.

        Raises ModuleNotFoundError if ai-edge-litert, which has the schema's classes, is not installed.
        """
        net = network_of(detector, int8=graph.quantize == "int8")
        signals = network_shapes(detector)["signals"][1]
        if graph.layout in ONE_FILE:
            return _finished(ONE_FILE[graph.layout](net, signals), graph, metadata)
        # The zip holds the model once; each step model names it by its digest.
        about = {MANIFEST: metadata[MANIFEST], MODEL_DIGEST: sha256(metadata[MODEL]).digest()}
        steps = {
            step_name(level): _finished(layouts.step_alone(net, level), graph, about)
            for level in range(1, 1 + detector.levels)
        }
        scheduler = _finished(layouts.scheduler_alone(net, signals), graph, about)
        return pack({**metadata, SCHEDULER: scheduler, **steps})


def _finished(file: FileBuilder, graph: GraphInfo, metadata: Mapping[str, bytes]) -> bytes:
    for key, content in metadata.items():
        file.metadata(key, content)
    file.metadata(DIGEST, bytes(DIGEST_SIZE))
    return sealed(file.build(f"vcedge: {graph.words}"))


WRITER = TfliteWriter()
