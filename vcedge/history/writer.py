"""Writes recordings as CSV, with all digits, so that reading them gives the same numbers."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from vcedge.errors import DataError, InputOutputError
from vcedge.schema import F64
from vcedge.wording import iso_time


class CsvWriter:
    """Appends rows `time,NAME...`: ISO 8601 in UTC with `Z`, numbers with all their digits, empty for NaN.

    Data is flushed to the operating system every `flush_rows` rows, so that it survives the end of this program;
    close() also syncs it to the medium. A power cut before may lose the rows of some 30 s (Linux): one fsync a row
    would wear out an SD card.
    """

    def __init__(self, path: Path, names: Sequence[str], *, append: bool = False, flush_rows: int = 1) -> None:
        """Start a file, or with `append` continue one with the same columns.

        Raises:
            InputOutputError: the file cannot be written.
            DataError: the existing columns differ, or `names` are not unique.
        """
        self.path = path
        self._width = len(names)
        self._flush_rows = flush_rows
        self._waiting = 0
        heading = ["time", *names]
        if len(set(heading)) < len(heading):
            raise DataError(f"{path}: column names must differ from each other and from 'time': {', '.join(names)}")
        try:
            continues = append and path.exists() and path.stat().st_size > 0
            cut_short = continues and _check_continues(path, heading)
            self._file: TextIO = path.open("a" if append else "w", encoding="utf-8", newline="")
            self._csv = csv.writer(self._file, lineterminator="\n")
            if cut_short:
                self._file.write("\n")
            if not continues:
                self._csv.writerow(heading)
        except OSError as error:
            raise self._failed(error) from None

    def append(self, time_ns: int, values: F64) -> None:
        """Add one row: a time and its values (C,)."""
        self.append_many(np.array([time_ns], np.int64), np.asarray(values, np.float64).reshape(1, -1))

    def append_many(self, time_ns: NDArray[np.int64], values: F64) -> None:
        """Add rows: times (B,) and values (B, C)."""
        if values.shape[1:] != (self._width,):
            raise ValueError(f"values of shape {values.shape}, expected (B, {self._width})")
        try:
            for moment, row in zip(time_ns.tolist(), values.tolist(), strict=True):
                cells = [repr(value) if abs(value) < np.inf else "" for value in row]
                self._csv.writerow([iso_time(moment), *cells])
            self._waiting += len(values)
            if self._waiting >= self._flush_rows:
                self.flush()
        except OSError as error:
            raise self._failed(error) from None

    def flush(self) -> None:
        """Flush all rows to the operating system."""
        self._file.flush()
        self._waiting = 0

    def close(self) -> None:
        """Sync all rows to the medium and close the file; a second call does nothing."""
        if self._file.closed:
            return
        try:
            with self._file:
                self._file.flush()
                os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from None

    def __enter__(self) -> CsvWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _failed(self, error: OSError) -> InputOutputError:
        return InputOutputError(f"{self.path}: cannot be written: {error.strerror or error}")


def _check_continues(path: Path, heading: list[str]) -> bool:
    """Return whether the last line was cut short. Raises DataError if the columns differ from `heading`."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        found = next(csv.reader(file), [])
    if found != heading:
        raise DataError(
            f"{path}: has the columns {', '.join(found)}, expected {', '.join(heading)}; write to another file"
        )
    with path.open("rb") as raw:
        raw.seek(-1, os.SEEK_END)
        return raw.read(1) != b"\n"
