"""Implements the parity gate: steps a model's oracle and an exported file side by side, each with its own state.

The oracle is the numpy engine. The compute policy varies: left to the scheduler, each level forced in turn, and
probed. A probe chooses the logit bias so that the oracle's logit lies just below or just above a level's limit. So an
error of the file's scheduler is found even if no row of a recording is near a limit.
"""

from __future__ import annotations

import numpy as np

from vcedge.detector import Cell, Detector, Head, Highway
from vcedge.errors import DataError, GateFailed
from vcedge.export.generated import generated
from vcedge.export.parity import FLOAT, INT8, PROBE, Parity, ParityCheck, Tolerance
from vcedge.model_file import model_id
from vcedge.runtime.engine.interface import ComputePolicy, Engine
from vcedge.runtime.engine.numpy_cell import NumpyNetwork
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.engine.state import State
from vcedge.runtime.exported.artifact import Artifact, engine_for
from vcedge.schema import F32, F64

STEPS, WARM = 5000, 300
"""Least number of compared steps, and steps of the oracle before them, so that no state begins with zeros."""
NEVER = -1e30
"""A logit bias that closes the gate: the level is the floor."""
AUTO, FORCED, PROBED = range(3)
PERIOD = 20
"""Steps of one round: the first half is left to the scheduler, a quarter is forced, a quarter probed."""


def verify(model: Artifact, exported: Artifact, values: F64 | None = None) -> Parity:
    """Compare an exported file with its model over `values` (N, C), or a generated recording if None.

    Raises GateFailed if the file was exported from another model, DataError for a recording without rows, and what
    `engine_for` raises.
    """
    if exported.graph is None:
        raise DataError(f"{exported.name}: a model.vcedge, expected an exported file")
    if exported.model != model.model:
        made, wanted = (model_id(artifact.model)[:19] for artifact in (exported, model))
        raise GateFailed(f"{exported.name}: exported from the model {made}, expected {wanted} of {model.name}")
    rows = generated(model.detector, WARM + STEPS) if values is None else _long_enough(values)
    tolerance = FLOAT if exported.graph.quantize == "none" else INT8
    return compare(model.detector, engine_for(exported), rows, tolerance)


def compare(detector: Detector, engine: Engine, values: F64, tolerance: Tolerance = FLOAT) -> Parity:
    """Step the oracle and an engine through `values` (N, C); the first `WARM` rows only warm up the state."""
    probe = _Probe(detector.cell, detector.head, detector.highway) if detector.cell and detector.head else None
    oracle = NumpyEngine(detector, probe)
    wanted = oracle.new_state()
    for row in values[:WARM]:
        oracle.step(row, wanted)
    found = wanted.copy()
    check = ParityCheck(detector, tolerance)
    for step, row in enumerate(values[WARM:]):
        kind, floor, bias, margin = _policy(step, detector)
        if probe is not None and kind == PROBED and tolerance.same_state:
            aside = wanted.copy(), wanted.copy()
            probe.margin, margin, kind = margin, None, AUTO
            level = oracle.step(row, aside[0], ComputePolicy(floor))[1]
            check.compare_level(step, level, engine.step(row, aside[1], ComputePolicy(floor, probe.bias))[1])
        if probe is not None:
            probe.margin = margin
        expected = oracle.step(row, wanted, ComputePolicy(floor, bias))
        if probe is not None and kind == PROBED:
            bias = probe.bias
        before = found.h.copy()
        outcome = engine.step(row, found, ComputePolicy(floor, bias))
        outcomes = (*expected, wanted), (*outcome, found)
        if not check.compare(step, *outcomes, before, may_flip=kind == AUTO):
            found = wanted.copy()
    return check.parity


def _policy(step: int, detector: Detector) -> tuple[int, int, float, tuple[int, float] | None]:
    """Return kind, min_level and logit_bias of a step, and for a probe the limit's number and the distance from it."""
    turn, place = divmod(step, PERIOD)
    levels = detector.levels
    if levels == 1 or place < PERIOD // 2:
        return AUTO, 1, 0.0, None
    if place < PERIOD * 3 // 4:
        return FORCED, 1 + (turn % levels), NEVER, None
    # A quarter of a round probes both sides of some limits; the next round continues with the others.
    sign = 1 if place % 2 else -1
    return PROBED, 1, 0.0, ((turn * PERIOD // 4 + place // 2) % (levels - 1), sign * PROBE)


class _Probe(NumpyNetwork):
    """Runs the oracle's network; with a `margin` set it computes the step's logit bias and keeps it in `bias`."""

    def __init__(self, cell: Cell, head: Head, highway: Highway) -> None:
        super().__init__(cell, head)
        self._gate = cell
        errors = np.abs(cell.gate_input[-len(highway.spread) :].astype(np.float64))
        self._rounding = errors / highway.spread
        self._limits = cell.spec.thresholds()
        self.margin: tuple[int, float] | None = None
        self.bias = 0.0

    def step(self, signals: F32, state: State, floor: int, logit_bias: float) -> tuple[int, int]:
        if self.margin is not None:
            limit, margin = self.margin
            terms = np.concatenate((self._gate.gate_input * signals, self._gate.gate_hidden * state.h))
            wide = terms.astype(np.float64)
            # The forecast error is a small difference of float32 numbers, so its rounding is that of the value.
            rounding = float(self._rounding @ np.abs(state.lags[0]))
            goal = self._limits[limit] + margin * max(1.0, float(np.abs(wide).sum()), rounding)
            logit_bias = float(np.float32(goal - wide.sum() - self._gate.gate_bias))
        self.bias = logit_bias
        return super().step(signals, state, floor, logit_bias)


def _long_enough(values: F64) -> F64:
    """Repeat the rows until there are as many as the gate needs."""
    if not len(values):
        raise DataError("the recording has no rows, expected at least one")
    return np.tile(values, (-(-(WARM + STEPS) // len(values)), 1))
