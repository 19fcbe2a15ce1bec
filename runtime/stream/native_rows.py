"""A stream's decisions about many rows in the native kernel (runtime/kernel/stream/judge.h).

It is `Stream.push` once more and therefore knows the parts of a stream from within: their numbers are copied into one
record, the kernel goes on with that and with their arrays, and what it leaves is copied back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vcedge import resemblance
from vcedge.detector import MAX_POWER
from vcedge.runtime import _kernel
from vcedge.runtime.engine.interface import ComputePolicy
from vcedge.runtime.stream import adaptive_threshold as adaptive
from vcedge.runtime.stream import compute_budget as budget
from vcedge.runtime.stream import explainer
from vcedge.runtime.stream.events import GROWTH
from vcedge.runtime.stream.events import Memory as EventMemory
from vcedge.runtime.stream.score_block import ScoreBlock
from vcedge.schema import F64, NS_PER_S

if TYPE_CHECKING:
    from vcedge.runtime.stream.stream import Stream

ROWS = 4096
"""Rows of one call: between calls signals are noticed."""
Arrays = tuple[NDArray[Any], ...]
_RULES, _MEMORY = (np.dtype(fields) for fields in _kernel.judge_fields())
_NEVER = -1


class NativeJudge:
    """See `vcedge.runtime.engine.registry.Judge`. Of one stream."""

    def __init__(self, kernel: _kernel.Detector) -> None:
        self._kernel = kernel
        self._rules = np.zeros(1, _RULES)
        self._fixed: Arrays | None = None
        self._leaps: Arrays = ()
        """Stand in where no channel has a largest change."""

    def judge(self, stream: Stream, block: ScoreBlock, values: F64, row: int, policy: ComputePolicy) -> int:
        """Score rows of values (N, C) from `row` on into the block: the first row that is left for `Stream.push`."""
        end = row + stream.operation.at_work(values[row:])
        if row == end or not _goes_on(stream, int(block.time_ns[row])):
            return row
        if self._fixed is None:
            self._fixed = self._prepare(stream)
        adapts = stream._by_hand is None and stream._adaptive._enabled
        self._rules["limit"], self._rules["by_hand"] = stream.threshold, stream._by_hand is not None
        self._rules["learning"], self._rules["target"] = adapts, stream.budget.target(policy.logit_bias)
        memory, tops, defects = _numbers_of(stream), _tops_of(stream), _defects_of(stream)
        stream.contributions = stream.contributions.copy()
        arrays = (*self._fixed, memory, *self._parts(stream, defects), tops, *_columns(block, values))
        state, left = stream.state.record, row
        try:
            while left == row < end:
                stop = min(row + ROWS, end)
                left = self._kernel.judge(len(block), row, stop, state, arrays, *policy)
                row = left if left < stop else stop
                left = row if left == stop else -1
        finally:
            _put_back(stream, memory, tops, defects)
        return row

    def _prepare(self, stream: Stream) -> Arrays:
        """What the kernel gets of a stream that does not change."""
        for name, value in _rules_of(stream).items():
            self._rules[name] = value
        sensors, tracker = stream._sensors, stream._explainer._tracker
        channels = stream.detector.channels
        self._leaps = (np.zeros(channels), np.zeros(channels), np.zeros(channels, np.int64))
        return (
            self._rules,
            sensors._low,
            sensors._high,
            sensors._stuck._limits.astype(np.int64),
            stream.detector.schema.rates(),
            np.array([events._rule.hold_rows for events in sensors._events.values()], np.int64),
            tracker._change_scale,
            tracker._weights,
            tracker._keeps,
        )

    def _parts(self, stream: Stream, defects: NDArray[np.int64]) -> Arrays:
        """The arrays that the kernel changes."""
        sensors, tracker = stream._sensors, stream._explainer._tracker
        leaps = sensors._leaps
        return (
            stream.contributions,
            sensors._stuck._last,
            sensors._stuck._run,
            *(self._leaps if leaps is None else (leaps._last, leaps._refused, leaps._times)),
            sensors._absent,
            defects,
            tracker._means,
            tracker._sum,
            tracker._residual,
            tracker._z,
        )


def _goes_on(stream: Stream, time_ns: int) -> bool:
    """Whether a row at this time is one that the kernel can judge, as far as its time tells."""
    last_ns = stream._timeline.last_ns
    steady = stream._timeline.steady and not stream._resting and stream.threshold > 0
    return steady and last_ns is not None and 0 < time_ns - last_ns <= stream.detector.schema.max_gap_ns


def _rules_of(stream: Stream) -> dict[str, float]:
    """What a stream does not change from call to call, by the names in judge.h."""
    detector, limits, adapting = stream.detector, stream.detector.calibration, stream._adaptive
    schema, events, sensors = detector.schema, stream._events._rule, stream._sensors
    return {
        "steepness": limits.steepness,
        "max_power": MAX_POWER,
        "release": events.release,
        "growth": GROWTH,
        "rate": budget.RATE,
        "least_bias": budget.LEAST_BIAS,
        "most_saved": budget.MOST_SAVED,
        "calibrated": adapting._limits.threshold,
        "median": adapting._median,
        "clip": adapting._clip,
        "relief": adapting._relief,
        "gain": adapting._gain,
        "most": adapting._most,
        "slack": adapting._slack,
        "smallest": adaptive.SMALLEST,
        "most_imputed": adaptive.MOST_IMPUTED,
        "period_s": schema.period_ns / NS_PER_S,
        "largest": resemblance.LARGEST,
        "large": resemblance.LARGE,
        "tiny": resemblance.TINY,
        "least_change": resemblance.LEAST_CHANGE,
        "least_level": resemblance.LEAST_LEVEL,
        "settling": adapting._settling,
        "settling_start": adaptive.SETTLING_START,
        "warmup_rows": limits.warmup_rows,
        "max_gap_ns": schema.max_gap_ns,
        "min_rows": events.min_rows,
        "hold_rows": events.hold_rows,
        "event_rows": budget.EVENT_ROWS,
        "look_back": explainer.LOOK_BACK,
        "shapes": detector.resemblance is not None,
        "leaps": sensors._leaps is not None,
        "dropout_rows": sensors._dropout_rows,
    }


def _numbers_of(stream: Stream) -> NDArray[Any]:
    """The stream's numbers, in one record."""
    memory = np.zeros(1, _MEMORY)
    learned, events, explained = stream._adaptive._memory, stream._events._memory, stream._explainer
    words, shapes = stream._words, stream._explainer._tracker
    numbers = {
        "raw": stream._raw,
        "balance": stream._budget._balance,
        "level": learned.level,
        "pressure": learned.pressure,
        "value": stream._adaptive.value,
        "open_peak": 0.0 if events.open is None else events.open.peak,
        "peak": events.peak,
        "seq": stream._seq,
        "last_ns": _NEVER if stream._timeline.last_ns is None else stream._timeline.last_ns,
        "usable_ns": _NEVER if stream._usable_ns is None else stream._usable_ns,
        "spent_rows": stream._budget._event_rows,
        "learned_rows": learned.rows,
        "open": events.open is not None,
        "start_ns": events.start_ns,
        "above": events.above,
        "below": events.below,
        "reason": words.wake_code(explained._reason),
        "age": explained._age,
        "why": words.wake_code(explained._why),
        "shape_rows": shapes._rows,
        "waiting": shapes._waiting,
    }
    for name, value in numbers.items():
        memory[name] = value
    return memory


