"""One asset's stream of samples: scores, alarms and events, from the order in time to the threshold.

Reads no clock and does no input or output, so the same samples give the same scores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector
from vcedge.runtime.engine.interface import AS_TRAINED, ComputePolicy, Engine
from vcedge.runtime.engine.state import State
from vcedge.runtime.stream.adaptive_threshold import MOST_WIDENING, AdaptiveThreshold
from vcedge.runtime.stream.compute_budget import ComputeBudget
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.inhibition import Inhibition, RunWhen
from vcedge.runtime.stream.parts import StreamParts
from vcedge.runtime.stream.python_rows import PythonRows
from vcedge.runtime.stream.saved_state import restore_state, save_state
from vcedge.runtime.stream.score import Score, Status
from vcedge.runtime.stream.score_block import ScoreBlock
from vcedge.runtime.stream.state import StreamState
from vcedge.schema import F64, Sample

if TYPE_CHECKING:
    from vcedge.runtime.stream.native_rows import NativeRows

__all__ = ["Score", "Status", "Stream"]


class Stream:
    """Turns the samples of one asset into scores and events; all of its state is in `record`.

    The kernel scores the rows that it can, if the engine has one, and `PythonRows` the others. A `threshold` set by
    hand stays as it is; the calibrated one follows slow drift unless `adapt` is false.
    """

    def __init__(
        self,
        engine: Engine,
        threshold: float | None = None,
        *,
        adapt: bool = True,
        run_when: RunWhen | None = None,
    ) -> None:
        detector = engine.detector
        self._engine, self._detector = engine, detector
        self._parts = parts = StreamParts(detector, run_when, adapt=adapt)
        if threshold is not None:
            parts.set_threshold(detector.calibration, threshold)
        self._python = PythonRows(engine, parts)
        self._native: NativeRows | None = None
        self._kernel = getattr(engine, "kernel", None)
        self._channels = detector.channels
        self._one = ScoreBlock(parts.names, np.zeros(1, np.int64), 0)
        self._row: F64 = np.zeros((1, self._channels))
        """Buffer for a single sample in the kernel."""

    @property
    def detector(self) -> Detector:
        """The detector of this stream."""
        return self._detector

    @property
    def record(self) -> StreamState:
        """The state of this stream."""
        return self._parts.record

    @property
    def state(self) -> State:
        """The engine's part of the state."""
        return self._parts.record.engine

    @property
    def contributions(self) -> F64:
        """Contribution of each channel (C,) to the last statistic; valid until the next sample."""
        return self._parts.record.contributions

    @property
    def inhibition(self) -> Inhibition:
        """Inhibition of alarms, by a channel or from outside."""
        return self._parts.inhibition

    @property
    def threshold(self) -> float:
        """Threshold of the next sample, in the unit of `raw`."""
        return self._parts.threshold

    @property
    def adaptive(self) -> AdaptiveThreshold:
        """The threshold's adaptation to drift."""
        return self._parts.adaptive

    @property
    def budget(self) -> ComputeBudget:
        """The control of the mean updated share."""
        return self._parts.budget

    @property
    def engine_name(self) -> str:
        """Name of the engine that runs the detector."""
        return self._engine.name

    @property
    def seq(self) -> int:
        """Number of the last sample."""
        return self._parts.numbers.seq

    @property
    def in_event(self) -> bool:
        """Whether an anomaly event is open."""
        return self._parts.events.is_open

    @property
    def open_event(self) -> Event | None:
        """The open anomaly event, as it was last published."""
        return self._parts.events.open

    @property
    def open_range(self) -> Event | None:
        """The open `range` event, as it was last published."""
        return self._parts.range.open

    @property
    def watermark_ns(self) -> int | None:
        """Time of the last sample that continued the stream; None before the first."""
        return self._parts.timeline.last_ns

    def count_from(self, seq: int) -> None:
        """Give the next sample the number after this one, to continue another stream of the same asset."""
        self._parts.numbers.seq = seq

    def set_threshold(self, threshold: float | None, false_alarms_per_day: float | None = None) -> None:
        """Set the threshold by hand, or by the events a day that it promises; with neither, the calibrated one.

        A threshold that is not set by hand adapts to drift from now on.
        """
        calibration = self._detector.calibration
        if false_alarms_per_day is not None:
            calibration = calibration.with_false_alarms(false_alarms_per_day, self._detector.schema.period_ns)
        self._parts.set_threshold(calibration, threshold)
        self._native = None

    def widen(self, nats: float) -> None:
        """Raise the adapted threshold by this much, between 0 and MOST_WIDENING; it replaces the last widening.

        A threshold set by hand stays as it is.
        """
        self._parts.numbers.widening = min(max(nats, 0.0), MOST_WIDENING)

    @property
    def widening(self) -> float:
        """How far the adapted threshold is raised."""
        return self._parts.numbers.widening

    def push(self, sample: Sample, policy: ComputePolicy = AS_TRAINED) -> Score:
        """Score one sample. One whose time does not continue the stream changes no other state (status `clock`).

        Args:
            sample: Time, and values (C,), NaN where missing.
            policy: Compute policy of this sample.

        Raises:
            ValueError: The values have another shape, or the time does not fit 64 bits.
        """
        if sample.values.shape != (self._channels,):
            raise ValueError(f"values of shape {sample.values.shape}, expected ({self._channels},)")
        if not -(2**63) <= sample.time_ns < 2**63:
            raise ValueError(f"time {sample.time_ns}, expected nanoseconds since 1970 that fit 64 bits")
        native = self._native_rows()
        if native is not None:
            self._one.time_ns[0], self._row[0] = sample.time_ns, sample.values
            if native.score(self._one, self._row, 0, policy):
                return self._one.at(0)._replace(seq=self._parts.numbers.seq)
        return self._python.score(sample, policy)

    def push_in_python(self, sample: Sample, policy: ComputePolicy = AS_TRAINED) -> Score:
        """Score one sample without the kernel, with the same result."""
        return self._python.score(sample, policy)

    def push_block(self, time_ns: NDArray[np.int64], values: F64, policy: ComputePolicy = AS_TRAINED) -> ScoreBlock:
        """Score rows, with the same results as `push` of each, bit for bit.

        Args:
            time_ns: (N,) times in nanoseconds since 1970.
            values: (N, C) values, NaN where missing.
            policy: Compute policy of these rows.

        Raises:
            ValueError: The values have another shape.
        """
        if values.shape != (len(time_ns), self._channels):
            raise ValueError(f"values of shape {values.shape}, expected ({len(time_ns)}, {self._channels})")
        block = ScoreBlock(self._parts.names, np.ascontiguousarray(time_ns, np.int64), self.seq + 1)
        values, row = np.ascontiguousarray(values, np.float64), 0
        native = self._native_rows()
        while row < len(block):
            if native is not None:
                row = native.score(block, values, row, policy)
            if row < len(block):
                score = self._python.score(Sample(int(block.time_ns[row]), values[row]), policy)
                block.set(row, score, in_event=self.in_event)
                row += 1
        return block

    def snapshot(self) -> bytes:
        """Return the state with its format version; `restore` is the inverse.

        A threshold set by hand is not part of it: its owner sets it again.
        """
        return save_state(self._parts.record)

    def restore(self, snapshot: object) -> None:
        """Continue from a snapshot of a stream of the same model, with the same scores bit for bit.

        Args:
            snapshot: The bytes of `snapshot`, or their base64.

        Raises:
            DataError: The snapshot is not of this model; the stream must not be used any more.
        """
        restore_state(self._parts.record, snapshot)
        self._parts.adaptive.update()

    def _native_rows(self) -> NativeRows | None:
        """Return the kernel's rows for this stream; None if the engine has no kernel."""
        if self._native is None and self._kernel is not None:
            from vcedge.runtime.stream.native_rows import NativeRows

            self._native = NativeRows(self._kernel, self._parts)
        return self._native
