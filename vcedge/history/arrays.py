"""Reads tables from numpy's files: .npy (mapped, never entirely in memory) and .npz (entirely in memory)."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.config.train import TableConfig
from vcedge.errors import DataError, first_line
from vcedge.history.numbers import drop_infinite, floats_of
from vcedge.history.table import Chunk, OnColumnText
from vcedge.history.times import Cells

_BLOCK_CELLS = 1_000_000
_SAMPLE = 1000
_DAMAGED = (ValueError, OSError, EOFError, KeyError, TypeError, MemoryError, OverflowError, RuntimeError, SyntaxError)
_DAMAGED_ZIP = (struct.error, zipfile.BadZipFile, zlib.error)
"""Raised by numpy and zipfile for truncated, forged or pickled files."""


class ArrayTable:
    """Reads a matrix as columns ch0, ch1, ..., or the vectors of an .npz file under their own names.

    Vectors beside a matrix in an .npz file, such as labels and times, are columns that are read only by name.
    """

    unnamed: frozenset[int] = frozenset()
    decimal = "."

    def __init__(self, path: Path, config: TableConfig) -> None:
        """Open the file. Pickled objects are never loaded.

        Raises:
            DataError: the file holds no such table.
        """
        self.path = path
        arrays = _load(path)
        main = _main_array(path, arrays, config)
        columns: dict[str, NDArray[Any]] = {}
        if main is not None:
            matrix = arrays.pop(main)
            matrix = matrix.reshape(-1, 1) if matrix.ndim == 1 else matrix
            matrix = matrix.T if config.transpose else matrix
            columns = {f"ch{j}": matrix[:, j] for j in range(matrix.shape[1])}
            arrays = {key: a for key, a in arrays.items() if a.ndim == 1 and len(a) == len(matrix)}
        beside = {key: a for key, a in arrays.items() if key not in columns}
        self._columns = columns | beside
        self._rows = len(next(iter(self._columns.values()), ()))
        self.by_name_only = frozenset(range(len(columns), len(self._columns)) if columns else ())
        self.columns = tuple(self._columns)
        if not self._rows:
            raise DataError(f"{path}: holds an array without rows or columns, expected a table")

    def sample(self) -> list[Cells]:
        """Return the first rows, by column."""
        return [_cells(column[:_SAMPLE]) for column in self._columns.values()]

    def chunks(self, numbers: Sequence[int], texts: Sequence[int], on_text: OnColumnText) -> Iterator[Chunk]:
        """Yield all rows. See TableFile."""
        columns = list(self._columns.values())
        size = max(_BLOCK_CELLS // len(columns), 256)
        for start in range(0, self._rows, size):
            rows = slice(start, start + size)
            values = np.empty((len(range(*rows.indices(self._rows))), len(numbers)))
            for i, j in enumerate(numbers):
                values[:, i] = _floats(columns[j][rows], j, on_text)
            drop_infinite(values, lambda i, text: on_text(numbers[i], text))
            yield Chunk(values, tuple(_cells(columns[j][rows]) for j in texts))


def _load(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file:  # opened here, because numpy does not close it on failure
            packed = file.read(2) == b"PK"
            file.seek(0)
            if packed:
                with np.load(file, allow_pickle=False) as loaded:
                    arrays = {key: loaded[key] for key in loaded.files}
        if not packed:
            return {"": np.lib.format.open_memmap(path, mode="r")}
    except (*_DAMAGED, *_DAMAGED_ZIP) as error:
        raise DataError(f"{path}: cannot be read as numpy arrays: {first_line(error)}") from None
    plain = {key: a for key, a in arrays.items() if isinstance(a, np.ndarray) and a.ndim}
    if not plain:
        raise DataError(f"{path}: is a zip file without numpy arrays; save a spreadsheet as CSV")
    return plain


def _main_array(path: Path, arrays: dict[str, NDArray[Any]], config: TableConfig) -> str | None:
    """Return the key of the matrix to read; None if all arrays are vectors of one length, each a column."""
    listing = ", ".join(f"{key} {a.shape}" for key, a in arrays.items())
    if config.array is not None and list(arrays) != [""]:
        if config.array not in arrays:
            raise DataError(f"{path}: has no array {config.array!r} (data.table.array), expected one of {listing}")
        key = config.array
    elif len(arrays) == 1:
        key = next(iter(arrays))
    else:
        matrices = [name for name, a in arrays.items() if a.ndim == 2]
        if not matrices and len({a.shape for a in arrays.values()}) == 1:
            return None
        if len(matrices) != 1:
            raise DataError(f"{path}: choose one of its arrays with data.table.array: {listing}")
        key = matrices[0]
    array = arrays[key]
    if array.ndim not in (1, 2) or array.dtype.kind not in "biuf":
        raise DataError(f"{path}: array {key!r} is {array.dtype} {array.shape}, expected a matrix of numbers")
    return key


def _floats(cells: NDArray[Any], column: int, on_text: OnColumnText) -> NDArray[np.float64]:
    if cells.dtype.kind in "biuf":
        return cells.astype(np.float64)
    return floats_of([str(cell) for cell in _cells(cells)], ".", lambda text: on_text(column, text))


def _cells(column: NDArray[Any]) -> Cells:
    if column.dtype.kind in "biufM":
        return np.asarray(column)
    if column.dtype.kind == "S":
        return [cell.decode("latin-1") for cell in column.tolist()]
    return [str(cell) for cell in column.tolist()]