def _tops_of(stream: Stream) -> NDArray[np.int32]:
    """Leading channels (2, TOP_CHANNELS) of the last row and of the event's largest one."""
    tops = (stream._top, stream._events._memory.top)
    return np.array([stream._words.top_codes(top) for top in tops], np.int32)


def _defects_of(stream: Stream) -> NDArray[np.int64]:
    """(kinds, 2) whether each kind of defect has an event open, and for how many rows it was not there."""
    trackers = stream._sensors._events.values()
    return np.array([(tracker.is_open, tracker._memory.below) for tracker in trackers], np.int64)


def _put_back(stream: Stream, memory: NDArray[Any], tops: NDArray[np.int32], defects: NDArray[np.int64]) -> None:
    """Give the stream the numbers that the kernel left."""
    names = memory.dtype.names or ()
    left = dict(zip(names, memory[0].item(), strict=True))
    if left["seq"] == stream._seq:
        return
    words, learned, explained = stream._words, stream._adaptive._memory, stream._explainer
    stream._seq, stream._raw, stream._top = left["seq"], left["raw"], words.top(tops[0].tolist())
    stream._usable_ns = None if left["usable_ns"] == _NEVER else left["usable_ns"]
    stream._timeline.skip_to(left["last_ns"])
    stream._budget._balance, stream._budget._event_rows = left["balance"], left["spent_rows"]
    learned.level, learned.pressure, learned.rows = left["level"], left["pressure"], left["learned_rows"]
    stream._adaptive._value = left["value"]
    events = stream._events._memory
    stream._events._memory = EventMemory(
        events.open, left["start_ns"], left["above"], left["below"], left["peak"], words.top(tops[1].tolist())
    )
    explained._reason, explained._age, explained._why = words.wake(left["reason"]), left["age"], words.wake(left["why"])
    explained._tracker._rows, explained._tracker._waiting = left["shape_rows"], left["waiting"]
    sensors = stream._sensors
    sensors._calm = sensors._stuck._moving = False  # they may be calm and moving, and are then found to be
    for tracker, (_, below) in zip(sensors._events.values(), defects.tolist(), strict=True):
        if tracker.is_open:
            tracker._memory = replace(tracker._memory, below=below)


def _columns(block: ScoreBlock, values: F64) -> Arrays:
    """What goes in and comes out of each row."""
    scores = (block.raw, block.score, block.threshold, block.updated, block.wake, block.top)
    return (block.time_ns, values, *scores, block.status, block.alarm, block.in_event, block.missing)
