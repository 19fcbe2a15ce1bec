"""Reads snapshots of older formats: 1, before 0.1.0, JSON values of each part of a stream; 2, in 0.1.0, its record.

Nothing is lost: the restored stream gives the same scores bit for bit. Remove a format when no device can still hold
such a snapshot.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.errors import DataError
from vcedge.packed import unpack, unpack_bytes
from vcedge.runtime.stream.events import top_of
from vcedge.runtime.stream.score_names import ScoreNames
from vcedge.runtime.stream.state import CLOSED, KINDS, NEVER, OPENED, UPDATED, StreamState, TrackerRecord

Json = dict[str, Any]
FORMAT_2 = 2
_DOUBLES_2 = ("raw", "balance", "drift", "pressure", "threshold", "manual_threshold")
_INTEGERS_2 = (
    *("adapts", "seq", "last_ns", "usable_ns", "stale_ns", "before_pause_ns", "rows_since_pause", "candidate_ns"),
    *("candidate_rows", "rejected_rows", "running", "until_ns", "inhibited", "spent_rows", "learned_rows"),
    *("any_repeats", "any_defect", "last_wake", "wake_age", "event_wake", "feature_rows", "waiting"),
)
_TRACKER_2 = np.dtype(
    [
        *((name, "<f8") for name in ("peak", "open_peak")),
        *((name, "<i8") for name in ("start_ns", "time_ns", "above", "below", "open")),
        *((name, "<i4", (3,)) for name in ("top", "open_top")),
    ],
    align=True,
)
_NUMBERS_2 = np.dtype(
    [
        *((name, "<f8") for name in _DOUBLES_2),
        *((name, "<i8") for name in _INTEGERS_2),
        ("top", "<i4", (3,)),
        ("padding", "<i4"),
        ("events", _TRACKER_2, (6,)),
    ],
    align=True,
)
_ARRAYS_2 = (
    *("contributions", "last", "repeats", "accepted", "rejected", "accepted_ns", "missing_rows"),
    *("means", "feature_sum", "residual", "z", "engine"),
)


def format_2_dtype(present: np.dtype[Any]) -> np.dtype[Any]:
    """Return the layout of a record of format 2, for the detector whose present layout is given."""
    assert present.fields is not None
    arrays = [(name, present.fields[name][0]) for name in _ARRAYS_2]
    return np.dtype([("numbers", _NUMBERS_2), *arrays], align=True)


def restore_format_2(state: StreamState, data: bytes) -> None:
    """Set the state from a record of format 2; fields that it lacks keep the values of a new stream."""
    old, new = format_2_dtype(state.record.dtype), state.record[0]
    if len(data) != old.itemsize:
        raise DataError(f"state of {len(data)} bytes, expected {old.itemsize}: it is of another model")
    settings = state.numbers.manual_threshold, state.numbers.adapts
    saved = np.frombuffer(data, old)[0]
    for name in _ARRAYS_2:
        new[name] = saved[name]
    for name in _NUMBERS_2.names or ():
        if name != "events" and name in new["numbers"].dtype.names:
            new["numbers"][name] = saved["numbers"][name]
    for name in _TRACKER_2.names or ():
        new["numbers"]["events"][name][: len(saved["numbers"]["events"])] = saved["numbers"]["events"][name]
    state.numbers.manual_threshold, state.numbers.adapts = settings


def restore_format_1(state: StreamState, snapshot: Json, names: ScoreNames) -> None:
    """Set the state from the JSON values of format 1. Raises DataError if they are not of this model."""
    try:
        _restore_numbers(state, snapshot, names)
        _restore_sensors(state, snapshot["sensors"], names)
        _restore_explainer(state, snapshot["explainer"], names)
        _restore_tracker(state.numbers.events[0], snapshot["events"], names)
        engine = unpack_bytes(snapshot["state"])
        if len(engine) != state.engine.record.nbytes:
            raise DataError(
                f"state of {len(engine)} bytes, expected {state.engine.record.nbytes}: it is of another model"
            )
        state.engine.record.view(np.uint8)[:] = np.frombuffer(engine, np.uint8)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"not a snapshot of format 1: {type(error).__name__}: {error}") from None


def _restore_numbers(state: StreamState, snapshot: Json, names: ScoreNames) -> None:
    numbers, timeline, adaptive = state.numbers, snapshot["timeline"], snapshot["adaptive"]
    numbers.seq, numbers.raw, numbers.inhibited = snapshot["seq"], snapshot["raw"], snapshot["resting"]
    numbers.top[:] = names.top_codes(top_of(snapshot["top"]))
    numbers.usable_ns, numbers.stale_ns = _time(snapshot["usable_ns"]), snapshot["blind_ns"]
    numbers.last_ns, numbers.before_pause_ns = _time(timeline["last_ns"]), _time(timeline["before_ns"])
    numbers.candidate_ns, numbers.candidate_rows = _time(timeline["doubt_ns"]), timeline["doubts"]
    numbers.rows_since_pause, numbers.rejected_rows = timeline["since"], timeline["wrong"]
    numbers.drift, numbers.pressure = adaptive["level"], adaptive["pressure"]
    numbers.learned_rows = adaptive["rows"]
    numbers.balance, numbers.spent_rows = snapshot["budget"]["balance"], int(snapshot["budget"]["event_rows"])
    numbers.running, numbers.until_ns = snapshot["operation"]["running"], snapshot["operation"]["until_ns"]


def _restore_sensors(state: StreamState, sensors: Json, names: ScoreNames) -> None:
    arrays: list[tuple[NDArray[Any], object]] = [
        (state.last, sensors["stuck"]["last"]),
        (state.repeats, sensors["stuck"]["run"]),
        (state.missing_rows, sensors["absent"]),
    ]
    if sensors["leaps"] is not None:
        leaps = sensors["leaps"]
        arrays += [(state.accepted, leaps["last"]), (state.rejected, leaps["refused"])]
        arrays += [(state.accepted_ns, leaps["times"])]
    for array, packed in arrays:
        array[:] = unpack(packed, array)
    for kind, record in zip(KINDS[1:-1], state.numbers.events[1:-1], strict=True):
        _restore_tracker(record, sensors["events"][kind], names)
    state.numbers.any_repeats = state.numbers.any_defect = 1  # an upper bound; the next samples lower it


def _restore_explainer(state: StreamState, explainer: Json, names: ScoreNames) -> None:
    numbers, memory, saved = state.numbers, state.shape, explainer["shape"]
    numbers.last_wake = names.wake_code(explainer["reason"])
    numbers.event_wake = names.wake_code(explainer["why"])
    numbers.wake_age = explainer["age"]
    rows = saved["waiting"] + 1
    memory.means[:], memory.total[:] = unpack(saved["means"], memory.means), unpack(saved["sum"], memory.total)
    for array, packed in ((memory.residual, saved["residual"]), (memory.z, saved["z"])):
        array[:rows] = unpack(packed, array[:rows].astype(np.float64))
    numbers.feature_rows, numbers.waiting = saved["rows"], saved["waiting"]


def _restore_tracker(record: TrackerRecord, saved: Json, names: ScoreNames) -> None:
    event = saved["open"]
    record.start_ns, record.above, record.below = saved["start_ns"], saved["above"], saved["below"]
    record.peak, record.top[:] = saved["peak"], names.top_codes(top_of(saved["top"]))
    record.open = CLOSED if event is None else OPENED if event["type"] == "new" else UPDATED
    if event is not None:
        record.time_ns, record.open_peak = event["time_ns"], event["peak"]
        record.open_top[:] = names.top_codes(top_of(event["top"]))


def _time(time_ns: int | None) -> int:
    return NEVER if time_ns is None else time_ns
