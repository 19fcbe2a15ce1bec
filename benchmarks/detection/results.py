"""Keeps results as lines of JSON, appended one by one, so that a stopped run resumes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from vcedge.errors import DataError

ROOT = Path(__file__).parents[2]
WHAT_COUNTS = (
    "vcedge/*.py",
    "vcedge/config/train.py",
    "vcedge/calibration/**/*.py",
    "vcedge/evaluation/*.py",
    "vcedge/history/*.py",
    "vcedge/injection/*.py",
    "vcedge/train/*.py",
    "vcedge/train/compare/cases.py",
    "runtime/engine/**/*.py",
    "runtime/recordings/*.py",
    "runtime/stream/**/*.py",
    "runtime/kernel/**/*.[chi]*",
    "benchmarks/detection/decisions.py",
    "benchmarks/detection/fitting.py",
    "benchmarks/detection/product.py",
    "benchmarks/detection/sets.py",
)
"""Code that the numbers depend on: after any change there they are measured again."""
KEY = ("set", "series", "method", "seed", "version")
ResultRow = dict[str, Any]


class Results:
    """Holds the lines of one file, to which several processes may append, and adds the stamp to new ones."""

    def __init__(self, path: Path, stamp: ResultRow) -> None:
        self._path, self._stamp = path, stamp
        self._rows = {key_of(row): row for row in read_rows(path)} if path.is_file() else {}

    def has(self, **key: Any) -> bool:
        """Return whether there is a line for this set, series, method and seed, of the stamp's version."""
        return key_of({**key, **self._stamp}) in self._rows

    def find(self, **key: Any) -> ResultRow:
        """Return that line; KeyError if there is none."""
        return self._rows[key_of({**key, **self._stamp})]

    def add(self, row: ResultRow) -> None:
        """Append a line at once, unless its key is there."""
        row = {**row, **self._stamp}
        if key_of(row) in self._rows:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line)
        self._rows[key_of(row)] = row


def read_rows(path: Path) -> Iterator[ResultRow]:
    """Yield the lines of a file without a last line that was cut off; DataError for any other that is no result."""
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            if number == len(lines):  # without a newline: the process was stopped while writing it
                return
            raise DataError(f"{path}: line {number} is not JSON, expected a result") from None
        if not isinstance(row, dict) or not all(name in row for name in KEY):
            raise DataError(f"{path}: line {number} is not a result, expected the keys {', '.join(KEY)}")
        yield row


def key_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the key that two lines of the same measurement share."""
    return tuple(row[name] for name in KEY)


def stamp() -> ResultRow:
    """Return the origin that every line states."""
    return {
        "version": code_version(),
        "commit": commit(),
        "date": datetime.now(timezone.utc).date().isoformat(),
    }


def code_version(root: Path = ROOT, patterns: Iterable[str] = WHAT_COUNTS) -> str:
    """Return a digest of the code that the numbers depend on."""
    digest = hashlib.sha256()
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def commit() -> str:
    """Return the commit that is checked out; empty outside a repository."""
    command = ["git", "-C", os.fspath(ROOT), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
