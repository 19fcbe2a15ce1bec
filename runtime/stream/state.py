"""The state of one stream: all that its future depends on, in one flat record.

The record is one block of bytes: a snapshot copies it, and the kernel gets a pointer to it. The parts of a stream
(adaptive threshold, events, sensor health, compute budget, timeline, explainer) read and write their fields in it, and
Python and C use the same memory; `layout.py` compares both descriptions field by field.
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
"""Marks a time in nanoseconds that is not set."""
TOP_CHANNELS = 3
NOBODY = -1
"""Fills a list of leading channels that has fewer."""
NO_TOP = (NOBODY,) * TOP_CHANNELS
StreamEventKind = Literal["anomaly", "stuck", "limit", "rate", "dropout", "clock", "range"]
KINDS: tuple[StreamEventKind, ...] = get_args(StreamEventKind)
"""Kinds of events, in the order of their trackers in the record."""
CLOSED, OPENED, UPDATED = 0, 1, 2
"""Values of `TrackerRecord.open`: no event, or the type of its last publication."""


class TrackerRecord(Structure):
    """Lays out the state of one `EventTracker`; times in nanoseconds, `top` as in `ScoreBlock.top`."""

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
        ("above", c_int64),  # consecutive rows above the threshold while nothing is open
        ("below", c_int64),  # consecutive rows below the release while an event is open
        ("open", c_int64),
        ("top", c_int32 * TOP_CHANNELS),
        ("open_top", c_int32 * TOP_CHANNELS),
    )


class Numbers(Structure):
    """Lays out the scalars of a stream's state; times in nanoseconds, NEVER if not set."""

    raw: float
    balance: float
    level: float
    lasting_mean: float
    lasting: float
    threshold: float
    manual_threshold: float
    widening: float
    adapts: int
    seq: int
    last_ns: int
    usable_ns: int
    stale_ns: int
    before_pause_ns: int
    rows_since_pause: int
    candidate_ns: int
    candidate_rows: int
    rejected_rows: int
    running: int
    until_ns: int
    inhibited: int
    spent_rows: int
    learned_rows: int
    any_repeats: int
    any_defect: int
    last_wake: int
    wake_age: int
    event_wake: int
    feature_rows: int
    waiting: int
    range_active: int
    top: Any
    padding: int
    events: Any
    _fields_ = (
        ("raw", c_double),  # last statistic
        ("balance", c_double),  # ComputeBudget
        ("level", c_double),  # AdaptiveThreshold, as are the next four
        ("lasting_mean", c_double),
        ("lasting", c_double),  # nats of the lasting mean above its limit
        ("threshold", c_double),  # the adapted one
        ("manual_threshold", c_double),  # set by hand, NaN: none; a setting, not restored
        ("widening", c_double),  # added to the adapted threshold, from people's judgements
        ("adapts", c_int64),  # a setting, not restored
        ("seq", c_int64),
        ("last_ns", c_int64),  # Timeline: last accepted sample
        ("usable_ns", c_int64),  # last sample with a usable value, from which a gap is measured
        ("stale_ns", c_int64),  # last stale sample since the last gap; 0: none
        ("before_pause_ns", c_int64),  # Timeline: last time before a pause that is not confirmed yet
        ("rows_since_pause", c_int64),  # Timeline
        ("candidate_ns", c_int64),  # Timeline: last time of what may be a new clock
        ("candidate_rows", c_int64),  # Timeline: consecutive samples that agree with it
        ("rejected_rows", c_int64),  # Timeline: consecutive samples that were not accepted
        ("running", c_int64),  # Inhibition
        ("until_ns", c_int64),
        ("inhibited", c_int64),  # 1: the last sample was inhibited, and the state is empty
        ("spent_rows", c_int64),  # ComputeBudget: rows of the open event so far
        ("learned_rows", c_int64),  # AdaptiveThreshold
        ("any_repeats", c_int64),  # SensorHealth; 0: no channel repeats its reading
        ("any_defect", c_int64),  # SensorHealth; 0: no event of a sensor is open, no channel is missing
        ("last_wake", c_int64),  # Explainer: a value of `State.wake`
        ("wake_age", c_int64),  # Explainer: rows since then
        ("event_wake", c_int64),  # Explainer: the wake that the open event reports
        ("feature_rows", c_int64),  # ShapeTracker: rows of the open event
        ("waiting", c_int64),  # ShapeTracker: rows that are not in the means yet
        ("range_active", c_int64),  # RangeWatch; 0: every channel is as in training, and was for long enough
        ("top", c_int32 * TOP_CHANNELS),  # of the last row, as in ScoreBlock.top
        ("padding", c_int32),
        ("events", TrackerRecord * len(KINDS)),
    )

    @classmethod
    def fresh(cls) -> Numbers:
        """Return the numbers of a new stream, in memory of their own."""
        numbers = cls()
        numbers.start()
        return numbers

    def start(self) -> None:
        """Set the values that are not 0 in a new stream."""
        self.manual_threshold, self.running = float("nan"), 1
        self.last_ns = self.usable_ns = self.before_pause_ns = self.candidate_ns = NEVER
        self.last_wake = self.event_wake = WAKE_NONE
        self.top[:] = NO_TOP
        for tracker in self.events:
            tracker.top[:] = tracker.open_top[:] = NO_TOP


