"""The state of one stream: all that its future depends on, in one flat record.

One contiguous block of bytes: a snapshot is its bytes, the kernel gets one pointer, and many streams are many pointers.
The parts of a stream (threshold adaptation, events, sensor health, budget, timeline, explainer) are functions over it.
Python and C read and write the same memory; `layout.py` compares both descriptions field by field.
"""

from __future__ import annotations

from ctypes import Structure, c_double, c_int32, c_int64
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector
from vcedge.errors import DataError
from vcedge.resemblance import BATCH, FEATURES, SPANS, STATISTICS, ShapeMemory
from vcedge.runtime.engine.state import WAKE_NONE, State, state_dtype
from vcedge.schema import F64

NEVER = -1
"""Stands for a time in nanoseconds that there is none of."""
TOP_CHANNELS = 3
NOBODY = -1
"""Stands in a list of leading channels where there is none."""
NO_TOP = (NOBODY,) * TOP_CHANNELS
StreamEventKind = Literal["anomaly", "stuck", "limit", "rate", "dropout", "clock"]
KINDS: tuple[StreamEventKind, ...] = get_args(StreamEventKind)
"""Events of a stream, in the order of their trackers in the record."""
CLOSED, OPENED, UPDATED = 0, 1, 2
"""Values of `TrackerRecord.open`: no event, or the type that was published last."""


class TrackerRecord(Structure):
    """The state of one `EventTracker`; times in nanoseconds, `top` as in `ScoreBlock.top`."""

    peak: float
    open_peak: float
    start_ns: int
    time_ns: int
    above: int
    below: int
    open: int
    top: Any
    open_top: Any
    _fields_ = (
        ("peak", c_double),  # of the rows above the threshold
        ("open_peak", c_double),  # as last published
        ("start_ns", c_int64),  # first row above the threshold
        ("time_ns", c_int64),  # of the last publication
        ("above", c_int64),  # rows in a row above the threshold while nothing is open
        ("below", c_int64),  # rows in a row below the release while an event is open
        ("open", c_int64),
        ("top", c_int32 * TOP_CHANNELS),
        ("open_top", c_int32 * TOP_CHANNELS),
    )


class Numbers(Structure):
    """The scalars of a stream's state; times in nanoseconds, NEVER where there is none."""

    raw: float
    balance: float
    drift: float
    pressure: float
    threshold: float
    by_hand: float
    adapts: int
    seq: int
    last_ns: int
    usable_ns: int
    blind_ns: int
    before_ns: int
    since: int
    doubt_ns: int
    doubts: int
    wrong: int
    running: int
    until_ns: int
    resting: int
    spent_rows: int
    learned_rows: int
    standing: int
    defects: int
    reason: int
    age: int
    why: int
    shape_rows: int
    waiting: int
    top: Any
    spare: int
    events: Any
    _fields_ = (
        ("raw", c_double),  # last statistic
        ("balance", c_double),  # ComputeBudget
        ("drift", c_double),  # AdaptiveThreshold, as are the next three
        ("pressure", c_double),
        ("threshold", c_double),  # the adapted one
        ("by_hand", c_double),  # NaN: none; a setting, not restored
        ("adapts", c_int64),  # a setting, not restored
        ("seq", c_int64),
        ("last_ns", c_int64),  # Timeline, as are the next five
        ("usable_ns", c_int64),  # last sample that was not stale: what a gap is measured from
        ("blind_ns", c_int64),  # last sample that was stale, if no gap came after it; 0: none
        ("before_ns", c_int64),
        ("since", c_int64),
        ("doubt_ns", c_int64),
        ("doubts", c_int64),
        ("wrong", c_int64),
        ("running", c_int64),  # Inhibition
        ("until_ns", c_int64),
        ("resting", c_int64),  # 1: the machine stands or is being serviced, and the state is empty
        ("spent_rows", c_int64),  # ComputeBudget: rows spent in the event that is open
        ("learned_rows", c_int64),  # AdaptiveThreshold
        ("standing", c_int64),  # SensorHealth; 0: no channel stands still
        ("defects", c_int64),  # SensorHealth; 0: no event of a sensor is open, no channel absent
        ("reason", c_int64),  # Explainer: a value of State.wake, as is `why`
        ("age", c_int64),
        ("why", c_int64),
        ("shape_rows", c_int64),  # ShapeTracker
        ("waiting", c_int64),
        ("top", c_int32 * TOP_CHANNELS),  # of the last row, as in ScoreBlock.top
        ("spare", c_int32),
        ("events", TrackerRecord * len(KINDS)),
    )

    @classmethod
    def fresh(cls) -> Numbers:
        """Return the numbers of a stream that has seen nothing, in memory of their own."""
        numbers = cls()
        numbers.start()
        return numbers

    def start(self) -> None:
        """Set the values that are not 0 in a stream that has seen nothing."""
        self.by_hand, self.running = float("nan"), 1
        self.last_ns = self.usable_ns = self.before_ns = self.doubt_ns = NEVER
        self.reason = self.why = WAKE_NONE
        self.top[:] = NO_TOP
        for tracker in self.events:
            tracker.top[:] = tracker.open_top[:] = NO_TOP


