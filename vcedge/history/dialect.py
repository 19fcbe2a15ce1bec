"""Guesses the dialect of a text table, its delimiter, decimal mark and header, from its first lines."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vcedge.config.train import TableConfig
from vcedge.errors import ConfigError
from vcedge.history.numbers import MISSING, number_of

_CANDIDATES = (",", ";", "\t", "|", None)  # if scores are equal, the first one wins
_NAMED = {"tab": "\t", "\\t": "\t", "whitespace": None, " ": None, "\\s+": None, "comma": ",", "semicolon": ";"}
_SAMPLE_ROWS = 100
_SAMPLE_CELLS = 1000
_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")

IsTime = Callable[[str], bool]


@dataclass(frozen=True)
class Dialect:
    """Describes how a text is divided into cells."""

    delimiter: str | None
    """None for runs of white space."""
    decimal: str
    """Decimal mark: a point or a comma."""
    header: bool
    """True if the first row names the columns."""
    width: int
    """Number of columns."""


def split_lines(lines: Sequence[str], delimiter: str | None) -> list[list[str]]:
    """Return rows of stripped cells; lines without any cell are left out."""
    if delimiter is None:
        return [cells for cells in (line.split() for line in lines) if cells]
    rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter != "\t")
    return [[cell.strip() for cell in row] for row in rows if row]


def guess_dialect(lines: Sequence[str], config: TableConfig, is_time: IsTime) -> Dialect:
    """Return the dialect that fits the first lines best; configured parts are fixed.

    A delimiter fits if most lines have the same number of cells, and if the cells are numbers, times or empty.

    Raises:
        ConfigError: the configured delimiter is not a single character.
    """
    if config.delimiter is not None:
        delimiter = _configured(config.delimiter)
    else:
        scores = [(_score(lines, candidate, config, is_time), candidate) for candidate in _CANDIDATES]
        best = max(score for score, _ in scores)
        delimiter = next(candidate for score, candidate in scores if score == best)
    return dialect_of(split_lines(lines[:_SAMPLE_ROWS], delimiter), delimiter, config, is_time)


def dialect_of(rows: Sequence[list[str]], delimiter: str | None, config: TableConfig, is_time: IsTime) -> Dialect:
    """Return the dialect of lines that are split into cells by `delimiter`."""
    width = _common_width(rows[:_SAMPLE_ROWS])
    rows = rows[: min(_SAMPLE_ROWS, max(_SAMPLE_CELLS // max(width, 1), 10))]
    decimal = config.decimal or _decimal_of(rows, is_time)
    header = config.header if config.header is not None else _has_header(rows, width, decimal, is_time)
    if header and rows and len(rows) == 1:
        width = len(rows[0])
    return Dialect(delimiter, decimal, header, max(width, 1))


def _configured(delimiter: str) -> str | None:
    if delimiter in _NAMED:
        return _NAMED[delimiter]
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise ConfigError(f"data.table.delimiter: {delimiter!r}, expected a single character, 'tab' or 'whitespace'")
    return delimiter


def _score(lines: Sequence[str], delimiter: str | None, config: TableConfig, is_time: IsTime) -> float:
    try:
        rows = split_lines(lines[:_SAMPLE_ROWS], delimiter)
    except csv.Error:
        return -1.0
    if not rows:
        return -1.0
    width = _common_width(rows)
    decimal = config.decimal or _decimal_of(rows, is_time)
    body = [row for row in rows[1:] or rows if len(row) == width]
    regular = len(body) / len(rows[1:] or rows)
    cells = [cell for row in body[: max(_SAMPLE_CELLS // width, 10)] for cell in row]
    readable = sum(_readable(cell, decimal, is_time) for cell in cells) / max(len(cells), 1)
    score = regular * (0.02 + readable)
    if width == 1:
        score *= 0.9 if delimiter is not None else 0.8
    elif len(rows[0]) < width and delimiter is not None:
        score *= 0.8  # a heading narrower than its table: more likely a decimal comma
    return score


def _readable(cell: str, decimal: str, is_time: IsTime) -> bool:
    return number_of(cell, decimal) is not None or is_time(cell)


def _decimal_of(rows: Sequence[list[str]], is_time: IsTime) -> str:
    points = commas = 0
    for row in rows:
        for cell in row:
            if _POINT.fullmatch(cell):
                points += 1
            elif _COMMA.fullmatch(cell) and not is_time(cell):
                commas += 1
    return "," if commas > points else "."


def _common_width(rows: Sequence[list[str]]) -> int:
    """Return the most frequent number of cells below the heading.

    Cells beyond the heading do not count if all rows leave them empty.
    """
    body = rows[1:] or rows
    if not body:
        return 0
    width = Counter(map(len, body)).most_common(1)[0][0]
    heading = len(rows[0])
    if heading < width and all(not cell for row in body if len(row) == width for cell in row[heading:]):
        return heading
    return width


def _has_header(rows: Sequence[list[str]], width: int, decimal: str, is_time: IsTime) -> bool:
    """Return whether the first row differs in kind from those below it.

    A column of times whose first cell is no time decides alone, so that channels may be named 0, 1, 2.
    """
    if not rows:
        return False
    kinds = [_kind(cell, decimal, is_time) for cell in rows[0]]
    if len(rows) == 1:
        return "text" in kinds and not {"number", "time"} & set(kinds)
    votes = 0
    for j, kind in enumerate(kinds):
        below = Counter(_kind(row[j], decimal, is_time) for row in rows[1:] if j < len(row))
        below.pop("empty", None)
        common = below.most_common(1)[0][0] if below else "empty"
        if common == "time" and kind != "time":
            return True
        if kind == "text":
            votes += common != "text" or all(k in {"text", "empty"} for k in kinds)
        elif kind != "empty":
            votes -= 1
    return votes > 0


def _kind(cell: str, decimal: str, is_time: IsTime) -> str:
    if cell.lower() in MISSING:
        return "empty"
    if number_of(cell, decimal) is not None:
        return "number"
    return "time" if is_time(cell) else "text"
