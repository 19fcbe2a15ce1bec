"""Models and exported files of them, in memory."""

from __future__ import annotations

from typing import Any

from tests.support.detectors import tiny_detector
from vcedge.detector import Detector
from vcedge.export.formats import ExportRequest, export_model, graph_of, writer_of
from vcedge.model_file import dumps
from vcedge.runtime.exported.artifact import Artifact, GraphInfo, artifact_of, metadata_of

GEOMETRIC = [1 / 8, 1 / 4, 1 / 2, 1.0]


def model_of(detector: Detector) -> Artifact:
    """Return the detector as a model.vcedge."""
    return artifact_of(dumps(detector), "model.vcedge")


def exported(
    model: Artifact, to: str, layout: str | None = None, *, whole: bool = False, quantize: str = "none"
) -> Artifact:
    """Return an exported file of a model."""
    return export_model(model, graph_of(model.detector, ExportRequest(to, layout, whole, quantize)))


def forged(model: Artifact, wrong: Detector, graph: GraphInfo) -> Artifact:
    """Return a file that names a model as its source, and whose graph is of another detector of the same shapes."""
    writer = writer_of(graph.to)
    return artifact_of(writer.write(wrong, graph, metadata_of(model.model, graph)), f"forged{writer.suffix(graph)}")


def small_model(**changes: Any) -> Artifact:
    """Return a model with levels that every layout can represent."""
    return model_of(tiny_detector(**{"hidden": 16, "levels": GEOMETRIC, **changes}))
