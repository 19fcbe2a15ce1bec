"""Collects rows that may not fit into memory: the first ones in memory, all in a temporary file if there are more."""

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
_CHUNK_BYTES = 1 << 26  # large enough for the system to reclaim the memory of a freed chunk


class RowBuffer:
    """Collects rows of `width` numbers, appended block by block, into one array.

    More than `memory_rows` rows go to an unnamed temporary file, which the context manager closes; the array that
    finish() returns stays valid.
    """

    def __init__(self, width: int, memory_rows: int) -> None:
        self.rows = 0
        self._width, self._memory_rows = width, memory_rows
        self._chunk_rows = max(_CHUNK_BYTES // (8 * width), 1)
        self._chunks: list[F64] = []
        self._free = 0  # rows that still fit into the last chunk
        self._file: IO[bytes] | None = None

    def __enter__(self) -> RowBuffer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, values: F64) -> None:
        """Add rows (B, width). Raises InputOutputError if the temporary folder is full."""
        self.rows += len(values)
        if self._file is None and self.rows <= self._memory_rows:
            self._append_in_memory(values)
            return
        self._write(chain(self._pop_chunks(), [values]))

    def finish(self) -> F64:
        """Return all rows (N, width): an array, or a map of the temporary file, which is deleted with the map."""
        if self._file is not None:
            return np.memmap(self._file, np.float64, mode="c", shape=(self.rows, self._width))
        values = np.empty((self.rows, self._width))
        start = 0
        for chunk in self._pop_chunks():
            values[start : start + len(chunk)] = chunk
            start += len(chunk)
        return values

    def _append_in_memory(self, values: F64) -> None:
        while len(values):
            if not self._free:
                self._chunks.append(np.empty((self._chunk_rows, self._width)))
                self._free = self._chunk_rows
            start = self._chunk_rows - self._free
            count = min(len(values), self._free)
            self._chunks[-1][start : start + count] = values[:count]
            self._free -= count
            values = values[count:]

    def _pop_chunks(self) -> Iterator[F64]:
        """Yield the rows in memory chunk by chunk; each is freed when the next one is requested."""
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
                f"{folder}: no room for the history: {error.strerror}; set TMPDIR to another folder"
            ) from None


def select(values: F64, rows: NDArray[np.int64], columns: NDArray[np.int64], memory_rows: int) -> F64:
    """Return chosen rows and columns of an array or a mapped file, copied a block at a time."""
    with RowBuffer(len(columns), memory_rows) as buffer:
        for start in range(0, len(rows), _BLOCK):
            buffer.append(values[np.ix_(rows[start : start + _BLOCK], columns)])
        return buffer.finish()
