"""Provides the engine `tflite`, which runs .tflite files and families of them in LiteRT, or else in tflite-runtime.

It uses one thread, and XNNPACK if the package has it. `tflite_file.py` and `tflite_structure.py` check a file before
the interpreter gets it.
"""

from __future__ import annotations

import ctypes
import hashlib
from bisect import bisect_right
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Cell
from vcedge.errors import ModelFileError, Unavailable, first_line
from vcedge.runtime.exported.artifact import Artifact
from vcedge.runtime.exported.flatbuffer import Malformed
from vcedge.runtime.exported.network_engine import NETWORK_TYPES, NetworkEngine, network_shapes
from vcedge.runtime.exported.tflite_file import MODEL_DIGEST, SCHEDULER, ZIP, members, metadata, step_name
from vcedge.runtime.exported.tflite_scheduler import check_scheduler
from vcedge.runtime.exported.tflite_structure import TensorInfo, interface_of
from vcedge.schema import F32

NAME = "tflite"
PACKAGES = {"ai_edge_litert": "ai-edge-litert", "tflite_runtime": "tflite-runtime"}
"""Packages with an interpreter, by module; the first that is installed runs."""
WARM = 2
"""Steps after which a tensor without a fixed address has moved."""
Shapes = dict[str, tuple[int, ...]]


def load(artifact: Artifact) -> NetworkEngine:
    """Return the engine of an exported file.

    Raises Unavailable without an interpreter, ModelFileError for a graph that is damaged or not the model's.
    """
    if artifact.detector.cell is None or artifact.graph is None or artifact.graph.whole:
        raise ModelFileError(f"{artifact.name}: expected a graph of a network whose model has one")
    package, make = _interpreter()
    words = f"{package} {version(package)}"
    shapes = network_shapes(artifact.detector)
    if artifact.data[:4] == ZIP:
        graph: SingleFileGraph | FamilyGraph = _family(artifact, shapes, make)
    else:
        graph = SingleFileGraph(LoadedFile(artifact.data, artifact.name, make, shapes))
    return NetworkEngine(artifact, graph, NAME, words)


def _interpreter() -> tuple[str, Any]:
    """Return a package's name and its class Interpreter."""
    for module, package in PACKAGES.items():
        if find_spec(module) is not None:
            return package, import_module(f"{module}.interpreter").Interpreter
    needs = f"one of the packages {', '.join(PACKAGES.values())}, and none is installed"
    raise Unavailable(f"engine '{NAME}' needs {needs}: pip install 'vcedge[{NAME}]'")


class LoadedFile:
    """Runs a .tflite file in an interpreter and gives access to its inputs and outputs by name.

    The arrays are the tensors' own memory, which is fastest: 0.2 µs, against 0.5 µs with `set_tensor`. Tensors of fixed
    size stay at their address until the next `allocate_tensors`, on which hosts in C++ rely too. The constructor calls
    it once, and checks that the addresses are fixed.
    """

    def __init__(self, data: bytes, name: str, make: Any, shapes: Shapes) -> None:
        """Load the file; `make` is the interpreter's class, `shapes` are those of the allowed inputs and outputs.

        Raises ModelFileError for a damaged file, or one with other inputs or outputs.
        """
        try:
            interface = interface_of(data)
        except Malformed as error:
            raise ModelFileError(f"{name}: damaged: {error}") from None
        for tensor in (*interface.inputs, *interface.outputs):
            _check(tensor, shapes, name)
        try:
            self._interpreter = make(model_content=data, num_threads=1)
            self._interpreter.allocate_tensors()
            details = [*self._interpreter.get_input_details(), *self._interpreter.get_output_details()]
            where = [self._address(detail) for detail in details]
            for _ in range(WARM):
                self.invoke()
        except (RuntimeError, ValueError) as error:
            raise ModelFileError(f"{name}: the interpreter refuses the graph: {first_line(error)}") from None
        if where != [self._address(detail) for detail in details]:
            raise ModelFileError(f"{name}: a tensor has no fixed address, expected a graph of fixed sizes")
        tensors = (*interface.inputs, *interface.outputs)
        self.tensors = {tensor.name: _bound(at, tensor) for at, tensor in zip(where, tensors, strict=True)}

    def invoke(self) -> None:
        """Compute the outputs from the inputs."""
        self._interpreter.invoke()

    def _address(self, detail: dict[str, Any]) -> int:
        return int(self._interpreter.tensor(detail["index"])().ctypes.data)


