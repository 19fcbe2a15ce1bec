"""Written files: standard, named and reproducible; and models that cannot be written."""

from __future__ import annotations

import re

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert import interpreter as litert

from tests.support.detectors import tiny_detector
from tests.support.exports import exported, model_of, small_model
from vcedge.errors import UsageError
from vcedge.export.formats import ExportRequest, graph_of, writer_of
from vcedge.runtime.exported.artifact import MODEL
from vcedge.runtime.exported.network_engine import network_shapes
from vcedge.runtime.exported.tflite_file import metadata as tflite_metadata

EVERY = [("onnx", "dense", False), ("onnx", "branches", False), ("onnx", "branches", True), ("tflite", "case", False)]
EVERY += [("tflite", "if4", False), ("tflite", "family", False), ("tflite", "dense", False)]


@pytest.mark.parametrize(("to", "layout", "whole"), EVERY)
def test_export_is_reproducible_and_carries_the_model(to: str, layout: str, whole: bool) -> None:
    model = small_model()
    first, second = (exported(model, to, layout, whole=whole) for _ in range(2))
    assert first.data == second.data
    assert first.model == model.data
    assert first.graph is not None
    assert (first.graph.to, first.graph.layout, first.graph.whole) == (to, layout, whole)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("layout", ["dense", "branches"])
@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_onnx_file_is_standard_typed_and_named(layout: str, whole: bool, quantize: str) -> None:
    data = exported(small_model(flags=True), "onnx", layout, whole=whole, quantize=quantize).data
    proto = onnx.load_from_string(data)
    onnx.checker.check_model(proto, full_check=True)
    onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)
    assert [(opset.domain, opset.version <= 19) for opset in proto.opset_import] == [("", True)]
    assert proto.ir_version <= 9
    names = [name for node in proto.graph.node for name in (node.name, *node.output)]
    names += [constant.name for constant in proto.graph.initializer]
    assert all(re.search(r"[a-z]{1}", name) and not re.fullmatch(r"\d+|.*_\d{4,}", name) for name in names)
    assert not any(node.op_type == "Constant" for node in proto.graph.node)


def test_branches_layout_skips_and_dense_layout_has_a_batch() -> None:
    model = small_model()
    kinds = {layout: exported(model, "onnx", layout).data for layout in ("dense", "branches")}
    ops = {layout: {n.op_type for n in onnx.load_from_string(data).graph.node} for layout, data in kinds.items()}
    assert "If" in ops["branches"]
    assert "If" not in ops["dense"]
    shapes = network_shapes(model.detector)
    rng = np.random.default_rng(0)
    signals = rng.standard_normal((7, shapes["signals"][1])).astype(np.float32)
    h = rng.standard_normal((7, shapes["h"][1])).astype(np.float32)
    policy = {"min_level": np.array([1], np.int32), "logit_bias": np.zeros(1, np.float32)}
    dense, one = (
        onnxruntime.InferenceSession(kinds[layout], providers=["CPUExecutionProvider"])
        for layout in ("dense", "branches")
    )
    together = dense.run(None, {"signals": signals, "h": h, **policy})
    for row in range(7):
        alone = one.run(None, {"signals": signals[row : row + 1], "h": h[row : row + 1], **policy})
        assert together[1][row] == alone[1][0]
        np.testing.assert_allclose(together[0][row], alone[0][0], atol=1e-6)
        np.testing.assert_allclose(together[2][row], alone[2][0], atol=1e-6)


def test_tflite_file_has_a_signature_for_other_languages() -> None:
    model = small_model()
    interpreter = litert.Interpreter(model_content=exported(model, "tflite", "case").data, num_threads=1)
    step = interpreter.get_signature_runner("step")
    shapes = network_shapes(model.detector)
    out = step(
        signals=np.zeros(shapes["signals"], np.float32),
        h=np.zeros(shapes["h"], np.float32),
        min_level=np.array([4], np.int32),
        logit_bias=np.zeros(1, np.float32),
    )
    assert out["level"].tolist() == [4]
    assert (out["h_next"].shape, out["correction"].shape) == ((1, 16), (1, 3))


def test_family_holds_the_model_once() -> None:
    model = small_model(hidden=64)
    assert model.data == tflite_metadata(exported(model, "tflite", "family").data, "family.zip")[MODEL]
    parts = exported(model, "tflite", "family").data
    assert parts.count(model.data[:200]) == 1


def test_default_layout_depends_on_the_hidden_size() -> None:
    small, large = tiny_detector(hidden=64), tiny_detector(hidden=256, levels=8)
    assert graph_of(small, ExportRequest("onnx")).layout == "dense"
    assert graph_of(large, ExportRequest("onnx")).layout == "branches"
    assert graph_of(small, ExportRequest("tflite")).layout == "case"
    assert graph_of(tiny_detector(cell="gru", levels=1), ExportRequest("tflite")).layout == "dense"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (ExportRequest("pdf"), "--to pdf: expected one of onnx, tflite"),
        (ExportRequest("onnx", "case"), "--layout case: expected one of dense, branches for this model"),
        (ExportRequest("tflite", "if4"), "--layout if4: expected one of case, family, dense for this model"),
        (ExportRequest("tflite", whole=True), "--to tflite: cannot write the whole detector"),
        (ExportRequest("onnx", quantize="int4"), "--quantize int4: expected none or int8"),
    ],
)
def test_impossible_request_is_refused(wanted: ExportRequest, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        graph_of(tiny_detector(), wanted)


def test_detector_without_a_network_exports_whole_and_not_int8() -> None:
    linear = model_of(tiny_detector(cell=None)).detector
    with pytest.raises(UsageError, match="the model has no network: only --whole can be exported"):
        graph_of(linear, ExportRequest("onnx"))
    with pytest.raises(UsageError, match="with int8 weights"):
        graph_of(linear, ExportRequest("onnx", whole=True, quantize="int8"))
    assert writer_of("tflite").layouts(linear, whole=True) == ()
