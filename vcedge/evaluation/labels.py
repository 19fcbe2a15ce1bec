"""Reads the column of a recording that labels anomalous rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcedge.config.train import ReadingConfig
from vcedge.errors import DataError
from vcedge.history.columns import column_index
from vcedge.history.open import open_table
from vcedge.history.times import Cells
from vcedge.wording import clipped

NORMAL = frozenset({"0", "0.0", "false", "f", "no", "n", "normal", "ok", "good", "healthy", "benign", "off"})
ANOMALOUS = frozenset(
    {"1", "1.0", "true", "t", "yes", "y", "anomaly", "anomalous", "abnormal", "attack", "a ttack", "fault", "faulty"}
    | {"failure", "alarm", "event", "bad", "outlier", "on"}
)
"""Spellings in lower case; the SWaT data set spells some labels "A ttack"."""
UNDERSTOOD = "0 or 1, true or false, or a word such as normal and anomaly, ok and fault, normal and attack"


def read_labels(path: Path, column: str, reading: ReadingConfig) -> NDArray[np.bool_]:
    """Read the labels (N,) of a file in its order, true if anomalous, one for each row that `open_rows` yields.

    Raises:
        InputNotFound: the file does not exist.
        DataError: the file lacks the column, or a label is no known spelling; the message names the first such row.
    """
    opened = open_table(path, reading)
    chosen = column_index(opened, column)
    parts: list[NDArray[np.bool_]] = []
    row = 0
    for chunk in opened.chunks((), (chosen,), lambda _, text: None):
        parts.append(_labels(chunk.texts[0], path, column, row))
        row += len(parts[-1])
    return np.concatenate(parts) if parts else np.zeros(0, bool)


def _labels(cells: Cells, path: Path, column: str, first: int) -> NDArray[np.bool_]:
    """Parse labels of cells, the first of which is in row `first`, counted from 0."""
    spellings, which = np.unique(
        np.array([_word(cell) for cell in cells], dtype=object).astype(str), return_inverse=True
    )
    meanings = np.array([_meaning(word) for word in spellings.tolist()], dtype=np.int8)
    found = meanings[which]
    if (found < 0).any():
        at = int(np.argmax(found < 0))
        shown = clipped(_word(cells[at]), 40)
        raise DataError(f"{path}: row {first + at + 1} of column {column!r} is {shown!r}, expected {UNDERSTOOD}")
    return np.asarray(found == 1)


def _word(cell: object) -> str:
    return (cell.decode("latin-1") if isinstance(cell, bytes) else str(cell)).strip()


def _meaning(word: str) -> int:
    """Return 0 for normal, 1 for anomalous, -1 for an unknown word."""
    spelling = word.lower()
    return 0 if spelling in NORMAL else 1 if spelling in ANOMALOUS else -1
