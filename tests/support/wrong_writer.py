"""A writer whose graphs have one bias off by a thousandth, which the parity gate must stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vcedge.detector import Detector
from vcedge.export.onnx.writer import OnnxWriter
from vcedge.runtime.exported.artifact import GraphInfo


class WrongWriter(OnnxWriter):
    """Writes another network than it is given."""

    def write(self, detector: Detector, graph: GraphInfo, metadata: Mapping[str, bytes]) -> bytes:
        """See `vcedge.export.formats.Writer`."""
        assert detector.cell is not None
        bias = detector.cell.bias.copy()
        bias[2, 0] += 1e-3
        return super().write(replace(detector, cell=replace(detector.cell, bias=bias)), graph, metadata)


WRITER = WrongWriter()
