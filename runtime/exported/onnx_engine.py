"""Provides the engine `onnx`, which runs exported .onnx files in onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np

from vcedge.errors import ModelFileError, Unavailable, first_line
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.exported.artifact import Artifact
from vcedge.runtime.exported.detector_engine import Arrays, DetectorEngine, Slots, input_slots, output_slots
from vcedge.runtime.exported.network_engine import NETWORK_TYPES, NetworkEngine, network_shapes
from vcedge.schema import F32


def load(artifact: Artifact) -> Engine:
    """Return the engine of an .onnx file.

    Raises Unavailable without onnxruntime, ModelFileError if it refuses the graph or the graph is not the model's.
    """
    session, interpreter = _session(artifact)
    detector = artifact.detector
    if artifact.graph is not None and artifact.graph.whole:
        _check_interface(session, input_slots(detector) | output_slots(detector), artifact.name)
        return DetectorEngine(artifact, OnnxDetectorGraph(session), "onnx", interpreter)
    if detector.cell is None:
        raise ModelFileError(f"{artifact.name}: a graph of the network alone, but its model has no network")
    shapes = network_shapes(detector)
    slots = {what: (shape, NETWORK_TYPES.get(what, np.float32)) for what, shape in shapes.items()}
    _check_interface(session, slots, artifact.name)
    return NetworkEngine(artifact, OnnxNetworkGraph(session), "onnx", interpreter)


class OnnxNetworkGraph:
    """Runs a network in onnxruntime; see `vcedge.runtime.exported.network_engine.NetworkGraph`."""

    def __init__(self, session: Any) -> None:
        self._run = session.run
        self._outputs = ["correction", "level", "h_next"]

    def run(self, signals: F32, h: F32, min_level: int, logit_bias: float) -> tuple[F32, int, F32]:
        """Call onnxruntime; see the protocol."""
        feed = {
            "signals": signals[None],
            "h": h[None],
            "min_level": np.array([min_level], np.int32),
            "logit_bias": np.array([logit_bias], np.float32),
        }
        correction, level, after = self._run(self._outputs, feed)
        return correction[0], int(level[0]), after[0]


class OnnxDetectorGraph:
    """Runs a detector in onnxruntime; see `vcedge.runtime.exported.detector_engine.DetectorGraph`."""

    def __init__(self, session: Any) -> None:
        self._run = session.run
        self._outputs = [output.name for output in session.get_outputs()]

    def run(self, feed: Arrays) -> Arrays:
        """Call onnxruntime; see the protocol."""
        return dict(zip(self._outputs, self._run(self._outputs, feed), strict=True))


def _session(artifact: Artifact) -> tuple[Any, str]:
    """Return a session and the interpreter's name. Its one thread never spins: other programs need the cores."""
    try:
        import onnxruntime
    except ImportError:
        raise Unavailable(
            "engine 'onnx' needs the package 'onnxruntime', which is not installed: pip install 'vcedge[onnx]'"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # its log becomes the error below
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    refusals = (states.Fail, states.InvalidArgument, states.InvalidGraph, states.InvalidProtobuf, states.NotImplemented)
    try:
        session = onnxruntime.InferenceSession(artifact.data, options, providers=["CPUExecutionProvider"])
    except refusals as error:
        refused = f"onnxruntime {onnxruntime.__version__} refuses it: {first_line(error)}"
        raise ModelFileError(f"{artifact.name}: {refused}") from None
    return session, f"onnxruntime {onnxruntime.__version__}"


_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


def _check_interface(session: Any, slots: Slots, name: str) -> None:
    """Raise ModelFileError unless the graph has these inputs and outputs; a free size fits where the model has 1."""
    arguments = {argument.name: argument for argument in (*session.get_inputs(), *session.get_outputs())}
    for what in sorted(set(slots) ^ set(arguments)):
        known = "is missing in" if what in slots else "is not expected in"
        raise ModelFileError(f"{name}: '{what}' {known} the graph's inputs and outputs")
    for what, (shape, wanted) in slots.items():
        kind, found = _TYPES.get(arguments[what].type), tuple(arguments[what].shape)
        fits = len(found) == len(shape) and all(
            f == s or (isinstance(f, str) and s == 1) for f, s in zip(found, shape, strict=True)
        )
        if kind != wanted or not fits:
            raise ModelFileError(
                f"{name}: '{what}' is {arguments[what].type} {list(found)}, "
                f"expected {wanted.__name__} {list(shape)} as the model in it has"
            )
