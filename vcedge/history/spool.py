"""Rows that may outgrow memory: kept in memory up to a number, in an unnamed temporary file beyond."""

from __future__ import annotations

import tempfile
from typing import IO

import numpy as np
from numpy.typing import NDArray

from vcedge.errors import InputOutputError
from vcedge.schema import F64

_BLOCK = 65_536  # rows copied at a time


class Spool:
    """Rows of `width` numbers, appended block by block, then given back as one array.

    Used as a context manager: what finish() gave lives on without the spool.
    """

    def __init__(self, width: int, memory_rows: int) -> None:
        self.rows = 0
        self._width = width
        self._memory_rows = memory_rows
        self._blocks: list[F64] = []
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, values: F64) -> None:
        """Add rows (B, width). Raises InputOutputError when the temporary folder is full."""
        self.rows += len(values)
        self._blocks.append(values)
        if self.rows > self._memory_rows:
            self._spill()

    def finish(self) -> F64:
        """All rows (N, width): an array, or a map of the temporary file, which goes away with it."""
        if self._file is None:
            values = np.empty((self.rows, self._width))
            start = 0
            self._blocks.reverse()
            while self._blocks:  # freed one by one, so that two copies never exist
                block = self._blocks.pop()
                values[start : start + len(block)] = block
                start += len(block)
            return values
        self._spill()
        return np.memmap(self._file, np.float64, mode="c", shape=(self.rows, self._width))

    def _spill(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="vcedge-")  # noqa: SIM115 - closed by __exit__
            for block in self._blocks:
                self._file.write(np.ascontiguousarray(block).data)
            self._file.flush()
        except OSError as error:
            folder = tempfile.gettempdir()
            raise InputOutputError(
                f"{folder}: the history does not fit there: {error.strerror} (set TMPDIR to another folder)"
            ) from None
        self._blocks.clear()


def take(values: F64, rows: NDArray[np.int64], columns: NDArray[np.int64], memory_rows: int) -> F64:
    """Chosen rows and columns of an array or a mapped file, copied a block at a time."""
    with Spool(len(columns), memory_rows) as spool:
        for start in range(0, len(rows), _BLOCK):
            spool.append(values[np.ix_(rows[start : start + _BLOCK], columns)])
        return spool.finish()
