"""Reads delimited text files, gzipped or not, in constant memory and without pandas.

The fast path reads a block of clean lines by numpy's C reader in one call. A block that it refuses (an empty cell, a
text among numbers, a ragged row) takes the slow path, the csv module and column by column, with the same result.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.config.train import TableConfig
from vcedge.errors import DataError
from vcedge.history.dialect import IsTime, dialect_of, guess_dialect, split_lines
from vcedge.history.lines import read_blocks, read_head, read_lines
from vcedge.history.numbers import drop_infinite, floats_of
from vcedge.history.table import Chunk, OnColumnText
from vcedge.schema import F64

_CELL = 40  # bytes kept of a text cell on the fast path
_BLOCK_CELLS = 70_000  # cells in a block of lines: some megabytes of text
_BATCH = 256  # rows split at a time on the slow path: more would not fit into the CPU's cache
_SEPARATOR = re.compile(r'"?sep=(?P<delimiter>.)"?\s*', re.IGNORECASE)  # states the delimiter to Excel
_UNNAMED = re.compile(r"Unnamed: \d+|__index_level_\d+__|")


class TextTable:
    """Reads a delimited text file, with a dialect guessed from the first megabyte unless configured."""

    by_name_only: frozenset[int] = frozenset()

    def __init__(self, path: Path, config: TableConfig, is_time: IsTime) -> None:
        """Raise DataError if the file is no table or has no rows, InputNotFound if it cannot be read."""
        self.path = path
        self._skip = config.skip_rows
        lines = (read_lines if config.transpose else read_head)(path, self._skip)
        stated = _SEPARATOR.fullmatch(lines[0]) if lines else None
        if stated:
            self._skip += 1
            lines = lines[1:]
            config = config.model_copy(update={"delimiter": config.delimiter or stated["delimiter"]})
        try:
            dialect = guess_dialect(lines, config, is_time)
            rows = split_lines(lines, dialect.delimiter)
        except csv.Error as error:
            raise DataError(f"{path}: cannot be read as a table: {error}") from None
        if config.transpose:
            rows = [list(row) for row in zip_longest(*rows, fillvalue="")]
            dialect = dialect_of(rows, dialect.delimiter, config, is_time)
        if len(rows) <= dialect.header:
            raise DataError(f"{path}: has {'a heading but no rows' if rows else 'no rows'}, expected a table")
        heading = rows.pop(0) if dialect.header else []
        if dialect.header and len(heading) + 1 == dialect.width and dialect.delimiter in {None, "\t"}:
            heading = ["", *heading]  # R omits the heading of the row names
        self._header = dialect.header
        self._delimiter = dialect.delimiter
        self._width = max(dialect.width, len(heading))
        self._transposed = rows if config.transpose else None
        self._first_rows = rows
        self.columns = _unique(heading, self._width)
        self.unnamed = frozenset(j for j, name in enumerate(heading) if _UNNAMED.fullmatch(name))
        self.decimal = dialect.decimal

    def sample(self) -> list[list[str]]:
        """Return the rows of the file's first megabyte, by column."""
        columns, _, _ = _by_column(self._first_rows, self._width)
        return [list(column) for column in columns]

    def chunks(self, numbers: Sequence[int], texts: Sequence[int], on_text: OnColumnText) -> Iterator[Chunk]:
        """Yield all rows, up to some thousand at a time. See TableFile."""
        if self._transposed is not None:
            yield self._slow(iter(self._transposed), numbers, texts, on_text)
            return
        self._first_rows = self._first_rows[:100]
        formats = ["S1"] * self._width
        for j in numbers:
            formats[j] = "f8"
        for j in texts:
            formats[j] = f"S{_CELL}"
        dtype = np.dtype({"names": [f"c{j}" for j in range(self._width)], "formats": formats})
        plain = self.decimal == "." and not set(numbers) & set(texts)
        heading = self._header
        size = min(max(_BLOCK_CELLS // self._width, _BATCH), 8192)
        for block in read_blocks(self.path, self._skip, size):
            lines = _without_heading(block) if heading else block
            heading = False
            if lines:
                rows = self._fast(lines, dtype) if plain else None
                if rows is not None:
                    yield _chunk_of(rows, numbers, texts, on_text)
                else:
                    yield self._slow(self._split(lines), numbers, texts, on_text)

    def _fast(self, lines: list[str], dtype: np.dtype[Any]) -> NDArray[Any] | None:
        """Return the rows as a structured array, or None if a cell is not of its column's type."""
        try:
            rows = np.loadtxt(
                lines, dtype, comments=None, delimiter=self._delimiter, quotechar='"', encoding=None, ndmin=1
            )
        except ValueError:
            return None
        for name in dtype.names or ():
            if dtype[name].itemsize == _CELL:
                cells = np.ascontiguousarray(rows[name]).view(np.uint8).reshape(len(rows), -1)
                if cells[:, -1].any():
                    return None  # the cell may be longer than _CELL and cut
        return rows

    def _split(self, lines: list[str]) -> Iterator[list[str]]:
        if self._delimiter is None:
            yield from (cells for cells in map(str.split, lines) if cells)
            return
        rows = csv.reader(lines, delimiter=self._delimiter, skipinitialspace=self._delimiter != "\t")
        try:
            yield from (row for row in rows if row)
        except csv.Error as error:
            raise DataError(f"{self.path}: cannot be read as a table: {error}") from None

    def _slow(
        self, rows: Iterator[list[str]], numbers: Sequence[int], texts: Sequence[int], on_text: OnColumnText
    ) -> Chunk:
        """Convert rows of cells column by column; a cell that is no number is missing and reported to `on_text`."""
        values: list[F64] = [np.empty((0, len(numbers)))]
        kept: list[list[str]] = [[] for _ in texts]
        defective: list[NDArray[np.bool_]] = [np.empty(0, np.bool_)]
        short = 0
        while batch := list(islice(rows, _BATCH)):
            columns, bad, lacking = _by_column(batch, self._width)
            block = np.empty((len(batch), len(numbers)))
            for i, j in enumerate(numbers):
                block[:, i] = floats_of(columns[j], self.decimal, partial(on_text, j))
            values.append(block)
            defective.append(bad)
            short += lacking
            for i, j in enumerate(texts):
                kept[i].extend(columns[j])
        return Chunk(np.concatenate(values), tuple(kept), np.concatenate(defective), short)


def _chunk_of(rows: NDArray[Any], numbers: Sequence[int], texts: Sequence[int], on_text: OnColumnText) -> Chunk:
    values = np.empty((len(rows), len(numbers)))
    for i, j in enumerate(numbers):
        values[:, i] = rows[f"c{j}"]
    drop_infinite(values, lambda i, text: on_text(numbers[i], text))
    return Chunk(values, tuple(np.ascontiguousarray(rows[f"c{j}"]) for j in texts))


def _by_column(rows: Sequence[list[str]], width: int) -> tuple[list[tuple[str, ...]], NDArray[np.bool_], int]:
    """Return the cells by column, the mask of rows with too many cells (all emptied), and the number of short rows.

    Empty cells beyond the last column are not counted: some programs end each row with a delimiter.
    """
    defective = np.zeros(len(rows), np.bool_)
    short = 0
    if set(map(len, rows)) != {width}:
        even = []
        for i, row in enumerate(rows):
            defective[i] = any(cell.strip() for cell in row[width:])
            short += len(row) < width
            cells = [] if defective[i] else row[:width]
            even.append(cells + [""] * (width - len(cells)))
        rows = even
    return list(zip(*rows, strict=True)) if rows else [()] * width, defective, short


def _without_heading(lines: list[str]) -> list[str]:
    """Return the lines below the first row, which may contain quoted line breaks."""
    quotes = lines[0].count('"')
    stop = 1
    while quotes % 2 and stop < len(lines):
        quotes += lines[stop].count('"')
        stop += 1
    return lines[stop:]


def _unique(heading: Sequence[str], width: int) -> tuple[str, ...]:
    """Return unique column names: those of the heading, or ch0, ch1, ... without one."""
    names: list[str] = []
    for j in range(width):
        own = " ".join(heading[j].splitlines()) if j < len(heading) else ""
        name = own or (f"column{j}" if heading else f"ch{j}")
        unique, count = name, 0
        while unique in names:
            count += 1
            unique = f"{name}.{count}"
        names.append(unique)
    return tuple(names)
