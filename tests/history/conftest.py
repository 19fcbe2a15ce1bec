"""Fixtures and helpers for the tests of history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vcedge.config.train import DataConfig
from vcedge.history import Recording, RowBlock, load_history
from vcedge.history.rows import RowReader

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of text or bytes into a fresh folder."""

    def write_file(content: str | bytes, name: str = "a.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def load(*paths: Path, **data: Any) -> Recording:
    """Return the recording of some files, with further keys of the data section."""
    return load_history(DataConfig(train=[str(path) for path in paths], **data), Path())


def all_rows(reader: RowReader) -> RowBlock:
    """Return all blocks of a reader as one."""
    blocks = list(reader)
    return RowBlock(
        np.concatenate([block.time_ns for block in blocks]),
        np.concatenate([block.values for block in blocks]),
        {key: np.concatenate([block.extra[key] for block in blocks]) for key in blocks[0].extra},
    )
