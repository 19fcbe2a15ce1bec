"""Rows that may outgrow memory: kept in memory up to a number, in an unnamed temporary file beyond."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO

import numpy as np
from numpy.typing import NDArray

from vcedge.errors import InputOutputError
from vcedge.schema import F64

_BLOCK = 65_536  # rows copied at a time
_CHUNK_BYTES = 1 << 26  # large enough that the system takes the memory back when a chunk is freed


class Spool:
    """Rows of `width` numbers, appended block by block, then given back as one array.

    Used as a context manager: what finish() gave lives on without the spool.
    """

    def __init__(self, width: int, memory_rows: int) -> None:
        self.rows = 0
        self._width = width
        self._memory_rows = memory_rows
        self._chunk_rows = max(_CHUNK_BYTES // (8 * width), 1)
        self._chunks: list[F64] = []
        self._free = 0  # rows that still fit into the last chunk
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, values: F64) -> None:
        """Add rows (B, width). Raises InputOutputError when the temporary folder is full."""
        self.rows += len(values)
        if self._file is None and self.rows <= self._memory_rows:
            self._keep(values)
            return
        self._write(chain(self._kept(), [values]))

    def finish(self) -> F64:
        """All rows (N, width): an array, or a map of the temporary file, which goes away with it."""
        if self._file is not None:
            return np.memmap(self._file, np.float64, mode="c", shape=(self.rows, self._width))
        values = np.empty((self.rows, self._width))
        start = 0
        for chunk in self._kept():
            values[start : start + len(chunk)] = chunk
            start += len(chunk)
        return values

    def _keep(self, values: F64) -> None:
        while len(values):
            if not self._free:
                self._chunks.append(np.empty((self._chunk_rows, self._width)))
                self._free = self._chunk_rows
            start = self._chunk_rows - self._free
            count = min(len(values), self._free)
            self._chunks[-1][start : start + count] = values[:count]
            self._free -= count
            values = values[count:]

    def _kept(self) -> Iterator[F64]:
        """The rows in memory, chunk by chunk, each freed when the next is asked for."""
        self._chunks.reverse()
        while self._chunks:
            chunk = self._chunks.pop()
            yield chunk if self._chunks else chunk[: self._chunk_rows - self._free]
        self._free = 0

    def _write(self, blocks: Iterable[F64]) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="vcedge-")  # noqa: SIM115 - closed by __exit__
            for block in blocks:
                self._file.write(np.ascontiguousarray(block).data)
            self._file.flush()
        except OSError as error:
            folder = tempfile.gettempdir()
            raise InputOutputError(
                f"{folder}: the history does not fit there: {error.strerror} (set TMPDIR to another folder)"
            ) from None


def take(values: F64, rows: NDArray[np.int64], columns: NDArray[np.int64], memory_rows: int) -> F64:
    """Chosen rows and columns of an array or a mapped file, copied a block at a time."""
    with Spool(len(columns), memory_rows) as spool:
        for start in range(0, len(rows), _BLOCK):
            spool.append(values[np.ix_(rows[start : start + _BLOCK], columns)])
        return spool.finish()
