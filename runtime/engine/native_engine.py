"""Runs the complete step of a detector in the native kernel; the numpy engine can continue its states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vcedge.detector import Detector
from vcedge.errors import Unavailable
from vcedge.runtime import _kernel
from vcedge.runtime.engine.interface import AS_TRAINED, ComputePolicy
from vcedge.runtime.engine.kernel_layout import LAYOUT, check_layout
from vcedge.runtime.engine.native_cell import NativeCell, aligned, isa_number
from vcedge.runtime.engine.state import FIELDS, State, state_dtype
from vcedge.schema import F64
from vcedge.scorer import KINDS, TRACKS, Line


class NativeEngine:
    """Runs a detector in the native kernel; see `vcedge.runtime.engine.interface.Engine`."""

    name = "native"

    def __init__(self, detector: Detector, isa: str = "auto", *, int8: bool = False) -> None:
        """Pack a detector for an instruction set; see `NativeCell`. Raises Unavailable if it is too large."""
        self._detector = detector
        self._dtype = state_dtype(detector)
        self._channels = detector.channels
        self.isa, number = isa_number(isa, int8=int8)
        cell = _packed_cell(detector, isa, int8=int8)
        shape = _shape(detector)
        sections = tuple(
            np.ascontiguousarray(array(detector), kind)
            for array, (_, kind, *_) in zip(_SECTIONS.values(), LAYOUT["sections"], strict=True)
        )
        size = _kernel.detector_size(shape, number, cell.nbytes)
        if not size:
            raise Unavailable(f"engine 'native': a detector of shape {shape} is too large, use engine 'numpy'")
        self.packed = aligned(size)
        limit = detector.calibration.surprise_limit
        _kernel.detector_pack(shape, number, self.packed, detector.features.clip, limit, sections, cell)
        self.packed.flags.writeable = False
        self.kernel = _kernel.Detector(self.packed)

    @property
    def detector(self) -> Detector:
        """Detector that the engine runs."""
        return self._detector

    def new_state(self) -> State:
        """Return the state of a new stream."""
        return State(self._dtype)

    def step(self, values: F64, state: State, policy: ComputePolicy = AS_TRAINED) -> tuple[float, int, F64]:
        """Run one sample; see `Engine.step`."""
        return self.kernel.step(values, state.record, np.empty(self._channels), *policy)

    def step_many(
        self, values: F64, states: list[State], policy: ComputePolicy = AS_TRAINED
    ) -> tuple[F64, list[int], F64]:
        """Run one sample of each stream by `step`, so that both agree bit for bit."""
        step, contributions = self.kernel.step, np.empty((len(states), self._channels))
        rows = [step(v, s.record, c, *policy) for v, s, c in zip(values, states, contributions, strict=True)]
        return np.array([row[0] for row in rows]), [row[1] for row in rows], contributions

    def run(
        self, values: F64, state: State, policy: ComputePolicy = AS_TRAINED
    ) -> tuple[F64, NDArray[np.int32], NDArray[np.int32], F64]:
        """Run samples (N, C) of one stream: they give raw (N,), levels (N,), wakes (N,) and contributions (N, C).

        Equal to N single steps bit for bit. Other Python threads can run meanwhile.
        """
        rows = len(values)
        if values.shape != (rows, self._channels):
            raise ValueError(f"values of shape {values.shape}, expected (rows, {self._channels})")
        raw, contributions = np.empty(rows), np.empty((rows, self._channels))
        levels, wakes = np.empty(rows, np.int32), np.empty(rows, np.int32)
        values = np.ascontiguousarray(values)
        self.kernel.run(rows, values, state.record, raw, levels, wakes, contributions, *policy)
        return raw, levels, wakes, contributions


_NOVELTY = next(index for index, track in enumerate(TRACKS) if track.amount == "none")
"""Lane of the novelty, that of the first track without an amount; the distance has that of the other one."""
# A matrix W is stored for W x; in a detector, as in the numpy engine, it is for x W.
_SECTIONS: Mapping[str, Callable[[Detector], ArrayLike]] = {
    "center": lambda d: d.features.center,
    "scale": lambda d: d.features.scale,
    "low": lambda d: d.seen.low,
    "high": lambda d: d.seen.high,
    "margin": lambda d: d.seen.margin,
    "alpha": lambda d: d.scorer.alphas,
    "initial": lambda d: np.array([d.scorer.initial[KINDS.index(track.kind)] for track in TRACKS]).T,
    "intercept": lambda d: d.scorer.intercept.T,
    "slope": lambda d: d.scorer.slope.T,
    "usual": lambda d: _lanes(d.scorer.usual, 1.0),
    "weight": lambda d: _lanes(d.scorer.weights, 0.0),
    "lines": lambda d: _lines(d),
    "cycle_mean": lambda d: [] if d.scorer.cycle is None else d.scorer.cycle.mean,
    "cycle_scale": lambda d: [] if d.scorer.cycle is None else d.scorer.cycle.scale,
    "lags": lambda d: d.scorer.reconstruction.lags,
    "record": lambda d: _offsets(state_dtype(d)),
    "sensor": lambda d: d.sensors,
    "change_scale": lambda d: d.features.change_scale,
    "bias": lambda d: d.highway.bias,
    "spread": lambda d: d.highway.spread,
    "start": lambda d: d.highway.weights[0],
    "horizon_bias": lambda d: d.scorer.horizon.bias,
    "horizon_spread": lambda d: d.scorer.horizon.spread,
    "horizon_start": lambda d: d.scorer.horizon.weights[0],
    "error_scale": lambda d: [] if d.head is None else d.head.error_scale,
    "mean": lambda d: d.scorer.reconstruction.mean,
    "distance_scale": lambda d: [] if d.scorer.distance is None else d.scorer.distance.scale,
    "forecast": lambda d: d.highway.weights[1:].T,
    "whiten": lambda d: d.scorer.whiten.T,
    "fill": lambda d: d.scorer.fill,
    "horizon": lambda d: d.scorer.horizon.weights[1:].T,
    "components": lambda d: d.scorer.reconstruction.components,
    "back": lambda d: d.scorer.reconstruction.components.T,
    "centroids": lambda d: [] if d.scorer.distance is None else d.scorer.distance.centroids,
}
"""The arrays of a detector that the kernel packs, by the names of its sections and in their order."""


def expected_layout() -> dict[str, Any]:
    """Return what Python expects of the kernel, by the keys of `LAYOUT`. It converts arrays to the sections' types."""
    kinds = {name: kind for name, kind, *_ in LAYOUT["sections"]}
    return {
        "sections": [(name, kinds.get(name), 1, 0) for name in _SECTIONS],
        "kinds": list(KINDS),
        "tracks": [(track.kind, track.amount, track.power) for track in TRACKS],
        "engine": [(name, "u1" if kind is np.bool_ else np.dtype(kind).str[1:], 1, 0) for name, kind in FIELDS],
    }


