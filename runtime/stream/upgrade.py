"""Reads snapshots of format 1, as vcedge before 0.1.0 wrote them: JSON values of each part of a stream.

Nothing is lost: the same samples then give the same scores, bit for bit. Remove this module when no device can still
hold such a snapshot.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.errors import DataError
from vcedge.packed import unpack, unpack_bytes
from vcedge.runtime.stream.events import top_of
from vcedge.runtime.stream.score_block import Words
from vcedge.runtime.stream.state import CLOSED, KINDS, NEVER, OPENED, UPDATED, StreamState, TrackerRecord

Json = dict[str, Any]


def restore_format_1(state: StreamState, snapshot: Json, words: Words) -> None:
    """Set the state from the JSON values of format 1. Raises DataError where they are not of this model."""
    try:
        _restore_numbers(state, snapshot, words)
        _restore_sensors(state, snapshot["sensors"], words)
        _restore_explainer(state, snapshot["explainer"], words)
        _restore_tracker(state.numbers.events[0], snapshot["events"], words)
        engine = unpack_bytes(snapshot["state"])
        if len(engine) != state.engine.record.nbytes:
            raise DataError(f"state of {len(engine)} bytes, expected {state.engine.record.nbytes}: of another model")
        state.engine.record.view(np.uint8)[:] = np.frombuffer(engine, np.uint8)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"a snapshot of something else: {type(error).__name__}: {error}") from None


def _restore_numbers(state: StreamState, snapshot: Json, words: Words) -> None:
    numbers, timeline, adaptive = state.numbers, snapshot["timeline"], snapshot["adaptive"]
    numbers.seq, numbers.raw, numbers.resting = snapshot["seq"], snapshot["raw"], snapshot["resting"]
    numbers.top[:] = words.top_codes(top_of(snapshot["top"]))
    numbers.usable_ns, numbers.blind_ns = _time(snapshot["usable_ns"]), snapshot["blind_ns"]
    for field in ("last_ns", "before_ns", "doubt_ns"):
        setattr(numbers, field, _time(timeline[field]))
    for field in ("since", "doubts", "wrong"):
        setattr(numbers, field, timeline[field])
    numbers.drift, numbers.pressure = adaptive["level"], adaptive["pressure"]
    numbers.learned_rows = adaptive["rows"]
    numbers.balance, numbers.spent_rows = snapshot["budget"]["balance"], int(snapshot["budget"]["event_rows"])
    numbers.running, numbers.until_ns = snapshot["operation"]["running"], snapshot["operation"]["until_ns"]


def _restore_sensors(state: StreamState, sensors: Json, words: Words) -> None:
    arrays: list[tuple[NDArray[Any], object]] = [
        (state.last, sensors["stuck"]["last"]),
        (state.run, sensors["stuck"]["run"]),
        (state.absent, sensors["absent"]),
    ]
    if sensors["leaps"] is not None:
        leaps = sensors["leaps"]
        arrays += [(state.believed, leaps["last"]), (state.refused, leaps["refused"])]
        arrays += [(state.believed_ns, leaps["times"])]
    for array, packed in arrays:
        array[:] = unpack(packed, array)
    for kind, record in zip(KINDS[1:], state.numbers.events[1:], strict=True):
        _restore_tracker(record, sensors["events"][kind], words)
    state.numbers.standing = state.numbers.defects = 1  # they may be 0, and are then found to be


def _restore_explainer(state: StreamState, explainer: Json, words: Words) -> None:
    numbers, memory, saved = state.numbers, state.shape, explainer["shape"]
    numbers.reason, numbers.why = words.wake_code(explainer["reason"]), words.wake_code(explainer["why"])
    numbers.age = explainer["age"]
    rows = saved["waiting"] + 1
    memory.means[:], memory.total[:] = unpack(saved["means"], memory.means), unpack(saved["sum"], memory.total)
    for array, packed in ((memory.residual, saved["residual"]), (memory.z, saved["z"])):
        array[:rows] = unpack(packed, array[:rows].astype(np.float64))
    numbers.shape_rows, numbers.waiting = saved["rows"], saved["waiting"]


def _restore_tracker(record: TrackerRecord, saved: Json, words: Words) -> None:
    event = saved["open"]
    record.start_ns, record.above, record.below = saved["start_ns"], saved["above"], saved["below"]
    record.peak, record.top[:] = saved["peak"], words.top_codes(top_of(saved["top"]))
    record.open = CLOSED if event is None else OPENED if event["type"] == "new" else UPDATED
    if event is not None:
        record.time_ns, record.open_peak = event["time_ns"], event["peak"]
        record.open_top[:] = words.top_codes(top_of(event["top"]))


def _time(time_ns: int | None) -> int:
    return NEVER if time_ns is None else time_ns