class SingleFileGraph:
    """Runs a network that is one file; see `vcedge.runtime.exported.network_engine.NetworkGraph`."""

    def __init__(self, file: LoadedFile) -> None:
        self._invoke, tensors = file.invoke, file.tensors  # the bound method keeps the arrays' memory alive
        self._signals, self._h = tensors["signals"][0], tensors["h"][0]
        self._min_level, self._logit_bias = tensors["min_level"], tensors["logit_bias"]
        self._correction, self._level, self._after = tensors["correction"][0], tensors["level"], tensors["h_next"][0]

    def run(self, signals: F32, h: F32, min_level: int, logit_bias: float) -> tuple[F32, int, F32]:
        """Run one step; the results are in the interpreter's memory."""
        self._signals[:] = signals
        self._h[:] = h
        self._min_level[0] = min_level
        self._logit_bias[0] = logit_bias
        self._invoke()
        return self._correction, int(self._level[0]), self._after


class HostScheduler:
    """Picks the level of a family's next step (eq. 7) by the weights of the model in the file.

    A dot product takes less time in numpy than a call of the interpreter: 0.7 µs against 2.3 µs.
    """

    def __init__(self, cell: Cell) -> None:
        self._input, self._hidden, self._bias = cell.gate_input, cell.gate_hidden, cell.gate_bias
        self._limits = cell.spec.thresholds().tolist()

    def level(self, signals: F32, h: F32, min_level: int, logit_bias: float) -> int:
        """Return the level, from `min_level` to L."""
        logit = float(self._hidden.dot(h)) + float(self._input.dot(signals)) + self._bias + logit_bias
        return max(min_level, 1 + bisect_right(self._limits, logit))


class LevelStep:
    """Runs the step model of one level of a family."""

    def __init__(self, file: LoadedFile) -> None:
        self._invoke, tensors = file.invoke, file.tensors
        self._x, self._h = tensors["x"][0], tensors["h"][0]
        self._correction, self._after = tensors["correction"][0], tensors["h_next"][0]
        self._inputs = len(self._x)

    def run(self, signals: F32, h: F32) -> tuple[F32, F32]:
        """Run one step and return correction and h_next, in the interpreter's memory."""
        self._x[:] = signals[: self._inputs]
        self._h[:] = h
        self._invoke()
        return self._correction, self._after


class FamilyGraph:
    """Runs a network that has a step model for each level; see `network_engine.NetworkGraph`."""

    def __init__(self, scheduler: HostScheduler, steps: list[LevelStep]) -> None:
        self._scheduler, self._steps = scheduler, steps

    def run(self, signals: F32, h: F32, min_level: int, logit_bias: float) -> tuple[F32, int, F32]:
        """Pick the level, unless the floor is the highest one, and run that level's step model."""
        top = len(self._steps)
        level = min_level if min_level >= top else self._scheduler.level(signals, h, min_level, logit_bias)
        correction, after = self._steps[level - 1].run(signals, h)
        return correction, level, after


def _family(artifact: Artifact, shapes: Shapes, make: Any) -> FamilyGraph:
    files = members(artifact.data, artifact.name)
    assert artifact.detector.cell is not None
    shapes = {**shapes, "x": (1, artifact.detector.cell.spec.inputs)}
    model = hashlib.sha256(artifact.model).digest()
    loaded = []
    for member in (SCHEDULER, *map(step_name, range(1, 1 + artifact.detector.levels))):
        name = f"{artifact.name}: {member}"
        if member not in files:
            raise ModelFileError(f"{name} is missing")
        if metadata(files[member], name).get(MODEL_DIGEST) != model:
            raise ModelFileError(f"{name} was exported from another model")
        loaded.append(LoadedFile(files[member], name, make, shapes))
    check_scheduler(loaded[0].tensors, loaded[0].invoke, artifact.detector.cell, f"{artifact.name}: {SCHEDULER}")
    return FamilyGraph(HostScheduler(artifact.detector.cell), [LevelStep(file) for file in loaded[1:]])


def _check(tensor: TensorInfo, shapes: Shapes, name: str) -> None:
    if tensor.name not in shapes:
        raise ModelFileError(f"{name}: tensor '{tensor.name[:60]}', expected one of {', '.join(shapes)}")
    dtype = np.dtype(NETWORK_TYPES.get(tensor.name, np.float32)).name
    if (tensor.shape, tensor.dtype) != (shapes[tensor.name], dtype):
        found, wanted = f"{tensor.dtype} {list(tensor.shape)}", f"{dtype} {list(shapes[tensor.name])}"
        raise ModelFileError(f"{name}: tensor '{tensor.name}' is {found}, expected {wanted} by the model in it")


def _bound(address: int, tensor: TensorInfo) -> NDArray[Any]:
    size = int(np.prod(tensor.shape)) * np.dtype(tensor.dtype).itemsize
    memory = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))
    return memory.view(tensor.dtype).reshape(tensor.shape)
