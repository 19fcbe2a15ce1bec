"""The whole detector's step in the native kernel; it and the numpy engine go on with each other's states."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector
from vcedge.errors import Unavailable
from vcedge.runtime import _kernel
from vcedge.runtime.engine.interface import AS_TRAINED, ComputePolicy
from vcedge.runtime.engine.native_cell import NativeCell, aligned, isa_number
from vcedge.runtime.engine.state import State, state_dtype
from vcedge.schema import F64

KINDS = {"error": 0, "horizon": 1, "reconstruction": 2}


class NativeEngine:
    """See `vcedge.runtime.engine.registry.Engine`."""

    name = "native"

    def __init__(self, detector: Detector, isa: str = "auto", int8: bool = False) -> None:
        """Pack a detector for an instruction set, see `NativeCell`. Raises Unavailable where it is not possible."""
        self._detector = detector
        self._dtype = state_dtype(detector)
        self._channels = detector.channels
        self.isa, number = isa_number(isa, int8)
        cell = _packed_cell(detector, isa, int8)
        shape = _shape(detector)
        arrays = _arrays(detector, self._dtype)
        sections = tuple(np.ascontiguousarray(arrays[name], _TYPES[code]) for name, code in _SECTIONS)
        size = _kernel.detector_size(shape, number, cell.nbytes)
        if not size:
            raise Unavailable(f"engine 'native': a detector of shape {shape} is too large for it, use 'numpy'")
        self._packed = aligned(size)
        limit = detector.calibration.surprise_limit
        _kernel.detector_pack(shape, number, self._packed, detector.features.clip, limit, sections, cell)
        self._packed.flags.writeable = False
        self.kernel = _kernel.Detector(self._packed)

    @property
    def detector(self) -> Detector:
        """What is run."""
        return self._detector

    def new_state(self) -> State:
        """A state that has seen nothing."""
        return State(self._dtype)

    def step(self, values: F64, state: State, policy: ComputePolicy = AS_TRAINED) -> tuple[float, int, F64]:
        """One sample: (raw, level, contributions (C,)); see `Engine.step`."""
        return self.kernel.step(values, state.record, np.empty(self._channels), *policy)

    def step_many(
        self, values: F64, states: list[State], policy: ComputePolicy = AS_TRAINED
    ) -> tuple[F64, list[int], F64]:
        """One sample for each stream: the loop over `step`, so that both agree bit for bit."""
        step, contributions = self.kernel.step, np.empty((len(states), self._channels))
        rows = [step(v, s.record, c, *policy) for v, s, c in zip(values, states, contributions, strict=True)]
        return np.array([row[0] for row in rows]), [row[1] for row in rows], contributions

    def run(
        self, values: F64, state: State, policy: ComputePolicy = AS_TRAINED
    ) -> tuple[F64, NDArray[np.int32], NDArray[np.int32], F64]:
        """Many samples (N, C) of one stream: raw (N,), levels (N,), `State.wake` (N,), contributions (N, C).

        Equal to as many single steps, bit for bit; other threads run meanwhile.
        """
        rows = len(values)
        if values.shape != (rows, self._channels):
            raise ValueError(f"values of shape {values.shape}, expected (rows, {self._channels})")
        raw, contributions = np.empty(rows), np.empty((rows, self._channels))
        levels, wakes = np.empty(rows, np.int32), np.empty(rows, np.int32)
        values = np.ascontiguousarray(values)
        self.kernel.run(rows, values, state.record, raw, levels, wakes, contributions, *policy)
        return raw, levels, wakes, contributions


_SECTIONS = _kernel.detector_sections()
_TYPES: dict[str, Any] = {"d": np.float64, "f": np.float32, "i": np.int32}


def _packed_cell(detector: Detector, isa: str, int8: bool) -> NDArray[np.uint8]:
    """The cell, with a head whose output is the correction itself; empty without a network."""
    if detector.cell is None or detector.head is None:
        return np.zeros(0, np.uint8)
    weights, bias = detector.head.shrunk
    return NativeCell(detector.cell, weights, bias, isa, int8).packed


def _shape(detector: Detector) -> tuple[int, int, int, int, int, int, int, int, int, int, int]:
    scorer = detector.scorer
    return (
        detector.channels,
        detector.highway.order,
        scorer.horizon.order,
        scorer.horizon.ahead,
        len(scorer.reconstruction.lags),
        len(scorer.reconstruction.components),
        len(scorer.parts),
        detector.depth,
        detector.hidden,
        int(detector.features.flags),
        detector.calibration.surprise_ticks,
    )


def _arrays(detector: Detector, dtype: np.dtype[Any]) -> dict[str, NDArray[Any]]:
    """What the kernel's sections hold, by their names. A matrix W is one for W x; numpy's engine has them as x W."""
    features, highway, scorer, head = detector.features, detector.highway, detector.scorer, detector.head
    horizon, model, parts = scorer.horizon, scorer.reconstruction, scorer.parts
    assert dtype.fields is not None
    return {
        "center": features.center,
        "scale": features.scale,
        "alpha": np.array([part.alpha for part in parts]),
        "weight": np.array([part.weight for part in parts]),
        "usual": np.array([part.usual for part in parts]),
        "initial": np.array([part.initial for part in parts]),
        "kinds": np.array([KINDS[part.kind] for part in parts]),
        "lags": np.array(model.lags),
        "record": np.array([*(offset for _, offset, *_ in dtype.fields.values()), dtype.itemsize]),
        "change_scale": features.change_scale,
        "bias": highway.bias,
        "spread": highway.spread,
        "start": highway.weights[0],
        "horizon_bias": horizon.bias,
        "horizon_spread": horizon.spread,
        "horizon_start": horizon.weights[0],
        "error_scale": np.zeros(0) if head is None else head.error_scale,
        "mean": model.mean,
        "forecast": highway.weights[1:].T,
        "whiten": scorer.whiten.T,
        "horizon": horizon.weights[1:].T,
        "components": model.components,
        "back": model.components.T,
    }
