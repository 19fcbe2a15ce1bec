"""A detector beside the truth: recordings scored as the service would, and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcedge.errors import DataError
from vcedge.evaluation.measure import Judged
from vcedge.evaluation.metrics import dominant_period
from vcedge.history import RowReader
from vcedge.runtime.stream.score import UNJUDGED
from vcedge.runtime.stream.stream import Score, Stream
from vcedge.schema import Sample

Progress = Callable[[int], None]
"""Told how many rows are done."""


def judge_recording(
    stream: Stream,
    reader: RowReader,
    labels: NDArray[np.bool_],
    path: Path,
    skip_rows: int = 0,
    window: int | None = None,
    progress: Progress = lambda rows: None,
) -> Judged:
    """Push every row of one recording through a fresh stream, and put the answers beside the truth (N,).

    The first `skip_rows` are scored but not counted: those a model was calibrated on. `window` is the widest buffer of
    VUS-PR, the dominant period of the first channel where absent. Raises DataError where no row is left.
    """
    rows = _Rows()
    signal: list[float] = []
    for block in reader:
        for time_ns, values in zip(block.time_ns.tolist(), block.values, strict=True):
            rows.add(stream.push(Sample(time_ns, values)))
        signal += block.values[:, 0].tolist()
        progress(len(signal))
    if len(signal) != len(labels):
        raise DataError(f"{path}: {len(signal)} rows, but {len(labels)} labels")
    if len(signal) <= skip_rows:
        raise DataError(f"{path}: {len(signal)} rows, expected more than the {skip_rows} that are left out")
    buffer = dominant_period(signal[skip_rows:]) if window is None else window
    return rows.finish(labels, skip_rows, stream.detector.schema.period_ns, buffer)


class _Rows:
    """Collects scores one by one."""

    def __init__(self) -> None:
        self._raw: list[float] = []
        self._alarm: list[bool] = []
        self._share: list[float] = []
        self._judged: list[bool] = []
        self._time_ns: list[int] = []
        self._marks: list[tuple[int, bool]] = []
        """Rows at which an event began or ended, and which of both."""

    def add(self, score: Score) -> None:
        row = len(self._raw)
        self._raw.append(score.raw)
        self._alarm.append(score.alarm)
        self._share.append(score.updated / score.hidden if score.hidden else np.nan)
        self._judged.append(score.status not in UNJUDGED)
        self._time_ns.append(score.time_ns)
        for event in score.events:
            if event.kind == "anomaly" and event.type != "update":
                self._marks.append((row, event.type == "new"))

    def finish(self, labels: NDArray[np.bool_], skip_rows: int, period_ns: int, window: int) -> Judged:
        count = len(self._raw)
        kept = slice(skip_rows, count)
        found = ((max(a, skip_rows) - skip_rows, b - skip_rows) for a, b in self._events(count) if b > skip_rows)
        return Judged(
            raw=np.array(self._raw)[kept],
            alarm=np.array(self._alarm, bool)[kept],
            labels=labels[kept],
            alarms=list(found),
            share=np.array(self._share)[kept],
            judged=np.array(self._judged, bool)[kept],
            time_ns=np.array(self._time_ns, np.int64)[kept],
            period_ns=period_ns,
            window=window,
        )

    def _events(self, count: int) -> Iterator[tuple[int, int]]:
        """[first row, row after the last) of each event; one that is still open lasts to the end."""
        begun: int | None = None
        for row, begins in self._marks:
            if begins:
                begun = row
            elif begun is not None:
                yield begun, max(row, begun + 1)
                begun = None
        if begun is not None:
            yield begun, count
