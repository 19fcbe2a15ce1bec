"""Replays recordings through a stream, as the service would score them, and pairs the scores with labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcedge.errors import DataError
from vcedge.evaluation.measure import LabelledScores
from vcedge.evaluation.metrics import Intervals
from vcedge.evaluation.vus import dominant_period
from vcedge.history import RowBlock, RowReader
from vcedge.limits import EventRule
from vcedge.runtime.recordings.score_recording import score_blocks
from vcedge.runtime.stream.events import Event, EventKind, track_events
from vcedge.runtime.stream.score import UNJUDGED
from vcedge.runtime.stream.score_block import STATUSES, ScoreBlock
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64

ELIGIBLE = np.array([status not in UNJUDGED for status in STATUSES])
"""True for each of STATUSES with which a row can raise an alarm."""


@dataclass(frozen=True)
class Replay:
    """Holds what a stream computed for the N rows of a recording."""

    time_ns: NDArray[np.int64]  # (N,)
    raw: F64  # (N,) the statistic
    alarm: NDArray[np.bool_]  # (N,)
    share: F64  # (N,) share of the hidden dimensions that was updated; NaN without a network
    status: NDArray[np.uint8]  # (N,) index into STATUSES
    missing: NDArray[np.int64]  # (N,) number of missing channels
    alarms: Intervals
    """Rows [first, after the last) of each anomaly event; one that is still open lasts to the end."""
    ranges: Intervals = ()
    """Likewise of each range event."""

    @property
    def eligible(self) -> NDArray[np.bool_]:
        """Rows (N,) that could raise an alarm."""
        return np.asarray(ELIGIBLE[self.status])


def replay(stream: Stream, blocks: Iterable[RowBlock]) -> Replay:
    """Push the rows of a recording through a fresh stream."""
    hidden, channels = stream.detector.hidden, stream.detector.channels
    # The empty block gives the arrays of a recording without rows their types.
    scored = [stream.push_block(np.zeros(0, np.int64), np.zeros((0, channels))), *score_blocks(stream, blocks)]
    time_ns, raw, alarm, updated, status, missing = (
        np.concatenate(parts)
        for parts in zip(*((b.time_ns, b.raw, b.alarm, b.updated, b.status, b.missing) for b in scored), strict=True)
    )
    return Replay(
        time_ns=time_ns,
        raw=raw,
        alarm=alarm.astype(bool),
        share=updated / hidden if hidden else np.full(len(raw), np.nan),
        status=status,
        missing=missing.sum(axis=1),
        alarms=spans_of(_events(scored, "anomaly"), len(raw)),
        ranges=spans_of(_events(scored, "range"), len(raw)),
    )


def _events(scored: Iterable[ScoreBlock], kind: EventKind) -> Iterator[tuple[int, Event]]:
    """Yield the row of each event of a kind and the event."""
    start = 0
    for block in scored:
        for row, events in sorted(block.events.items()):
            yield from ((start + row, event) for event in events if event.kind == kind)
        start += len(block)


def spans_of(events: Iterable[tuple[int, Event]], rows: int) -> list[tuple[int, int]]:
    """Return rows [first, after the last) of each event, from the rows at which events were reported, in order."""
    spans: list[tuple[int, int]] = []
    for row, event in events:
        if event.type == "new":
            spans.append((row, rows))
        elif event.type == "end":
            spans[-1] = (spans[-1][0], row)
    return spans


def alarm_spans(raw: F64, eligible: NDArray[np.bool_], threshold: float, rule: EventRule) -> list[tuple[int, int]]:
    """Return rows [first, after the last) of each event that a stream would report at a fixed threshold.

    Args:
        raw: the statistic (N,).
        eligible: rows (N,) at which an event may open.
        threshold: threshold of the statistic.
        rule: how rows above the threshold become events.
    """
    return spans_of(track_events(raw.tolist(), threshold, rule, eligible.tolist()), len(raw))


def score_labelled(
    stream: Stream,
    reader: RowReader,
    labels: NDArray[np.bool_],
    *,
    skip_rows: int = 0,
    window: int | None = None,
    progress: Callable[[int], None] = lambda rows: None,
) -> LabelledScores:
    """Replay one file through a fresh stream and put the scores beside its labels.

    Args:
        stream: a fresh stream.
        reader: the rows of the file.
        labels: one label (N,) for each row of the file.
        skip_rows: first rows that are scored but not measured, such as those the model was calibrated on.
        window: widest buffer of VUS-PR in rows; None for the dominant period of the first channel.
        progress: called with the number of rows that are done.

    Raises:
        DataError: labels of another number than rows, or no row left to measure.
    """
    signal: list[F64] = [np.zeros(0)]

    def blocks() -> Iterator[RowBlock]:
        rows = 0
        for block in reader:
            yield block
            signal.append(block.values[:, 0])
            rows += len(block.time_ns)
            progress(rows)

    found = replay(stream, blocks())
    rows = len(found.raw)
    if rows != len(labels):
        raise DataError(f"{reader.report.files[-1].name}: {rows} rows, but {len(labels)} labels")
    if rows <= skip_rows:
        raise DataError(
            f"{reader.report.files[-1].name}: {rows} rows, expected more than the {skip_rows} that are left out"
        )
    return LabelledScores(
        raw=found.raw[skip_rows:],
        alarm=found.alarm[skip_rows:],
        labels=labels[skip_rows:],
        alarms=[(max(a - skip_rows, 0), b - skip_rows) for a, b in found.alarms if b > skip_rows],
        share=found.share[skip_rows:],
        eligible=found.eligible[skip_rows:],
        time_ns=found.time_ns[skip_rows:],
        period_ns=stream.detector.schema.period_ns,
        window=dominant_period(np.concatenate(signal)[skip_rows:]) if window is None else window,
    )
