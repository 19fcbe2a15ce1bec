"""Finds the files that a configuration names, and fingerprints them."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Sequence
from pathlib import Path

from vcedge.errors import InputNotFound

_CHUNK = 1 << 20


def find_files(patterns: Sequence[str], base_dir: Path) -> list[Path]:
    """Return the files that match names or globs relative to `base_dir`, each once, those of a glob sorted by name.

    Raises:
        InputNotFound: a pattern matches no file; the message names it.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        exact = base_dir / pattern
        if exact.is_file():
            found[exact] = None
            continue
        if exact.is_dir():
            raise InputNotFound(f"{exact}: is a folder, expected files such as '{pattern.rstrip('/')}/*.csv'")
        matches = sorted(glob.glob(pattern, root_dir=base_dir, recursive=True), key=_natural)
        files = [base_dir / match for match in matches if (base_dir / match).is_file()]
        if not files:
            raise InputNotFound(f"{pattern!r} matches no file in {base_dir.absolute()}")
        found.update(dict.fromkeys(files))
    return list(found)


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal. Raises InputNotFound if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise InputNotFound(f"{path}: cannot be read: {error.strerror or error}") from None
    return digest.hexdigest()


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts 2.csv before 10.csv: runs of digits count as numbers."""
    parts: list[tuple[int, int, str]] = []
    digits = ""
    for char in name + "\0":
        if char.isdecimal():
            digits += char
            continue
        if digits:
            parts.append((0, int(digits), ""))
            digits = ""
        parts.append((1, 0, char))
    return parts
