"""Selects normal stretches of the held-out tail to inject faults into, with the stream's state just before them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.trace import TracedRows
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64

LEAD_ROWS = 1000
"""Most rows that the stream scores before a stretch, so that the state is that of long operation."""
CHUNK = 64
"""Rows that are scored at once: the search for the first event ends with the chunk that holds it."""


@dataclass(frozen=True)
class Place:
    """Holds a stretch of normal rows that raises no event by itself."""

    first: int
    before: F64  # (L, C) the rows before it, as many as it is long where the recording holds them
    rows: F64  # (L, C) the stretch
    snapshot: bytes  # of the stream just before it

    def rows_until_event(self, stream: Stream, values: F64) -> int | None:
        """Return the row on which a stream opens an event, of any kind, if `values` (K, C) replace the stretch."""
        stream.restore(self.snapshot)
        return _first_event(stream, values, self.first)


def find_places(stream: Stream, rows: TracedRows, length: int, count: int) -> tuple[Place, ...]:
    """Return up to `count` stretches of the tail, evenly spread; they may overlap.

    In each of its `length` rows there is no gap, the detector is past its warm-up, and no event opens or is open.
    """
    fresh = stream.snapshot()
    calm = _calm(stream, rows, fresh)
    restless = np.concatenate(([0], np.cumsum(~calm)))
    firsts = np.flatnonzero(restless[length:] == restless[:-length]) if len(calm) >= length else np.empty(0, int)
    chosen = firsts[np.unique(np.linspace(0, len(firsts) - 1, min(count, len(firsts))).round().astype(int))]
    places = [_place(stream, rows, fresh, int(start), length) for start in chosen]
    quiet = tuple(place for place in places if place.rows_until_event(stream, place.rows) is None)
    stream.restore(fresh)
    return quiet


def _calm(stream: Stream, rows: TracedRows, fresh: bytes) -> NDArray[np.bool_]:
    """Return for each of all rows (N,) whether it is in the tail, after the warm-up, and in no event.

    The first row after a gap counts as in no stretch, so that none has a gap within.
    """
    calm = np.zeros(len(rows.values), bool)
    settled = rows.tail.rows[rows.tail.since >= max(stream.detector.calibration.warmup_rows, 1)]
    calm[settled] = True
    for start, stop in rows.split.tail:
        stream.restore(fresh)
        _lead(stream, rows, start)
        block = stream.push_block(_times(stream, start, stop), rows.values[start:stop])
        calm[start:stop] &= block.in_event == 0
        calm[[start + row for row in block.events]] = False
    return calm


def _place(stream: Stream, rows: TracedRows, fresh: bytes, start: int, length: int) -> Place:
    stream.restore(fresh)
    _lead(stream, rows, start)
    values = rows.values
    return Place(start, values[max(0, start - length) : start], values[start : start + length], stream.snapshot())


def _lead(stream: Stream, rows: TracedRows, start: int) -> None:
    """Score the rows before `start`, from the sequence's first row or LEAD_ROWS before."""
    sequence = max((first for first in rows.split.starts if first <= start), default=0)
    first = max(sequence, start - LEAD_ROWS)
    stream.push_block(_times(stream, first, start), rows.values[first:start])


def _first_event(stream: Stream, values: F64, first: int) -> int | None:
    for chunk in range(0, len(values), CHUNK):
        part = values[chunk : chunk + CHUNK]
        block = stream.push_block(_times(stream, first + chunk, first + chunk + len(part)), part)
        opened = [row for row, events in block.events.items() if any(event.type == "new" for event in events)]
        if opened:
            return chunk + min(opened)
    return None


def _times(stream: Stream, first: int, stop: int) -> NDArray[np.int64]:
    return np.arange(first, stop, dtype=np.int64) * stream.detector.schema.period_ns
