"""Reads Parquet files batch by batch through pyarrow, which is imported only here and only when needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vcedge.config.train import TableConfig
from vcedge.errors import ConfigError, DataError, Unavailable, first_line
from vcedge.history.numbers import drop_infinite, floats_of
from vcedge.history.table import Chunk, OnColumnText
from vcedge.history.times import Cells
from vcedge.schema import F64

_BATCH_ROWS = 16_384
_INDEX = "__index_level_0__"  # pandas' name for an index without one


class ParquetTable:
    """Reads columns of numbers, booleans, texts and times of a Parquet file, and ignores nested columns."""

    by_name_only: frozenset[int] = frozenset()
    decimal = "."

    def __init__(self, path: Path, config: TableConfig) -> None:
        """Raise Unavailable without pyarrow, DataError if the file is damaged or has no rows."""
        if config.transpose:
            raise ConfigError(
                f"data.table.transpose: {path} is a Parquet file, which cannot be transposed; leave the key out"
            )
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            raise Unavailable(f"{path}: reading Parquet needs pyarrow: pip install 'vcedge[train]'") from None
        self.path = path
        self._pa, self._pq = pa, pq
        with self._open() as file:
            schema = file.schema_arrow
            rows = file.metadata.num_rows
        names = [field.name for field in schema if not pa.types.is_nested(field.type)]
        self.columns = tuple(dict.fromkeys(names))
        self.unnamed = frozenset(j for j, name in enumerate(self.columns) if name == _INDEX)
        if not rows or not names:
            raise DataError(f"{path}: has no rows, expected a table")

    def sample(self) -> list[Cells]:
        """Return the first rows, by column."""
        return list(next(self._batches(range(len(self.columns)), 1000)))

    def chunks(self, numbers: Sequence[int], texts: Sequence[int], on_text: OnColumnText) -> Iterator[Chunk]:
        """Yield all rows. See TableFile."""
        wanted = [*numbers, *texts]
        for cells in self._batches(wanted, _BATCH_ROWS):
            values = np.empty((len(cells[0]), len(numbers)))
            for i, j in enumerate(numbers):
                values[:, i] = _floats(cells[i], j, on_text)
            drop_infinite(values, lambda i, text: on_text(numbers[i], text))
            yield Chunk(values, tuple(cells[len(numbers) :]))

    def _open(self) -> Any:
        try:
            return self._pq.ParquetFile(self.path)
        except (self._pa.ArrowException, OSError, ValueError) as error:
            raise self._damaged(error) from None

    def _batches(self, wanted: Sequence[int], rows: int) -> Iterator[list[Cells]]:
        names = [self.columns[j] for j in wanted]
        with self._open() as file:
            try:
                for batch in file.iter_batches(rows, columns=list(dict.fromkeys(names))):
                    yield [self._cells(batch.column(name)) for name in names]
            except (self._pa.ArrowException, OSError, ValueError, KeyError) as error:
                raise self._damaged(error) from None

    def _cells(self, column: Any) -> Cells:
        pa = self._pa
        kind = column.type
        if pa.types.is_dictionary(kind):
            column = column.dictionary_decode()
            kind = column.type
        if pa.types.is_boolean(kind):
            column = column.cast(pa.int8())
        elif pa.types.is_date(kind):
            column = column.cast(pa.timestamp("s"))
            kind = column.type
        if pa.types.is_timestamp(kind):
            return np.asarray(column.to_numpy(zero_copy_only=False)).astype(f"datetime64[{kind.unit}]")
        if pa.types.is_integer(column.type) and not column.null_count:
            return np.asarray(column.to_numpy(zero_copy_only=False))
        numeric = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
        if any(is_one(kind) for is_one in numeric):
            return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
        return ["" if cell is None else str(cell) for cell in column.to_pylist()]

    def _damaged(self, error: Exception) -> DataError:
        return DataError(f"{self.path}: damaged Parquet file: {first_line(error)}")


def _floats(cells: Cells, column: int, on_text: OnColumnText) -> F64:
    if isinstance(cells, np.ndarray):
        return cells.astype(np.float64)
    return floats_of(cells, ".", lambda text: on_text(column, text))
