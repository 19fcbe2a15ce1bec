"""Reads text files in blocks of lines: gzip, encodings, quoted line breaks; refuses binary files."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from vcedge.errors import DataError, InputNotFound, InputOutputError

HEAD = 1 << 20  # characters from which the dialect is guessed
_QUOTED_LINES = 100  # lines after which an open quote counts as a stray one
_ALLOWED = frozenset("\t\n\r\f\x0b\x1a\x1b")


def _as_latin1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("vcedge-latin-1", _as_latin1)


@contextmanager
def open_text(path: Path) -> Iterator[io.TextIOWrapper]:
    """Open a text file: gzip by its first bytes, UTF-16 by its byte order mark, else UTF-8 with a fallback to Latin-1.

    Raises:
        InputNotFound: the file cannot be opened.
        DataError: the file turns out to be damaged while it is read.
        InputOutputError: the medium fails.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise InputNotFound(f"{path}: cannot be read: {error.strerror or error}") from None
    with raw:
        try:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
            wide = stream.read(2) in {b"\xff\xfe", b"\xfe\xff"}
            stream.seek(0)
            encoding, errors = ("utf-16", "replace") if wide else ("utf-8-sig", "vcedge-latin-1")
            yield io.TextIOWrapper(stream, encoding=encoding, errors=errors)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{path}: damaged gzip file: {error}") from None
        except UnicodeError as error:
            raise DataError(f"{path}: cannot be read as a table: {error}") from None
        except OSError as error:
            raise InputOutputError(f"{path}: reading failed: {error.strerror or error}") from None


def read_head(path: Path, skip: int) -> list[str]:
    """Return the complete lines of the file's first megabyte, without the first `skip` lines.

    Raises:
        DataError: the file is binary, or its first line is longer than a megabyte.
    """
    with open_text(path) as file:
        text = file.read(HEAD)
        complete = not file.read(1)
    _check_text(path, text[:1024])
    lines = text.replace("\0", "").split("\n")
    if not complete:
        lines.pop()
        if not lines:
            raise DataError(
                f"{path}: its first line is longer than {HEAD:,} characters; set data.table.transpose "
                "if each line holds a channel"
            )
    return [line for line in lines[skip:] if line.strip()]


def read_lines(path: Path, skip: int) -> list[str]:
    """Return all lines of a file that fits into memory. Raises DataError for a binary file."""
    with open_text(path) as file:
        _check_text(path, file.read(1024))
    return [line for block in read_blocks(path, skip, 1000) for line in block]


def read_blocks(path: Path, skip: int, rows: int) -> Iterator[list[str]]:
    """Yield all lines of a file, `rows` at a time, without splitting a cell with a quoted line break.

    Blank lines are left out.
    """
    with open_text(path) as file:
        for _ in islice(file, skip):
            pass
        while block := list(islice(file, rows)):
            text = "".join(block)
            if '"' in text:
                _close_quotes(block, file)
            if "\0" in text:  # left at the end of a file by a power cut
                block = [line.replace("\0", "") for line in block]
            if any(blank in text for blank in ("\n\n", " \n", "\t\n", "\0")) or text[0].isspace():
                block = [line for line in block if line.strip()]
            if block:
                yield block


def _check_text(path: Path, start: str) -> None:
    strange = sum(not (c.isprintable() or c in _ALLOWED) for c in start)
    if "\0" in start or strange > 0.02 * len(start) + 1:
        raise DataError(f"{path}: is not a table of text, expected CSV, Parquet, .npy or .npz")


def _close_quotes(block: list[str], file: Iterator[str]) -> None:
    is_open = sum(line.count('"') for line in block) % 2
    for line in islice(file, _QUOTED_LINES if is_open else 0):
        block.append(line)
        if line.count('"') % 2:
            return
