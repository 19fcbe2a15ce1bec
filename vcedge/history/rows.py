"""Rows of history files, in file order and in constant memory: for scoring, replaying, and loading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from vcedge.config.train import TableConfig, TimeConfig
from vcedge.errors import DataError, InputNotFound
from vcedge.history.columns import TimeColumn, column_index, find_time, time_checker
from vcedge.history.recording import NO_TIME, Block
from vcedge.history.report import ChannelReport, DataReport, FileReport
from vcedge.history.table import Chunk, Table, open_table
from vcedge.history.times import Times
from vcedge.schema import SensorSchema


def open_rows(
    paths: Sequence[Path],
    schema: SensorSchema,
    time: TimeConfig,
    table: TableConfig,
    extra_columns: Sequence[str] = (),
) -> RowReader:
    """The rows of some files, one after the other, each file in its own order.

    Every row of a file is a row of a block, whatever is wrong with it: one with too many cells is all missing
    and without a time. Raises InputNotFound for a file that is not there, DataError for one that is no table
    or lacks a column, the first file's at once and the others' when reading comes to them.
    """
    return RowReader(paths, schema, time, table, extra_columns)


class RowReader:
    """Iterates over the blocks of some files; `report` counts what was met so far, anew each time."""

    def __init__(
        self,
        paths: Sequence[Path],
        schema: SensorSchema,
        time: TimeConfig,
        table: TableConfig,
        extra_columns: Sequence[str] = (),
        *,
        observe: bool = True,
        limit_rows: int | None = None,
    ) -> None:
        """See open_rows. `observe` says whether missing values are counted here or by the caller.

        With `limit_rows` reading ends after so many rows of all files, and the report is of those alone.
        """
        for path in paths:
            if not path.exists():
                raise InputNotFound(f"{path}: no such file")
        self._paths = tuple(paths)
        self._schema = schema
        self._time = time
        self._table = table
        self._extra = tuple(extra_columns)
        self._observe = observe
        self._limit_rows = limit_rows
        self._first = self._open(paths[0]) if paths else None
        self.has_time = self._first is not None and self._first[1] is not None
        self.report = self._new_report()

    def __iter__(self) -> Iterator[Block]:
        """Blocks of some thousand rows at most; where files have no time, rows are equally spaced.

        Such rows start at 1970; those of a next file follow after a gap that cuts the stream.
        """
        self.report = self._new_report()
        start_ns = 0
        for path in self._paths:
            file = FileReport(str(path))
            self.report.files.append(file)
            yield from self._read(path, file, start_ns)
            if self._left() == 0:
                return
            if not self.has_time:
                start_ns += file.rows * self._schema.period_ns + self._schema.max_gap_ns

    def _read(self, path: Path, file: FileReport, start_ns: int) -> Iterator[Block]:
        table, time = self._first or self._open(path)
        self._first = None
        if (time is not None) != self.has_time:
            raise DataError(f"{path}: has {'a' if time else 'no'} time column, unlike {self._paths[0]}")
        names = (*self._schema.names, *self._extra)
        columns = [column_index(table, name) for name in names]
        channels = len(self._schema.names)
        on_text = partial(self._on_text, table)
        for chunk in table.chunks(columns, time.columns if time else (), on_text):
            chunk = _first_rows(chunk, self._left())
            times = self._times(chunk, time, file, start_ns)
            self._count(chunk, times, file)
            if self._observe:
                self.report.observe(self._schema.names, chunk.numbers[:, :channels])
            extra = {name: chunk.numbers[:, channels + i] for i, name in enumerate(self._extra)}
            yield Block(times, chunk.numbers[:, :channels], extra)
            if self._left() == 0:
                return

    def _left(self) -> int | None:
        """How many rows the limit still allows; None without one."""
        return None if self._limit_rows is None else self._limit_rows - self.report.rows

    def _open(self, path: Path) -> tuple[Table, TimeColumn | None]:
        table = open_table(path, self._table, time_checker(self._time))
        time = find_time(table, self._time)
        for name in (*self._schema.names, *self._extra):
            column_index(table, name)
        return table, time

    def _times(self, chunk: Chunk, time: TimeColumn | None, file: FileReport, start_ns: int) -> Times:
        rows = len(chunk.numbers)
        if time is None:
            return start_ns + (file.rows + np.arange(rows, dtype=np.int64)) * self._schema.period_ns
        times = time.read(chunk.texts)
        if chunk.defective is not None:
            times[chunk.defective] = NO_TIME
        return times

    def _count(self, chunk: Chunk, times: Times, file: FileReport) -> None:
        long = int(chunk.defective.sum()) if chunk.defective is not None else 0
        readable = times[times != NO_TIME]
        self.report.rows += len(times)
        self.report.short_rows += chunk.short
        self.report.long_rows += long
        self.report.unreadable_times += len(times) - len(readable) - (long if self.has_time else 0)
        file.rows += len(times)
        if len(readable):
            before = readable[0] if file.latest_ns is None else file.latest_ns
            file.unsorted += int((np.diff(readable, prepend=before) < 0).sum())
            file.latest_ns = int(readable[-1])
            first, last = int(readable.min()), int(readable.max())
            file.first_ns = first if file.first_ns is None else min(file.first_ns, first)
            file.last_ns = last if file.last_ns is None else max(file.last_ns, last)

    def _on_text(self, table: Table, column: int, text: str) -> None:
        channel = self.report.channels.get(table.columns[column])
        if channel is not None:
            channel.add_text(text)

    def _new_report(self) -> DataReport:
        report = DataReport(has_time=self.has_time, period_s=self._schema.period_ns / 1e9)
        report.channels = {name: ChannelReport() for name in self._schema.names}
        return report


def _first_rows(chunk: Chunk, count: int | None) -> Chunk:
    """The first rows of a chunk. Its short rows are counted in whole: which they are is not known."""
    if count is None or count >= len(chunk.numbers):
        return chunk
    defective = None if chunk.defective is None else chunk.defective[:count]
    texts = tuple(cells[:count] for cells in chunk.texts)
    return replace(chunk, numbers=chunk.numbers[:count], texts=texts, defective=defective)
