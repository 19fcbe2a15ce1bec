"""Exported files that are damaged, truncated, forged or foreign: refused before an interpreter reads them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.detectors import tiny_detector
from tests.support.exports import exported, forged, model_of, small_model
from vcedge.errors import ModelFileError, UsageError
from vcedge.export.formats import writer_of
from vcedge.runtime.exported.artifact import EXPORT, MANIFEST, MODEL, GraphInfo, artifact_of, engine_for, metadata_of

MODEL_FILE = small_model()
FILES = {
    "net.onnx": exported(MODEL_FILE, "onnx", "branches").data,
    "net.tflite": exported(MODEL_FILE, "tflite", "case").data,
    "net.tflite.zip": exported(MODEL_FILE, "tflite", "family").data,
}
GRAPHS = {
    "net.onnx": GraphInfo("onnx", "branches"),
    "net.tflite": GraphInfo("tflite", "case"),
    "net.tflite.zip": GraphInfo("tflite", "family"),
}
every_file = pytest.mark.parametrize("name", list(FILES))


def load(data: bytes, name: str) -> None:
    engine_for(artifact_of(data, name))


@every_file
def test_unchanged_files_are_accepted(name: str) -> None:
    load(FILES[name], name)


@every_file
def test_truncated_file_is_refused(name: str) -> None:
    data = FILES[name]
    for length in {*range(0, 64), *np.linspace(64, len(data) - 1, 60).astype(int).tolist(), len(data) - 1}:
        with pytest.raises(ModelFileError):
            load(data[:length], name)


@pytest.mark.parametrize("name", ["net.tflite", "net.tflite.zip"])
@settings(max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(1, 255))
def test_flipped_byte_is_refused_before_the_interpreter(name: str, place: float, value: int) -> None:
    data = bytearray(FILES[name])
    at = int(place * len(data))
    data[at] ^= value
    try:
        load(bytes(data), name)
    except ModelFileError:
        return
    # a zip has bytes without meaning, such as the date of a file
    assert name.endswith(".zip")


def with_metadata(name: str, **changes: bytes | None) -> bytes:
    """Return the file with entries of its metadata replaced, or removed with None."""
    graph = GRAPHS[name]
    keys = {"manifest": MANIFEST, "model": MODEL, "export": EXPORT}
    metadata = metadata_of(MODEL_FILE.model, graph)
    for short, content in changes.items():
        if content is None:
            del metadata[keys[short]]
        else:
            metadata[keys[short]] = content
    return writer_of(graph.to).write(MODEL_FILE.detector, graph, metadata)


def export_metadata(**changes: object) -> bytes:
    graph = {"format": 1, "to": "onnx", "layout": "branches", "whole": False, "quantize": "none"}
    return json.dumps({**graph, **changes}).encode()


OTHER = small_model(seed=7)
ATTACKS = {
    "no manifest": ({"manifest": None}, "metadata 'vcedge' is missing"),
    "no model": ({"model": None}, "metadata 'vcedge.model' is missing"),
    "no graph": ({"export": None}, "metadata 'vcedge.export' is missing"),
    "a newer graph": ({"export": export_metadata(format=2)}, "version 2 is newer than 1: update vcedge"),
    "another format": ({"export": export_metadata(to="tflite")}, "key 'to' is 'tflite' in a file of the format onnx"),
    "an unknown key": ({"export": export_metadata(note="x")}, "'note'"),
    "an empty layout": ({"export": export_metadata(layout="")}, "layout"),
    "a newer manifest": ({"manifest": b'{"format": 99}'}, "newer"),
    "a manifest of another model": (
        {"manifest": metadata_of(OTHER.model, GRAPHS["net.onnx"])[MANIFEST]},
        "differs from the manifest of the model",
    ),
    "a model that is cut short": ({"model": MODEL_FILE.model[:-9]}, "model"),
    "invalid JSON": ({"export": b"{nonsense"}, "vcedge.export"),
}


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_wrong_metadata_is_refused(attack: str) -> None:
    changes, message = ATTACKS[attack]
    with pytest.raises(ModelFileError, match=message):
        load(with_metadata("net.onnx", **changes), "net.onnx")  # type: ignore[arg-type]


@pytest.mark.parametrize("graph", list(GRAPHS.values()), ids=lambda graph: graph.words)
def test_graph_of_other_shapes_than_its_model_is_refused(graph: GraphInfo) -> None:
    wider = tiny_detector(hidden=32, levels=[1 / 8, 1 / 4, 1 / 2, 1.0])
    with pytest.raises(ModelFileError, match="expected"):
        engine_for(forged(MODEL_FILE, wider, graph))


def test_graph_that_onnxruntime_refuses_or_with_other_names_is_refused() -> None:
    proto = onnx.load_from_string(FILES["net.onnx"])
    proto.graph.node[0].op_type = "Nonsense"
    with pytest.raises(ModelFileError, match=r"onnxruntime .* refuses it"):
        load(proto.SerializeToString(), "net.onnx")
    proto = onnx.load_from_string(exported(MODEL_FILE, "onnx", "dense").data)
    proto.graph.output[0].name = proto.graph.node[-1].output[0] = "answer"
    with pytest.raises(ModelFileError, match="is not expected in the graph's inputs and outputs"):
        load(proto.SerializeToString(), "net.onnx")


def test_detector_graph_must_have_the_state_of_its_model() -> None:
    whole = GraphInfo("onnx", "dense", True)
    other = tiny_detector(hidden=32, levels=[1 / 8, 1 / 4, 1 / 2, 1.0])
    with pytest.raises(ModelFileError, match=r"'h' is .* expected float32"):
        engine_for(forged(MODEL_FILE, other, whole))


def test_file_of_another_kind_is_refused() -> None:
    for name in ("x.onnx", "x.tflite", "x.zip", "model.vcedge"):
        for data in (b"", b"\x00" * 4000, b"a text file\n" * 50, b"PK\x03\x04" + b"\x01" * 200):
            with pytest.raises(ModelFileError):
                load(data, name)


def test_engine_that_does_not_run_a_model_is_named() -> None:
    model = model_of(replace(tiny_detector(), asset="other"))
    with pytest.raises(UsageError, match=r"engine 'onnx' runs .onnx files"):
        engine_for(model, "onnx")
