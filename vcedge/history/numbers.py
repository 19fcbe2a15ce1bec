"""Converts text cells to numbers, recognises missing values, and reports every other text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from vcedge.schema import F64

OnText = Callable[[str], None]
"""Called with every cell that is neither a number nor missing."""

MISSING = frozenset({"", "nan", "null", "none", "na", "n/a", "#n/a", "nil", "-", "--", "?"})
"""Spellings of "no value", in lower case: missing, and not reported."""
_BOOLEANS = {"true": 1.0, "false": 0.0}


def number_of(cell: str, decimal: str) -> float | None:
    """Return the number in one cell; NaN if the cell is a spelling of MISSING; None for any other text.

    Underscores and digits of other scripts are refused, though float() accepts them, and so are infinities. With a
    decimal comma a cell with a point is refused: the point may be a thousands separator.
    """
    text = cell.strip()
    if text.lower() in MISSING:
        return np.nan
    if not text.isascii() or "_" in text:
        return None
    if decimal == ",":
        if "." in text:
            return None
        text = text.replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        return _BOOLEANS.get(text.lower())
    return None if np.isinf(value) else value


def floats_of(cells: Sequence[str], decimal: str, on_text: OnText) -> F64:
    """Convert cells (B,) to numbers (B,), NaN where there is none; `on_text` is called for every other text.

    The fast path calls float() on all cells; a column that it refuses is read cell by cell.
    """
    plain: Sequence[str] = cells
    together = "\n".join(cells)
    if decimal == "," and "." not in together:
        plain = together.replace(",", ".").split("\n")
    if together.isascii() and "_" not in together and len(plain) == len(cells):
        try:
            if decimal == "." or plain is not cells:
                values = np.array([float(cell) if cell else np.nan for cell in plain], np.float64)
                if not np.isinf(values).any():
                    return values
        except ValueError:
            pass
    return np.array([_reported(cell, decimal, on_text) for cell in cells], np.float64)


def _reported(cell: str, decimal: str, on_text: OnText) -> float:
    value = number_of(cell, decimal)
    if value is None:
        on_text(cell.strip())
        return np.nan
    return value


def drop_infinite(values: F64, on_text: Callable[[int, str], None]) -> None:
    """Make infinities in (B, C) missing, in place; `on_text` is called with the column of each."""
    bad = np.isinf(values)
    if bad.any():
        for column in np.nonzero(bad)[1].tolist():
            on_text(column, "inf")
        values[bad] = np.nan


def numeric_share(cells: Sequence[str], decimal: str) -> float:
    """Return the share of numbers among the cells that are not empty; NaN if all are empty."""
    texts = 0

    def count(_: str) -> None:
        nonlocal texts
        texts += 1

    numbers = int(np.isfinite(floats_of(cells, decimal, count)).sum())
    return numbers / (numbers + texts) if numbers + texts else np.nan
