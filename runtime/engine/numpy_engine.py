"""Implements the reference engine, the complete step of a detector in readable numpy; others are compared with it.

It computes in float32 as devices do, except for standardisation and smoothing: float64 keeps large offsets and long
means exact.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector, Features
from vcedge.runtime.engine.interface import AS_TRAINED, ComputePolicy
from vcedge.runtime.engine.numpy_cell import NumpyNetwork
from vcedge.runtime.engine.numpy_scorer import NumpyScorer
from vcedge.runtime.engine.state import WAKE_SURPRISE, State, state_dtype
from vcedge.schema import F32, F64
from vcedge.scorer import ERROR_CAP


class Network(Protocol):
    """Runs scheduler, cell and head of one detector: the part of a step that an exported file can replace."""

    def step(self, signals: F32, state: State, floor: int, logit_bias: float) -> tuple[int, int]:
        """Update `state.h` and `state.correction`, and nothing else, and return level and wake.

        `signals` (S,) are the cell's inputs (N,), with more than one level followed by `scheduler_sizes`. The level is
        at least `floor`; wake is the scheduler's `largest_term` if the level is above the floor, else WAKE_NONE.
        """
        ...


class NumpyEngine:
    """Runs a detector in numpy; see `vcedge.runtime.engine.interface.Engine`."""

    name = "numpy"

    def __init__(self, detector: Detector, network: Network | None = None) -> None:
        """Prepare a detector; `network` replaces its cell and head in numpy."""
        self.detector = detector
        self._dtype = state_dtype(detector)
        if network is None and detector.cell is not None and detector.head is not None:
            network = NumpyNetwork(detector.cell, detector.head)
        self._network = network
        self._scorer = NumpyScorer(detector)
        self._sensors = detector.sensors
        self._fill = detector.scorer.fill
        self._zeros: F32 = np.zeros(detector.channels, np.float32)

    def new_state(self) -> State:
        """Return the state of a new stream."""
        return State(self._dtype)

    def step(self, values: F64, state: State, policy: ComputePolicy = AS_TRAINED) -> tuple[float, int, F64]:
        """Run one sample; see `Engine.step`."""
        if values.shape != self._zeros.shape:
            raise ValueError(f"values of shape {values.shape}, expected {self._zeros.shape}")
        z, missing = self._standardise(values, state)
        residual, error = self._errors(z, state)
        raw, contributions = self._scorer.step(values, z, missing, error, state)
        level = 1
        if self._network is not None:
            mean_error = float(np.minimum(error * error, ERROR_CAP).astype(np.float64).mean())
            level = self._update_cell(z, missing, residual, mean_error, state, policy)
        self._remember(z, residual, state)
        return raw, level, contributions

    def step_many(
        self, values: F64, states: list[State], policy: ComputePolicy = AS_TRAINED
    ) -> tuple[F64, list[int], F64]:
        """Run one sample of each stream by `step`, so that both agree bit for bit."""
        rows = [self.step(v, s, policy) for v, s in zip(values, states, strict=True)]
        raw = np.array([row[0] for row in rows])
        return raw, [row[1] for row in rows], np.array([row[2] for row in rows])

    def _standardise(self, values: F64, state: State) -> tuple[F32, NDArray[np.bool_]]:
        """Return the standardised, clipped sample (C,) without holes, and which channels are missing (C,).

        A missing sensor gets its forecast, corrected by what the errors of the other sensors say about its own. Before
        there is a forecast, and for commands and constants, the last value stays, or the mean before any.
        """
        features, highway = self.detector.features, self.detector.highway
        missing = ~np.isfinite(values)
        wide = np.clip((values - features.center) / features.scale, -features.clip, features.clip)
        z = wide.astype(np.float32)
        if not missing.any():
            return z, missing
        z = np.where(missing, state.lags[0], z)
        filled = missing & self._sensors
        if state.seen < highway.order or not filled.any():
            return z, missing
        known = np.where(missing, np.float32(0), self._residual(z, state))
        likely = state.forecast + highway.bias + highway.spread * (self._fill @ known)
        return np.where(filled, np.clip(likely, -features.clip, features.clip).astype(np.float32), z), missing

    def _residual(self, z: F32, state: State) -> F32:
        """Return the errors (C,) of the forecast in spreads, 0 for channels that are no sensors."""
        highway = self.detector.highway
        return np.where(self._sensors, (z - state.forecast - highway.bias) / highway.spread, np.float32(0))

    def _errors(self, z: F32, state: State) -> tuple[F32, F32]:
        """Return the highway's residual (C,) in spreads, and the smaller error (C,) of it and the network."""
        if state.seen < self.detector.highway.order:
            return self._zeros, self._zeros
        residual = self._residual(z, state)
        head = self.detector.head
        if head is None:
            return residual, residual
        corrected = residual - state.correction
        smaller: F32 = np.where(np.abs(corrected) < np.abs(residual), corrected, residual)
        return residual, smaller / head.error_scale

    def _update_cell(
        self, z: F32, missing: NDArray[np.bool_], residual: F32, mean_error: float, state: State, policy: ComputePolicy
    ) -> int:
        """Pick the level, and update the hidden state and the next correction."""
        assert self._network is not None
        x = np.concatenate((z, missing)).astype(np.float32) if self.detector.features.flags else z
        levels = self.detector.levels
        if levels == 1:
            level, wake = self._network.step(x, state, 1, policy.logit_bias)
        else:
            previous = state.lags[0] if state.seen else z
            signals = np.concatenate((x, *scheduler_sizes(self.detector.features, z, previous, residual)))
            floor = min(max(policy.min_level, 1), levels)
            surprised = self._surprised(mean_error, state)
            level, wake = self._network.step(signals, state, levels if surprised else floor, policy.logit_bias)
            if surprised and floor < levels:
                wake = WAKE_SURPRISE
        state.record["level"] = level
        state.record["wake"] = wake
        return level

    def _surprised(self, mean_error: float, state: State) -> bool:
        """Return whether this is one of the first ticks of a surprise, which the state counts.

        A lasting surprise forces its ticks only once; it ends after the same number of ticks without one.
        """
        ticks = self.detector.calibration.surprise_ticks
        forced, calm = int(state.record["forced"][0]), int(state.record["calm"][0])
        if mean_error > self.detector.calibration.surprise_limit:
            if calm == 0:
                forced = ticks
            calm = ticks
        elif calm > 0:
            calm -= 1
        state.record["forced"] = max(forced - 1, 0)
        state.record["calm"] = calm
        return forced > 0

    def _remember(self, z: F32, residual: F32, state: State) -> None:
        """Push the sample into the lags and forecast the next one from them."""
        highway = self.detector.highway
        state.lags[1:] = state.lags[:-1].copy()
        state.lags[0] = z
        state.residual[:] = residual
        state.record["seen"] += 1
        state.forecast[:] = highway.weights[0] + state.lags[: highway.order].ravel() @ highway.weights[1:]


def scheduler_sizes(features: Features, z: F32, previous: F32, residual: F32) -> tuple[F32, F32, F32]:
    """Return size, change and forecast error, each (..., C), which a gate linear in signed signals cannot represent.

    `z` and `previous` are a standardised sample and the one before it, `residual` the highway's, in spreads.
    """
    change = np.abs(z - previous) / features.change_scale
    return np.abs(z), np.minimum(change, features.clip), np.minimum(np.abs(residual), features.clip)
