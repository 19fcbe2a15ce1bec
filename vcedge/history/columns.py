"""Finds the column of times and the channels of a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

import numpy as np

from vcedge.config.train import TimeConfig
from vcedge.errors import ConfigError, DataError
from vcedge.history.numbers import MISSING, numeric_share
from vcedge.history.recording import NO_TIME
from vcedge.history.table import TableFile
from vcedge.history.times import EPOCH_UNITS_NS, Cells, EpochTimes, TextTimes, TimeReader, Times, TypedTimes
from vcedge.schema import NS_PER_S
from vcedge.wording import clipped

TIME_NAMES = ("time", "timestamp", "datetime", "ts", "date")
NO_COLUMN = "none"
"""Value of `time.column` for a file without times, whatever the names of its columns."""
_SAMPLE_CELLS = 1000
_CALENDAR = re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\d{2}){0,3}")
_SPELLINGS = 'neither ISO 8601 nor an epoch number; set data.time.format, such as "%d/%m/%y %H:%M"'


@dataclass(frozen=True)
class TimeColumn:
    """Holds the column of times, or two if day and time of day are separate, and the reader of its cells."""

    columns: tuple[int, ...]
    reader: TimeReader

    def read(self, cells: Sequence[Cells]) -> Times:
        """Return the times of some rows (B,), NO_TIME where unreadable."""
        return self.reader.read(_joined(cells))


def time_checker(time: TimeConfig) -> Callable[[str], bool]:
    """Return a function that checks whether a text is a time. Raises ConfigError for an unknown format."""
    if time.format in EPOCH_UNITS_NS:
        return lambda _: False
    reader = TextTimes(time.format)
    return lambda text: reader.read_one(text) != NO_TIME


def column_index(table: TableFile, name: str) -> int:
    """Return the index of a column. Raises DataError with the nearest name and the existing columns."""
    if name in table.columns:
        return table.columns.index(name)
    near = get_close_matches(name, table.columns, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    shown = ", ".join(table.columns[:30]) + (", ..." if len(table.columns) > 30 else "")
    raise DataError(f"{table.path}: has no column {name!r}{hint}; it has: {clipped(shown)}")


def find_time(table: TableFile, time: TimeConfig) -> TimeColumn | None:
    """Return the column of times: the configured one, one named as in TIME_NAMES, or the first one if it holds dates.

    Returns None if there is none.

    Raises:
        DataError: a column that must be the time cannot be read.
    """
    if time.column == NO_COLUMN and NO_COLUMN not in table.columns:
        return None
    sample = table.sample()
    if time.column is not None:
        return _configured(table, sample, time, time.column)
    lower = [name.lower() for name in table.columns]
    called = [lower.index(name) for name in TIME_NAMES if name in lower]
    for j in called:
        reader = _reader_of(sample[j], time.format)
        if reader is not None:
            return TimeColumn((j,), reader)
    first = _first_column(table, sample, time)
    if first is not None:
        return first
    for j in called:
        raise _unreadable(table, table.columns[j], sample[j], time)
    if time.format is not None:
        raise DataError(
            f"{table.path}: no column holds times of the format {time.format!r}; correct data.time.format, or name the "
            "column in data.time.column"
        )
    return None


def pick_channels(
    table: TableFile, time: TimeColumn | None, exclude: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """Return the names of all columns of numbers that are not excluded, and the reasons why the others are left out.

    A column of numbers holds numbers in at least half of its first cells that are not empty. `exclude` may hold
    wildcards.
    """
    names: list[str] = []
    left_out: dict[str, str] = {}
    taken = time.columns if time else ()
    sample = table.sample()
    for j, name in enumerate(table.columns):
        if j in taken or j in table.by_name_only:
            continue
        if any(name == pattern or fnmatchcase(name, pattern) for pattern in exclude):
            left_out[name] = "excluded"
        elif j == 0 and j in table.unnamed:
            left_out[name] = "the row number"
        elif _holds_texts(sample[j], table.decimal):
            left_out[name] = "not numbers"
        else:
            names.append(name)
    return names, left_out


def misspelt(exclude: Sequence[str], table: TableFile) -> list[str]:
    """Return a warning for each excluded name that is no column, but similar to one."""
    lines = []
    for name in exclude:
        near = get_close_matches(name, table.columns, n=1, cutoff=0.8)
        if near and name not in table.columns and not any(fnmatchcase(c, name) for c in table.columns):
            lines.append(f"data.exclude: {name!r} is no column; did you mean {near[0]!r}?")
    return lines


def _configured(table: TableFile, sample: Sequence[Cells], time: TimeConfig, name: str) -> TimeColumn:
    parts = name.split("+") if name not in table.columns else [name]
    if len(parts) > 1 and all(part in table.columns for part in parts):
        columns = tuple(table.columns.index(part) for part in parts)
    else:
        columns = (column_index(table, name),)
    cells = _joined([sample[j] for j in columns])
    reader = _reader_of(cells, time.format)
    if reader is None:
        raise _unreadable(table, name, cells, time)
    return TimeColumn(columns, reader)


def _first_column(table: TableFile, sample: Sequence[Cells], time: TimeConfig) -> TimeColumn | None:
    """Return the first column as the time if it holds dates, or epochs without a name."""
    if not table.columns or 0 in table.by_name_only:
        return None
    reader = _reader_of(sample[0], time.format)
    if isinstance(reader, EpochTimes):
        times = reader.read(sample[0])
        plausible = 0 in table.unnamed and np.median(times) >= 1_000_000_000 * NS_PER_S
        return TimeColumn((0,), reader) if plausible else None
    return TimeColumn((0,), reader) if reader is not None else None


def _reader_of(cells: Cells, time_format: str | None) -> TimeReader | None:
    """Return a reader for these cells, or None if it reads less than half of those that are not empty."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "M":
        return TypedTimes()
    filled = [c for c in cells[:_SAMPLE_CELLS] if not (isinstance(c, str) and c.strip().lower() in MISSING)]
    present: Cells = np.array(filled) if isinstance(cells, np.ndarray) else filled
    if not len(present):
        return None
    if time_format in EPOCH_UNITS_NS:
        candidates: list[TimeReader] = [EpochTimes(EPOCH_UNITS_NS[time_format])]
    elif time_format is not None:
        candidates = [TextTimes(time_format)]
    else:
        candidates = [TextTimes(None), *_epoch_of(present)]
    for reader in candidates:
        if isinstance(reader, TextTimes) and isinstance(present, np.ndarray):
            continue
        if np.mean(reader.read(present) != NO_TIME) >= 0.5:
            return reader
    return None


