"""What a stream says of many rows that follow each other, as arrays that C, numpy and writers of files can take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args, overload

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector, scheduler_inputs
from vcedge.runtime.engine.state import WAKE_MEMORY, WAKE_NONE, WAKE_SURPRISE
from vcedge.runtime.stream.events import Event, Top, TopCodes
from vcedge.runtime.stream.score import Score, Status
from vcedge.runtime.stream.state import NO_TOP, NOBODY, TOP_CHANNELS
from vcedge.schema import F64

STATUSES: tuple[Status, ...] = get_args(Status)
WAKE_WORDS = {WAKE_NONE: "", WAKE_SURPRISE: "surprise", WAKE_MEMORY: "memory"}
SHARES = 128
"""A channel and its share in hundredths are one number there: SHARES times the one plus the other."""


COLUMNS = (
    ("raw", np.float64, 1),
    ("score", np.float64, 1),
    ("threshold", np.float64, 1),
    ("updated", np.int32, 1),
    ("wake", np.int32, 1),
    ("top", np.int32, TOP_CHANNELS),
    ("status", np.uint8, 1),
    ("alarm", np.uint8, 1),
    ("in_event", np.uint8, 1),
    ("missing", np.uint8, 0),
)
"""Name, type and items a row of each column of a block; 0: one for each channel. Larger items first, so that all are
aligned."""
ROW_BYTES = sum(np.dtype(kind).itemsize * items for _, kind, items in COLUMNS)


class Words:
    """The names in the scores of one detector, and the numbers that stand for them in blocks."""

    def __init__(self, detector: Detector) -> None:
        self.channels = detector.schema.names
        self.hidden = detector.hidden
        self._channel = {name: index for index, name in enumerate(self.channels)}
        self._inputs = scheduler_inputs(detector.schema, flags=detector.features.flags)
        self._wakes = {word: code for code, word in enumerate(self._inputs)} | {w: c for c, w in WAKE_WORDS.items()}

    def wake(self, code: int) -> str:
        """Why the gate woke, from a value of `State.wake`."""
        return WAKE_WORDS[code] if code < 0 else self._inputs[code]

    def wake_code(self, word: str) -> int:
        """The inverse of `wake`."""
        return self._wakes[word]

    def top(self, codes: Sequence[int]) -> Top:
        """The channels that numbers (TOP_CHANNELS,) stand for."""
        return tuple([(self.channels[code // SHARES], code % SHARES / 100) for code in codes if code >= 0])

    def tops(self, codes: NDArray[np.int32]) -> list[Top]:
        """The channels that numbers (N, TOP_CHANNELS) stand for, row by row: as `top` says, but many times faster."""
        if codes.size and codes.min() < 0:
            return list(map(self.top, codes.tolist()))
        names = [self.channels[channel] for channel in (codes // SHARES).ravel().tolist()]
        pairs = zip(names, (codes % SHARES / 100).ravel().tolist(), strict=True)
        return list(zip(*[pairs] * codes.shape[1], strict=True))

    def top_codes(self, top: Top) -> TopCodes:
        """Return the codes of leading channels: the inverse of `top`."""
        codes = [SHARES * self._channel[name] + round(100 * share) for name, share in top]
        return (*codes, *NO_TOP[len(codes) :])


def leading_channels(contributions: F64, raw: float) -> TopCodes:
    """Return the codes of up to three channels with the largest shares of the statistic, as they are published."""
    if raw <= 0.0:
        return NO_TOP
    values = contributions.tolist()
    order = (-contributions).argsort(kind="stable").tolist()[:TOP_CHANNELS]
    shares = [(i, round(100 * round(values[i] / raw, 2))) for i in order]
    codes = [SHARES * i + share for i, share in shares if share > 0]
    return (*codes, *NO_TOP[len(codes) :])


class ScoreBlock(Sequence[Score]):
    """The scores of N rows that follow each other: the fields of `Score` that vary, as arrays.

    It can be read as a sequence of scores; who can take the arrays is many times faster.
    """

    def __init__(self, words: Words, time_ns: NDArray[np.int64], first_seq: int) -> None:
        rows, channels = len(time_ns), len(words.channels)
        self.words = words
        self.time_ns = time_ns  # (N,)
        self.first_seq = first_seq
        self.columns = np.zeros(rows * (ROW_BYTES + channels), np.uint8)
        """One after the other the arrays below, in their order: what the kernel writes."""
        column: dict[str, NDArray[Any]] = {}
        at = 0
        for name, kind, items in COLUMNS:
            size = rows * np.dtype(kind).itemsize * (items or channels)
            column[name] = self.columns[at : at + size].view(kind)
            at += size
        self.raw: F64 = column["raw"]  # (N,)
        self.score: F64 = column["score"]  # (N,)
        self.threshold: F64 = column["threshold"]  # (N,)
        self.updated: NDArray[np.int32] = column["updated"]  # (N,)
        self.wake: NDArray[np.int32] = column["wake"]  # (N,) as `State.wake`
        self.top: NDArray[np.int32] = column["top"].reshape(rows, TOP_CHANNELS)
        self.status: NDArray[np.uint8] = column["status"]  # (N,) index into STATUSES
        self.alarm: NDArray[np.uint8] = column["alarm"]  # (N,)
        self.in_event: NDArray[np.uint8] = column["in_event"]  # (N,) whether an anomaly event is open after the row
        self.missing: NDArray[np.uint8] = column["missing"].reshape(rows, channels)
        self.top[:] = NOBODY
        self.events: dict[int, tuple[Event, ...]] = {}
        """Of the rows that have some."""

    def __len__(self) -> int:
        return len(self.time_ns)

    def put(self, row: int, score: Score, *, in_event: bool) -> None:
        """Set the score of one row."""
        self.raw[row], self.score[row], self.threshold[row] = score.raw, score.score, score.threshold
        self.updated[row], self.wake[row] = score.updated, self.words.wake_code(score.wake)
        self.top[row] = self.words.top_codes(score.top)
        self.status[row], self.alarm[row], self.in_event[row] = STATUSES.index(score.status), score.alarm, in_event
        self.missing[row] = [name in score.missing for name in self.words.channels] if score.missing else 0
        if score.events:
            self.events[row] = score.events

    def at(self, row: int) -> Score:
        """The score of one row."""
        missing = self.missing[row]
        return Score(
            time_ns=int(self.time_ns[row]),
            seq=self.first_seq + row,
            raw=float(self.raw[row]),
            score=float(self.score[row]),
            alarm=bool(self.alarm[row]),
            threshold=float(self.threshold[row]),
            updated=int(self.updated[row]),
            hidden=self.words.hidden,
            status=STATUSES[self.status[row]],
            top=self.words.top(self.top[row].tolist()),
            wake=self.words.wake(int(self.wake[row])),
            missing=tuple([self.words.channels[i] for i in np.flatnonzero(missing)]) if missing.any() else (),
            events=self.events.get(row, ()),
        )

    def __iter__(self) -> Iterator[Score]:
        return map(self.at, range(len(self)))

    @overload
    def __getitem__(self, row: int) -> Score: ...

    @overload
    def __getitem__(self, row: slice) -> Sequence[Score]: ...

    def __getitem__(self, row: int | slice) -> Score | Sequence[Score]:
        rows = range(len(self))[row]
        return self.at(rows) if isinstance(rows, int) else [self.at(each) for each in rows]


def updated_of(scores: Sequence[Score]) -> int:
    """Hidden dimensions updated, over all rows."""
    if type(scores) is ScoreBlock:
        return int(scores.updated.sum())
    return sum([score.updated for score in scores])


def events_of(scores: Sequence[Score]) -> dict[int, tuple[Event, ...]]:
    """The events of the rows that have some."""
    if type(scores) is ScoreBlock:
        return scores.events
    return {row: score.events for row, score in enumerate(scores) if score.events}
