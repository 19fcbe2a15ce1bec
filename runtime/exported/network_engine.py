"""Runs a detector whose network is a graph in an interpreter such as onnxruntime.

The numpy engine computes the rest (features, highway, scorer) from the model that the file carries; state and contract
are the same.
"""

from __future__ import annotations

from threading import Lock
from typing import Protocol

import numpy as np

from vcedge.detector import Cell, Detector
from vcedge.errors import ModelFileError
from vcedge.runtime.engine.numpy_cell import largest_term
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.engine.state import WAKE_NONE, State
from vcedge.runtime.exported.artifact import Artifact
from vcedge.schema import F32


class NetworkGraph(Protocol):
    """Runs a loaded graph of a network, with the interface of `vcedge.export.formats` for a batch of one."""

    def run(self, signals: F32, h: F32, min_level: int, logit_bias: float) -> tuple[F32, int, F32]:
        """Run one step: signals (S,) and h (D,), neither written to, give correction (C,), level and h_next (D,).

        The arrays may be the interpreter's own memory, valid until the next call.
        """
        ...


class InterpretedNetwork:
    """Runs the network of a detector in a graph; see `vcedge.runtime.engine.numpy_engine.Network`."""

    def __init__(self, cell: Cell, graph: NetworkGraph) -> None:
        self._cell, self._graph = cell, graph
        self._lock = Lock()
        """Serialises the calls of all streams to their one interpreter."""

    def step(self, signals: F32, state: State, floor: int, logit_bias: float) -> tuple[int, int]:
        """Call the interpreter; see the protocol."""
        with self._lock:
            correction, level, after = self._graph.run(signals, state.h, floor, logit_bias)
            wake = WAKE_NONE if level <= floor else self._wake(signals, state.h)
            state.h[:] = after
            state.correction[:] = correction
        return level, wake

    def _wake(self, signals: F32, h: F32) -> int:
        """Return why the level is above the floor, by the model's weights: the graph does not output it."""
        return largest_term(self._cell.gate_input * signals, float(self._cell.gate_hidden @ h))


class NetworkEngine(NumpyEngine):
    """Runs an exported file whose graph is the network; see `vcedge.runtime.engine.interface.Engine`."""

    def __init__(self, artifact: Artifact, graph: NetworkGraph, name: str, interpreter: str) -> None:
        """Wrap a graph; `name` is the engine's, `interpreter` the package that runs it with its version, for people."""
        if artifact.detector.cell is None:
            raise ModelFileError(f"{artifact.name}: a graph of the network alone, but its model has no network")
        super().__init__(artifact.detector, InterpretedNetwork(artifact.detector.cell, graph))
        self.name, self.graph, self.interpreter = name, graph, interpreter


def network_shapes(detector: Detector) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a network graph's inputs and outputs by name, for a batch of one."""
    assert detector.cell is not None
    spec = detector.cell.spec
    signals = spec.signals(detector.channels) if spec.levels > 1 else spec.inputs
    return {
        "signals": (1, signals),
        "h": (1, spec.hidden),
        "min_level": (1,),
        "logit_bias": (1,),
        "correction": (1, detector.channels),
        "level": (1,),
        "h_next": (1, spec.hidden),
    }


NETWORK_TYPES = {"min_level": np.int32, "level": np.int32}
"""Types of the inputs and outputs that are not float32."""
