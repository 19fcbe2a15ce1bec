"""Holds what was read of a history: blocks of rows as they are in the file, or a recording for training."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vcedge.history.report import DataReport
from vcedge.schema import F64, SensorSchema

NO_TIME = int(np.iinfo(np.int64).min)
"""Value of `RowBlock.time_ns` for an unreadable time."""


@dataclass(frozen=True)
class RowBlock:
    """Holds some rows of a file, in file order and unchanged: neither sorted nor checked against limits."""

    time_ns: NDArray[np.int64]  # (B,) UTC; NO_TIME where unreadable
    values: F64  # (B, C) in the schema's order, NaN where missing or unreadable
    extra: dict[str, F64] = field(default_factory=dict)  # (B,) for each extra column, such as labels


@dataclass(frozen=True)
class Recording:
    """Holds a history prepared for training: sorted by time, each time once, implausible values missing."""

    schema: SensorSchema
    time_ns: NDArray[np.int64]  # (N,) strictly increasing
    values: F64  # (N, C), NaN where missing, unreadable or outside limits; a memmap if long
    sequences: tuple[tuple[int, int], ...]  # [start, stop) runs without a gap
    report: DataReport
    files: tuple[tuple[str, str], ...]  # (name, sha256) of every file read
    must_not_alarm: tuple[tuple[int, int], ...] = ()  # [start, stop) rows that people judged as false alarms
    guide: F64 | None = None  # (N,) of the column `data.guide`: 1 where the gate should open, NaN if unknown