def _epoch_of(cells: Cells) -> list[TimeReader]:
    """Return the reader of epoch numbers, their unit guessed by size; none for dates such as 20240131."""
    dates = sum(_CALENDAR.fullmatch(str(cell).strip()) is not None for cell in cells)
    if dates >= 0.95 * len(cells):
        return []
    counts = EpochTimes(1).read(cells)
    counts = counts[counts != NO_TIME]
    if not len(counts):
        return []
    size = abs(float(np.median(counts)))
    unit = "s" if size < 1e11 else "ms" if size < 1e14 else "us" if size < 1e17 else "ns"
    return [EpochTimes(EPOCH_UNITS_NS[unit])]


def _holds_texts(cells: Cells, decimal: str) -> bool:
    if isinstance(cells, np.ndarray):
        return cells.dtype.kind not in "biuf"
    return numeric_share([str(cell) for cell in cells], decimal) < 0.5


def _joined(cells: Sequence[Cells]) -> Cells:
    if len(cells) == 1:
        return cells[0]
    texts = [[c.decode("latin-1") if isinstance(c, bytes) else str(c) for c in column] for column in cells]
    return [" ".join(part.strip() for part in parts) for parts in zip(*texts, strict=True)]


def _unreadable(table: TableFile, name: str, cells: Cells, time: TimeConfig) -> DataError:
    readable = time_checker(time)
    example = clipped(next((str(c) for c in cells if str(c).strip() and not readable(str(c))), ""), 60)
    if time.format is None:
        return DataError(f"{table.path}: column {name!r} should be the time, but {example!r} is {_SPELLINGS}")
    return DataError(
        f"{table.path}: column {name!r}: {example!r} is not of the format {time.format!r} (data.time.format)"
    )


def check_time(time: TimeConfig) -> None:
    """Raise ConfigError for a gap that is not longer than the period."""
    if time.period_s and time.max_gap_s and time.max_gap_s < time.period_s:
        raise ConfigError(
            f"data.time.max_gap_s: {time.max_gap_s} is less than data.time.period_s {time.period_s}, expected more"
        )