ARRAYS = (
    ("contributions", np.float64, "channels"),  # (C,) to the last statistic
    ("last", np.float64, "channels"),  # (C,) last readings
    ("repeats", np.int64, "channels"),  # (C,) consecutive rows with the same reading
    ("accepted", np.float64, "channels"),  # (C,) last readings that passed the check of their rate
    ("rejected", np.float64, "channels"),  # (C,) last reading if it changed too fast, else NaN
    ("accepted_ns", np.int64, "channels"),  # (C,) times of `accepted`
    ("missing_rows", np.int64, "channels"),  # (C,) consecutive rows without a value
    ("range_low", np.float64, "channels"),  # (C,) RangeWatch: range in training, widened by what events have shown
    ("range_high", np.float64, "channels"),  # (C,)
    ("range_rows", np.int64, "channels"),  # (C,) rows within the range in training since an event, JOINED or CANDIDATE
    ("means", np.float64, "means"),  # (spans, statistics, C)
    ("feature_sum", np.float64, "features"),  # (F,)
    ("residual", np.float32, "batch"),  # (BATCH + 1, C) last row in the means, then waiting ones
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
    """Holds views into one record; see `stream_dtype`. States of equal bytes give equal results."""

    __slots__ = (
        "accepted",
        "accepted_ns",
        "contributions",
        "engine",
        "last",
        "missing_rows",
        "numbers",
        "range_high",
        "range_low",
        "range_rows",
        "record",
        "rejected",
        "repeats",
        "shape",
    )

    def __init__(self, detector: Detector) -> None:
        self.record: NDArray[Any] = np.zeros(1, stream_dtype(detector))
        row = self.record[0]
        self.numbers = Numbers.from_buffer(self.record.view(np.uint8).data)
        self.engine = State(row["engine"].dtype, view=self.record["engine"])
        self.contributions: F64 = row["contributions"]
        self.last: F64 = row["last"]
        self.repeats: NDArray[np.int64] = row["repeats"]
        self.accepted: F64 = row["accepted"]
        self.rejected: F64 = row["rejected"]
        self.accepted_ns: NDArray[np.int64] = row["accepted_ns"]
        self.missing_rows: NDArray[np.int64] = row["missing_rows"]
        self.range_low: F64 = row["range_low"]
        self.range_high: F64 = row["range_high"]
        self.range_rows: NDArray[np.int64] = row["range_rows"]
        self.shape = ShapeMemory(self.numbers, row["means"], row["feature_sum"], row["residual"], row["z"])
        self.numbers.start()
        self.last[:] = self.accepted[:] = self.rejected[:] = np.nan
        self.range_low[:], self.range_high[:] = detector.seen.low, detector.seen.high

    def save(self) -> bytes:
        """Return the record as bytes; unused parts are zeroed, so that they compress well."""
        copy = self.record.view(np.uint8).copy()  # a copy of the record would leave out its padding
        for name in ("residual", "z"):
            copy.view(self.record.dtype)[name][0, self.numbers.waiting + 1 :] = 0
        data: bytes = copy.tobytes()
        return data

    def restore(self, data: bytes) -> None:
        """Continue from the bytes of `save`, but keep the settings in the record. Raises DataError for another size."""
        if len(data) != self.record.nbytes:
            raise DataError(f"state of {len(data)} bytes, expected {self.record.nbytes}: it is of another model")
        manual_threshold, adapts = self.numbers.manual_threshold, self.numbers.adapts
        self.record.view(np.uint8)[:] = np.frombuffer(data, np.uint8)
        self.numbers.manual_threshold, self.numbers.adapts = manual_threshold, adapts
