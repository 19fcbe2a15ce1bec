"""The writer of .onnx files: standard operators only, checked before it is let go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vcedge.detector import Detector
from vcedge.export.onnx.block import IR_VERSION, OPSET, Block, value
from vcedge.export.onnx.network import LAYOUTS, write_network
from vcedge.export.onnx.whole import write_whole
from vcedge.runtime.exported.artifact import GraphInfo
from vcedge.runtime.exported.detector_engine import Slots, input_slots, output_slots
from vcedge.runtime.exported.network_engine import NETWORK_TYPES, network_shapes
from vcedge.runtime.exported.onnx_file import encoded

LEAST_BRANCHES = 256
"""Hidden size from which skipping gains more than `If` costs, by measurement: docs/export.md."""
PRODUCER = "vcedge"


class OnnxWriter:
    """See `vcedge.export.formats.Writer`."""

    def suffix(self, graph: GraphInfo) -> str:
        """How the file's name ends."""
        return ".onnx"

    def layouts(self, detector: Detector, whole: bool) -> tuple[str, ...]:
        """What there is for a detector, the default first."""
        if detector.levels == 1:
            return ("dense",)
        return LAYOUTS if detector.hidden < LEAST_BRANCHES else tuple(reversed(LAYOUTS))

    def quantizes(self, layout: str, whole: bool) -> bool:
        """Whether the layout can have int8 weights."""
        return True

    def write(self, detector: Detector, graph: GraphInfo, metadata: Mapping[str, bytes]) -> bytes:
        """The file; see the protocol."""
        import onnx
        from onnx import helper

        block, int8 = Block(), graph.quantize == "int8"
        if graph.whole:
            write_whole(block, detector, graph.layout, int8)
            inputs, outputs = (_values(slots(detector)) for slots in (input_slots, output_slots))
        else:
            assert detector.cell is not None
            assert detector.head is not None
            write_network(block, detector.cell, detector.head, graph.layout, int8)
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
    """Inputs and outputs of a network's graph."""
    values = {}
    for name, (first, *rest) in network_shapes(detector).items():
        shape = [first] if name in ("min_level", "logit_bias") else [batch, *rest]
        values[name] = value(name, NETWORK_TYPES.get(name, np.float32), shape)
    outputs = [values.pop(name) for name in ("correction", "level", "h_next")]
    return list(values.values()), outputs


def _values(slots: Slots) -> list[Any]:
    return [value(name, kind, shape) for name, (shape, kind) in slots.items()]


WRITER = OnnxWriter()