check_layout(LAYOUT, expected_layout())


def _offsets(dtype: np.dtype[Any]) -> list[int]:
    """Return the offset of each field of the state record, and the record's size."""
    assert dtype.fields is not None
    return [*(offset for _, offset, *_ in dtype.fields.values()), dtype.itemsize]


def _packed_cell(detector: Detector, isa: str, *, int8: bool) -> NDArray[np.uint8]:
    """Return the packed cell with a head whose output is the correction itself; empty without a network."""
    if detector.cell is None or detector.head is None:
        return np.zeros(0, np.uint8)
    weights, bias = detector.head.shrunk
    return NativeCell(detector.cell, weights, bias, isa, int8=int8).packed


def _lanes(numbers: F64, other: float) -> F64:
    """Return numbers of the readings (READINGS,) as the kernel has them, (2, TRACKS): amounts, then rarities.

    The novelty is in the lane of a track without an amount, `other` in that of the distance.
    """
    lanes, at = np.full((2, len(TRACKS)), other), 0
    for index, track in enumerate(TRACKS):
        count = 1 if track.amount == "none" else 2
        lanes[2 - count :, index] = numbers[at : at + count]
        at += count
    lanes[0, _NOVELTY] = numbers[at]
    return lanes


def _lines(detector: Detector) -> list[float]:
    """Return offset and gain of the readings, of distance and cycle, and between them the distance's weight."""
    scorer, none = detector.scorer, Line(0.0, 0.0)
    distance, cycle = scorer.distance, scorer.cycle
    line, weight = (none, 0.0) if distance is None else (distance.line, distance.weight)
    last = none if cycle is None else cycle.line
    return [scorer.line.offset, scorer.line.gain, line.offset, line.gain, weight, last.offset, last.gain]


def _shape(detector: Detector) -> tuple[int, ...]:
    scorer = detector.scorer
    return (
        detector.channels,
        detector.highway.order,
        scorer.horizon.order,
        scorer.horizon.ahead,
        len(scorer.reconstruction.lags),
        len(scorer.reconstruction.components),
        0 if scorer.distance is None else len(scorer.distance.centroids),
        0 if scorer.cycle is None else scorer.cycle.block,
        scorer.cycle_blocks,
        int(detector.sensors.sum()),
        int(detector.live.sum()),
        detector.depth,
        detector.hidden,
        int(detector.features.flags),
        detector.calibration.surprise_ticks,
    )
