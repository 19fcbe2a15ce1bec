"""Reads the rows of history files in file order and in constant memory: for scoring, replaying and loading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from vcedge.config.train import ReadingConfig
from vcedge.history.columns import TimeColumn, column_index
from vcedge.history.open import InputFiles
from vcedge.history.recording import NO_TIME, RowBlock
from vcedge.history.report import ChannelReport, DataReport, FileReport
from vcedge.history.table import Chunk, TableFile
from vcedge.history.times import Times
from vcedge.schema import NS_PER_S, SensorSchema


def open_rows(
    paths: Sequence[Path], schema: SensorSchema, reading: ReadingConfig, extra_columns: Sequence[str] = ()
) -> RowReader:
    """Open files to read their rows one file after the other, each in its own order.

    Every row of a file becomes a row of a block. A defective row, one with too many cells, has all values missing and
    no time.

    Args:
        paths: at least one file.
        schema: the channels to read, as columns (C) of the blocks.
        reading: time and table settings.
        extra_columns: further columns to read, such as labels; not counted in the report.

    Raises:
        InputNotFound: a file does not exist.
        DataError: a file holds no table or lacks a column: at once for the first file, while reading for the others.
    """
    return RowReader(InputFiles(paths, reading), schema, extra_columns)


class RowReader:
    """Iterates over the blocks of some files; `report` counts the rows read so far, from 0 in each iteration."""

    def __init__(
        self,
        files: InputFiles,
        schema: SensorSchema,
        extra_columns: Sequence[str] = (),
        *,
        observe: bool = True,
        limit_rows: int | None = None,
    ) -> None:
        """Check the columns of the first file. See open_rows.

        With `observe` missing values are counted here, otherwise by the caller. With `limit_rows` reading ends after so
        many rows of all files, and the report covers only these.
        """
        self._files, self._schema = files, schema
        self._extra = tuple(extra_columns)
        self._observe, self._limit_rows = observe, limit_rows
        self.has_time = files.has_time
        self._columns_of(files.first.table)
        self.report = self._new_report()

    def __iter__(self) -> Iterator[RowBlock]:
        """Yield blocks of at most some thousand rows. Rows of files without a time column are equally spaced.

        Such rows begin at 1970; those of the next file follow after a gap that cuts the stream.
        """
        self.report = self._new_report()
        start_ns = 0
        for path in self._files.paths:
            file = FileReport(str(path))
            self.report.files.append(file)
            yield from self._read(path, file, start_ns)
            if self._left() == 0:
                return
            if not self.has_time:
                start_ns += file.rows * self._schema.period_ns + self._schema.max_gap_ns

    def _read(self, path: Path, file: FileReport, start_ns: int) -> Iterator[RowBlock]:
        table, time = self._files.open(path)
        channels = len(self._schema.names)
        on_text = partial(self._on_text, table)
        for chunk in table.chunks(self._columns_of(table), time.columns if time else (), on_text):
            chunk = _first_rows(chunk, self._left())
            times = self._times(chunk, time, file, start_ns)
            self._count(chunk, times, file)
            if self._observe:
                self.report.observe(self._schema.names, chunk.numbers[:, :channels])
            extra = {name: chunk.numbers[:, channels + i] for i, name in enumerate(self._extra)}
            yield RowBlock(times, chunk.numbers[:, :channels], extra)
            if self._left() == 0:
                return

    def _left(self) -> int | None:
        """Return how many rows the limit still allows; None without one."""
        return None if self._limit_rows is None else self._limit_rows - self.report.rows

    def _columns_of(self, table: TableFile) -> list[int]:
        return [column_index(table, name) for name in (*self._schema.names, *self._extra)]

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

    def _on_text(self, table: TableFile, column: int, text: str) -> None:
        channel = self.report.channels.get(table.columns[column])
        if channel is not None:
            channel.add_text(text)

    def _new_report(self) -> DataReport:
        report = DataReport(has_time=self.has_time, period_s=self._schema.period_ns / NS_PER_S)
        report.channels = {name: ChannelReport() for name in self._schema.names}
        return report


def _first_rows(chunk: Chunk, count: int | None) -> Chunk:
    """Return the first rows of a chunk. All its short rows stay counted: their positions are not known."""
    if count is None or count >= len(chunk.numbers):
        return chunk
    defective = None if chunk.defective is None else chunk.defective[:count]
    texts = tuple(cells[:count] for cells in chunk.texts)
    return replace(chunk, numbers=chunk.numbers[:count], texts=texts, defective=defective)
