"""Writes .onnx files of standard operators only, checked by onnx's own checker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vcedge.detector import Detector
from vcedge.export.network import network_of
from vcedge.export.onnx.block import IR_VERSION, OPSET, GraphBlock, value
from vcedge.export.onnx.detector import write_detector
from vcedge.export.onnx.network import LAYOUTS, write_network
from vcedge.runtime.exported.artifact import GraphInfo
from vcedge.runtime.exported.detector_engine import Slots, input_slots, output_slots
from vcedge.runtime.exported.network_engine import NETWORK_TYPES, network_shapes
from vcedge.runtime.exported.onnx_file import encoded

LEAST_BRANCHES = 256
"""Hidden size from which skipping saves more than `If` costs, as measured: docs/export.md."""
PRODUCER = "vcedge"


class OnnxWriter:
    """Writes .onnx files; see `vcedge.export.formats.Writer`."""

    def suffix(self, graph: GraphInfo) -> str:
        """Return the end of the file's name."""
        return ".onnx"

    def layouts(self, detector: Detector, *, whole: bool) -> tuple[str, ...]:
        """Return the layouts for a detector, the default first."""
        if detector.levels == 1:
            return ("dense",)
        return LAYOUTS if detector.hidden < LEAST_BRANCHES else tuple(reversed(LAYOUTS))

    def quantizes(self, layout: str, *, whole: bool) -> bool:
        """Return true: all layouts can have int8 weights."""
        return True

    def write(self, detector: Detector, graph: GraphInfo, metadata: Mapping[str, bytes]) -> bytes:
        """Return the file; see the protocol."""
        import onnx
        from onnx import helper

        block, int8 = GraphBlock(), graph.quantize == "int8"
        if graph.whole:
            write_detector(block, detector, graph.layout, int8=int8)
            inputs, outputs = (_values(slots(detector)) for slots in (input_slots, output_slots))
        else:
            write_network(block, network_of(detector, int8=int8), graph.layout)
            inputs, outputs = _interface(detector, "batch" if graph.layout == "dense" else 1)
        model = helper.make_model(
            block.graph(inputs, outputs, detector.asset),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name=PRODUCER,
        )
        helper.set_model_props(model, {key: encoded(content) for key, content in metadata.items()})
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())


def _interface(detector: Detector, batch: int | str) -> tuple[list[Any], list[Any]]:
    """Return the inputs and outputs of a network's graph."""
    values = {}
    for name, (first, *rest) in network_shapes(detector).items():
        shape = [first] if name in ("min_level", "logit_bias") else [batch, *rest]
        values[name] = value(name, NETWORK_TYPES.get(name, np.float32), shape)
    outputs = [values.pop(name) for name in ("correction", "level", "h_next")]
    return list(values.values()), outputs


def _values(slots: Slots) -> list[Any]:
    return [value(name, kind, shape) for name, (shape, kind) in slots.items()]


WRITER = OnnxWriter()
