"""Defines the state of one stream: everything that a detector keeps between two steps, in one flat record.

It is one contiguous buffer: a snapshot is its bytes, N streams are an array of N records, and the kernel takes one
pointer. The engine is immutable; the caller owns a state for each stream.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector
from vcedge.errors import DataError
from vcedge.schema import F32, F64
from vcedge.scorer import READINGS, TRACKS

WAKE_NONE, WAKE_SURPRISE, WAKE_MEMORY = -1, -2, -3
"""Values of `State.wake` that are not an index into `scheduler_inputs`: floor, surprise, hidden state."""


FIELDS: tuple[tuple[str, type[np.generic]], ...] = (
    ("smooth", np.float64),
    ("readings", np.float64),
    ("novelty", np.float64),
    ("cycle_part", np.float64),
    ("cycle_ring", np.float64),
    ("cycle_deviation", np.float64),
    ("cycle_excess", np.float64),
    ("seen", np.int64),
    ("forced", np.int32),
    ("calm", np.int32),
    ("wake", np.int32),
    ("level", np.int32),
    ("lags", np.float32),
    ("forecast", np.float32),
    ("correction", np.float32),
    ("residual", np.float32),
    ("h", np.float32),
)
"""Names and types of a record's fields. Fields of 8 bytes come first, so that every field is aligned to its size."""


def state_dtype(detector: Detector) -> np.dtype[Any]:
    """Return the layout of a state record."""
    channels, blocks = detector.channels, detector.scorer.cycle_blocks
    cycle = (2, channels) if blocks else (0, channels)
    shapes: dict[str, tuple[int, ...]] = {
        "smooth": (channels, len(TRACKS)),
        "readings": (READINGS,),
        "novelty": (channels,),
        "cycle_part": cycle,
        "cycle_ring": (blocks, 2, channels),
        "cycle_deviation": cycle,
        "lags": (detector.depth, channels),
        "forecast": (channels,),
        "correction": (channels,),
        "residual": (channels,),
        "h": (detector.hidden,),
    }
    return np.dtype([(name, kind, shapes.get(name, ())) for name, kind in FIELDS], align=True)


class State:
    """Holds views into one record; see `state_dtype`. States of equal bytes give equal results."""

    __slots__ = (
        "correction",
        "cycle_deviation",
        "cycle_part",
        "cycle_ring",
        "forecast",
        "h",
        "lags",
        "novelty",
        "readings",
        "record",
        "residual",
        "smooth",
    )

    def __init__(self, dtype: np.dtype[Any], buffer: bytes | None = None, *, view: NDArray[Any] | None = None) -> None:
        """Make a fresh state, one from the bytes of another, or one over a record (1,) that the caller owns."""
        self.record: NDArray[Any] = np.zeros(1, dtype) if view is None else view
        if buffer is not None:
            if len(buffer) != dtype.itemsize:
                raise DataError(f"state of {len(buffer)} bytes, expected {dtype.itemsize}: it is of another model")
            self.record.view(np.uint8)[:] = np.frombuffer(buffer, np.uint8)
        row = self.record[0]
        self.smooth: F64 = row["smooth"].T  # (TRACKS, C) smoothed squared error of each channel
        self.readings: F64 = row["readings"]  # (READINGS,) last readings, in their own units
        self.novelty: F64 = row["novelty"]  # (C,) smoothed distance to the range of training
        self.cycle_part: F64 = row["cycle_part"]  # (2, C) sums of values and squares of the present block
        self.cycle_ring: F64 = row["cycle_ring"]  # (blocks, 2, C) sums of the last blocks
        self.cycle_deviation: F64 = row["cycle_deviation"]  # (2, C) squared deviations of the last cycle
        self.lags: F32 = row["lags"]  # (depth, C) the last standardised samples, newest first
        self.forecast: F32 = row["forecast"]  # (C,) the highway's forecast of the next sample
        self.correction: F32 = row["correction"]  # (C,) the network's forecast of the next residual, in spreads
        self.residual: F32 = row["residual"]  # (C,) the last residual of the highway, in spreads
        self.h: F32 = row["h"]  # (D,) hidden state
        if buffer is None:
            self.reset()

    @property
    def seen(self) -> int:
        """Number of samples since the last reset."""
        return int(self.record["seen"][0])

    @property
    def cycle_excess(self) -> float:
        """Nats that the last complete cycle adds to the statistic."""
        return float(self.record["cycle_excess"][0])

    @property
    def level(self) -> int:
        """Level of the last step, 1 to L; 0 before the first."""
        return int(self.record["level"][0])

    @property
    def wake(self) -> int:
        """Reason why the last level was above the floor: an index into `scheduler_inputs` or a WAKE_ constant."""
        return int(self.record["wake"][0])

    def reset(self) -> None:
        """Reset to the state of a new stream, as after a gap."""
        self.record.view(np.uint8)[:] = 0
        self.record["wake"] = WAKE_NONE

    def copy(self) -> State:
        """Return an independent copy."""
        return State(self.record.dtype, self.tobytes())

    def tobytes(self) -> bytes:
        """Return the record as bytes for snapshots; `State(dtype, bytes)` is the inverse."""
        return self.record.tobytes()