ARRAYS = (
    ("contributions", np.float64, "channels"),  # (C,) to the last statistic
    ("last", np.float64, "channels"),  # (C,) last readings
    ("run", np.int64, "channels"),  # (C,) rows for which each stood still
    ("believed", np.float64, "channels"),  # (C,) last readings that did not change too fast
    ("refused", np.float64, "channels"),  # (C,) the last reading where it changed too fast, else NaN
    ("believed_ns", np.int64, "channels"),  # (C,)
    ("absent", np.int64, "channels"),  # (C,) rows in a row without a value
    ("means", np.float64, "means"),  # (spans, statistics, C)
    ("shape_sum", np.float64, "features"),  # (F,)
    ("residual", np.float32, "batch"),  # (BATCH + 1, C) the last row in the means, then those that wait
    ("z", np.float32, "batch"),  # (BATCH + 1, C)
)
"""Name, type and shape of each array behind the numbers; those of 8-byte items first, so that all are aligned."""


def stream_dtype(detector: Detector) -> np.dtype[Any]:
    """Return the layout of one stream's record: numbers, arrays, and the engine's state."""
    channels = detector.channels
    shapes = {
        "channels": (channels,),
        "means": (len(SPANS), len(STATISTICS), channels),
        "features": (len(FEATURES),),
        "batch": (BATCH + 1, channels),
    }
    arrays = [(name, kind, shapes[shape]) for name, kind, shape in ARRAYS]
    return np.dtype([("numbers", np.dtype(Numbers)), *arrays, ("engine", state_dtype(detector))], align=True)


class StreamState:
    """Views into one record; see `stream_dtype`. Equal bytes mean equal futures."""

    __slots__ = ("absent", "believed", "believed_ns", "contributions", "engine", "last", "numbers", "record", "refused",
                 "run", "shape")  # fmt: skip

    def __init__(self, detector: Detector) -> None:
        self.record: NDArray[Any] = np.zeros(1, stream_dtype(detector))
        row = self.record[0]
        self.numbers = Numbers.from_buffer(self.record.view(np.uint8).data)
        self.engine = State(row["engine"].dtype, view=self.record["engine"])
        self.contributions: F64 = row["contributions"]
        self.last: F64 = row["last"]
        self.run: NDArray[np.int64] = row["run"]
        self.believed: F64 = row["believed"]
        self.refused: F64 = row["refused"]
        self.believed_ns: NDArray[np.int64] = row["believed_ns"]
        self.absent: NDArray[np.int64] = row["absent"]
        self.shape = ShapeMemory(self.numbers, row["means"], row["shape_sum"], row["residual"], row["z"])
        self.numbers.start()
        self.last[:] = self.believed[:] = self.refused[:] = np.nan

    def save(self) -> bytes:
        """Return the record as bytes; what no longer matters is zero in them, so that they compress well."""
        copy = self.record.view(np.uint8).copy()  # numpy leaves out padding where it copies records
        for name in ("residual", "z"):
            copy.view(self.record.dtype)[name][0, self.numbers.waiting + 1 :] = 0
        data: bytes = copy.tobytes()
        return data

    def restore(self, data: bytes) -> None:
        """Continue from the bytes of `save`; the settings in the record stay. Raises DataError for another size."""
        if len(data) != self.record.nbytes:
            raise DataError(f"state of {len(data)} bytes, expected {self.record.nbytes}: it is of another model")
        by_hand, adapts = self.numbers.by_hand, self.numbers.adapts
        self.record.view(np.uint8)[:] = np.frombuffer(data, np.uint8)
        self.numbers.by_hand, self.numbers.adapts = by_hand, adapts
