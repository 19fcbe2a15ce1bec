"""The scores of consecutive rows as arrays, for the kernel, numpy and writers of files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args, overload

import numpy as np
from numpy.typing import NDArray

from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.score import Score, Status
from vcedge.runtime.stream.score_names import ScoreNames
from vcedge.runtime.stream.state import NOBODY, TOP_CHANNELS
from vcedge.schema import F64

STATUSES: tuple[Status, ...] = get_args(Status)
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
"""Name, type and items a row of each column of a block, 0: one for each channel. Larger types come first, so that all
are aligned."""
ROW_BYTES = sum(np.dtype(kind).itemsize * items for _, kind, items in COLUMNS)


class ScoreBlock(Sequence[Score]):
    """Holds the scores of N consecutive rows: the fields of `Score` that vary, as arrays.

    It is also a sequence of `Score`; reading the arrays is many times faster.
    """

    def __init__(self, names: ScoreNames, time_ns: NDArray[np.int64], first_seq: int) -> None:
        rows, channels = len(time_ns), len(names.channels)
        self.names = names
        self.time_ns = time_ns  # (N,)
        self.first_seq = first_seq
        self.columns = np.zeros(rows * (ROW_BYTES + channels), np.uint8)
        """The arrays below, one after the other, as the kernel writes them."""
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
        """Events by row, for rows that have some."""

    def __len__(self) -> int:
        return len(self.time_ns)

    def set(self, row: int, score: Score, *, in_event: bool) -> None:
        """Set the score of one row."""
        self.raw[row], self.score[row], self.threshold[row] = score.raw, score.score, score.threshold
        self.updated[row], self.wake[row] = score.updated, self.names.wake_code(score.wake)
        self.top[row] = self.names.top_codes(score.top)
        self.status[row], self.alarm[row], self.in_event[row] = STATUSES.index(score.status), score.alarm, in_event
        self.missing[row] = [name in score.missing for name in self.names.channels] if score.missing else 0
        if score.events:
            self.events[row] = score.events

    def at(self, row: int) -> Score:
        """Return the score of one row."""
        missing = self.missing[row]
        return Score(
            time_ns=int(self.time_ns[row]),
            seq=self.first_seq + row,
            raw=float(self.raw[row]),
            score=float(self.score[row]),
            alarm=bool(self.alarm[row]),
            threshold=float(self.threshold[row]),
            updated=int(self.updated[row]),
            hidden=self.names.hidden,
            status=STATUSES[self.status[row]],
            top=self.names.top(self.top[row].tolist()),
            wake=self.names.wake(int(self.wake[row])),
            missing=tuple([self.names.channels[i] for i in np.flatnonzero(missing)]) if missing.any() else (),
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
    """Return the sum of updated hidden dimensions over all rows."""
    if type(scores) is ScoreBlock:
        return int(scores.updated.sum())
    return sum([score.updated for score in scores])


def events_of(scores: Sequence[Score]) -> dict[int, tuple[Event, ...]]:
    """Return events by row, for rows that have some."""
    if type(scores) is ScoreBlock:
        return scores.events
    return {row: score.events for row, score in enumerate(scores) if score.events}
