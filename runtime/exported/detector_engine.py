"""Runs a graph of the complete detector, and defines its interface.

inputs   values (1, C) float64         raw sensor values in the channels' units
         missing (1, C) bool           which of them are missing; a NaN counts as missing too
         min_level (1,) int32, logit_bias (1,) float32   the compute policy, if there is a network
         those of `state_slots`        the state, all zeros at the start and after a gap
outputs  score (1,) float64            in [0, 1], 0.5 at the calibrated threshold
         raw (1,) float64              the statistic in nats; an alarm above the threshold of the manifest
         contributions (1, C) float64  of each channel to the statistic, all 0 where it is negative
         level, wake (1,) int32        1 to L, and why: see `vcedge.runtime.engine.state`
         readings (R, 1) float64, residual (1, C) float32   for reports
         NAME_next for each NAME of the state
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector
from vcedge.runtime.engine.interface import AS_TRAINED, ComputePolicy
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.engine.state import State
from vcedge.runtime.exported.artifact import Artifact
from vcedge.schema import F64
from vcedge.scorer import READINGS, TRACKS

Slot = tuple[tuple[int, ...], type[np.generic]]
"""Shape and type of an input or output."""
Slots = dict[str, Slot]
Arrays = dict[str, NDArray[Any]]


def state_slots(detector: Detector) -> Slots:
    """Return the fields of the state, by name."""
    channels, blocks = detector.channels, detector.scorer.cycle_blocks
    slots: Slots = {
        "lags": ((detector.depth, channels), np.float32),
        "forecast": ((1, channels), np.float32),
        "smooth": ((channels, len(TRACKS)), np.float64),
        "novelty": ((1, channels), np.float64),
        "seen": ((1,), np.int64),
    }
    if blocks:
        slots |= dict.fromkeys(("cycle_part", "cycle_deviation"), ((2, channels), np.float64))
        slots |= {"cycle_ring": ((blocks, 2, channels), np.float64), "cycle_excess": ((1,), np.float64)}
    if detector.cell is not None:
        slots |= {"h": ((1, detector.hidden), np.float32), "correction": ((1, channels), np.float32)}
    if detector.levels > 1:
        slots |= {"forced": ((1,), np.int32), "calm": ((1,), np.int32)}
    return slots


def input_slots(detector: Detector) -> Slots:
    """Return all inputs of the graph, by name."""
    channels = detector.channels
    slots: Slots = {"values": ((1, channels), np.float64), "missing": ((1, channels), np.bool_)}
    if detector.cell is not None:
        slots |= {"min_level": ((1,), np.int32), "logit_bias": ((1,), np.float32)}
    return slots | state_slots(detector)


def output_slots(detector: Detector) -> Slots:
    """Return all outputs of the graph, by name."""
    channels = detector.channels
    slots: Slots = {
        "score": ((1,), np.float64),
        "raw": ((1,), np.float64),
        "contributions": ((1, channels), np.float64),
        "level": ((1,), np.int32),
        "wake": ((1,), np.int32),
        "readings": ((READINGS, 1), np.float64),
        "residual": ((1, channels), np.float32),
    }
    return slots | {f"{name}_next": slot for name, slot in state_slots(detector).items()}


class DetectorGraph(Protocol):
    """Runs a loaded graph of a complete detector."""

    def run(self, feed: Arrays) -> Arrays:
        """Run one step and return its outputs by name."""
        ...


class DetectorEngine(NumpyEngine):
    """Runs an exported file whose graph is the detector; the graph computes every number of a step."""

    def __init__(self, artifact: Artifact, graph: DetectorGraph, name: str, interpreter: str) -> None:
        """Wrap a graph; `name` is the engine's, `interpreter` the package that runs it with its version, for people."""
        super().__init__(artifact.detector)
        self._slots = state_slots(artifact.detector)
        self._graph, self.name, self.interpreter = graph, name, interpreter

    def step(self, values: F64, state: State, policy: ComputePolicy = AS_TRAINED) -> tuple[float, int, F64]:
        """Run one sample; see `Engine.step`."""
        detector, row = self.detector, state.record[0]
        if values.shape != (detector.channels,):
            raise ValueError(f"values of shape {values.shape}, expected {(detector.channels,)}")
        feed: Arrays = {name: np.asarray(row[name]).reshape(shape) for name, (shape, _) in self._slots.items()}
        feed |= {"values": values[None], "missing": ~np.isfinite(values)[None]}
        if detector.cell is not None:
            feed |= {
                "min_level": np.array([policy.min_level], np.int32),
                "logit_bias": np.array([policy.logit_bias], np.float32),
            }
        out = self._graph.run(feed)
        for name in self._slots:
            row[name] = out[f"{name}_next"].reshape(row[name].shape)
        row["readings"], row["residual"] = out["readings"][:, 0], out["residual"][0]
        if detector.cell is not None:
            row["level"], row["wake"] = out["level"][0], out["wake"][0]
        return float(out["raw"][0]), int(out["level"][0]), out["contributions"][0].copy()
