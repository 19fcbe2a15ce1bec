"""Defines how readers see a history file: named columns, and chunks of rows in file order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vcedge.history.times import Cells
from vcedge.schema import F64

OnColumnText = Callable[[int, str], None]
"""Callback for each cell that should be a number but is not, with its column and text."""


@dataclass(frozen=True)
class Chunk:
    """Holds B rows of a table."""

    numbers: F64  # (B, number of columns read as numbers), NaN where missing or unreadable
    texts: tuple[Cells, ...]  # (B,) for each column read as text
    defective: NDArray[np.bool_] | None = None  # (B,) rows with too many cells, numbers all missing
    short: int = 0  # rows with too few cells, the rest missing


class TableFile(Protocol):
    """Reads a file of rows and columns from front to back, once for each call of `chunks`."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Unique names of all columns, generated if the file has none."""

    @property
    def unnamed(self) -> frozenset[int]:
        """Columns without a name in a file that names its columns: often an index."""

    @property
    def by_name_only(self) -> frozenset[int]:
        """Columns that are read only if the configuration names them, and are never channels by default."""

    @property
    def decimal(self) -> str:
        """The decimal mark of numbers in texts."""

    def sample(self) -> Sequence[Cells]:
        """Return the first rows, by column, from which the kinds of columns are recognised."""

    def chunks(self, numbers: Sequence[int], texts: Sequence[int], on_text: OnColumnText) -> Iterator[Chunk]:
        """Yield all rows, some at a time: the columns `numbers` as numbers, `texts` unconverted.

        Raises:
            DataError: the file turns out to be damaged.
        """
