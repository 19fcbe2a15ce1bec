"""Opens history files by their content."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from vcedge.config.train import ReadingConfig
from vcedge.errors import DataError, InputNotFound
from vcedge.history.arrays import ArrayTable
from vcedge.history.columns import TimeColumn, find_time, time_checker
from vcedge.history.parquet import ParquetTable
from vcedge.history.table import TableFile
from vcedge.history.text import TextTable


def open_table(path: Path, reading: ReadingConfig) -> TableFile:
    """Open a file as Parquet, .npy, .npz, or text, gzipped or not, by its first bytes and not by its name.

    Raises:
        InputNotFound: the file cannot be opened.
        DataError: the file holds no table.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(6)
    except OSError as error:
        raise InputNotFound(f"{path}: cannot be read: {error.strerror or error}") from None
    if not magic:
        raise DataError(f"{path}: is empty, expected a table")
    if magic.startswith(b"PAR1"):
        return ParquetTable(path, reading.table)
    if magic.startswith(b"PK\x03\x04") or magic == b"\x93NUMPY":
        return ArrayTable(path, reading.table)
    return TextTable(path, reading.table, time_checker(reading.time))


class OpenedFile(NamedTuple):
    """Groups a table and its column of times."""

    table: TableFile
    time: TimeColumn | None  # None if the table has no times


class InputFiles:
    """Opens the files of one reading. The first one is opened at once, and only once, to find the columns of all."""

    def __init__(self, paths: Sequence[Path], reading: ReadingConfig) -> None:
        """Raise InputNotFound for a file that does not exist, DataError if the first one holds no table."""
        for path in paths:
            if not path.exists():
                raise InputNotFound(f"{path}: no such file")
        self.paths = tuple(paths)
        self._reading = reading
        self._opened: OpenedFile | None = None
        self.has_time = self.first.time is not None

    @property
    def first(self) -> OpenedFile:
        """The first file, opened."""
        if self._opened is None:
            self._opened = self._open(self.paths[0])
        return self._opened

    def open(self, path: Path) -> OpenedFile:
        """Open one of the files.

        Raises:
            DataError: the file holds no table, or only one of it and the first file has a time column.
        """
        opened, self._opened = self._opened, None  # released early: its arrays may be large
        if opened is None or opened.table.path != path:
            opened = self._open(path)
        if (opened.time is not None) != self.has_time:
            raise DataError(f"{path}: has {'a' if opened.time else 'no'} time column, unlike {self.paths[0]}")
        return opened

    def _open(self, path: Path) -> OpenedFile:
        table = open_table(path, self._reading)
        return OpenedFile(table, find_time(table, self._reading.time))
