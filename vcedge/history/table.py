"""What every kind of file looks like to its readers: named columns, and chunks of rows in file order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vcedge.config.train import TableConfig
from vcedge.errors import DataError, InputNotFound
from vcedge.history.times import Cells
from vcedge.schema import F64

OnText = Callable[[int, str], None]
"""Told the column and the text of each cell that should be a number and is not."""


@dataclass(frozen=True)
class Chunk:
    """Some rows of a table."""

    numbers: F64  # (B, number of columns asked for as numbers), NaN where missing or unreadable
    texts: tuple[Cells, ...]  # (B,) for each column asked for as it stands
    defective: NDArray[np.bool_] | None = None  # (B,) rows with too many cells, numbers all missing
    short: int = 0  # rows with too few cells, the rest missing


class Table(Protocol):
    """A file of rows and columns that is read front to back, as often as `chunks` is called."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns, each once; made up where the file has none."""

    @property
    def unnamed(self) -> frozenset[int]:
        """Columns that carry no name of their own in a file that names its columns: an index, often."""

    @property
    def by_name_only(self) -> frozenset[int]:
        """Columns that are used when asked for, and never taken for a channel otherwise."""

    @property
    def decimal(self) -> str:
        """The decimal mark of numbers in texts."""

    def sample(self) -> Sequence[Cells]:
        """The first rows, by column: what to recognise columns by."""

    def chunks(self, numbers: Sequence[int], texts: Sequence[int], on_text: OnText) -> Iterator[Chunk]:
        """All rows, some at a time: some columns as numbers, some as they stand.

        Raises DataError when the file turns out to be damaged.
        """


def open_table(path: Path, config: TableConfig, looks_like_time: Callable[[str], bool]) -> Table:
    """Open a file by what it is, whatever its name says: Parquet, .npy, .npz, or text, gzipped or not.

    Raises InputNotFound when it cannot be opened, DataError when it holds no table.
    """
    from vcedge.history import arrays, parquet, text

    try:
        with path.open("rb") as file:
            magic = file.read(6)
    except OSError as error:
        raise InputNotFound(f"{path}: cannot be read: {error.strerror or error}") from None
    if not magic:
        raise DataError(f"{path}: is empty")
    if magic.startswith(b"PAR1"):
        return parquet.ParquetTable(path, config)
    if magic.startswith(b"PK\x03\x04") or magic == b"\x93NUMPY":
        return arrays.ArrayTable(path, config)
    return text.TextTable(path, config, looks_like_time)
