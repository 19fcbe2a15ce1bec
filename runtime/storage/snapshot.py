"""The snapshot: the state of all assets in one file, complete or not at all, and the one before it.

    "vcedge-snapshot 2\n", a zlib stream of lines, SHA-256 of all before

The first line is a JSON object with what belongs to no asset, each further one `[asset, model id, state]`. States of
streams are their bytes in base64 (runtime/stream/saved_state.py); in format 1, of the program before 0.1.0, they are
JSON values, which are read as well.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vcedge.errors import DataError
from vcedge.packed import pack_bytes
from vcedge.runtime.storage.state_dir import StateDir

log = logging.getLogger("vcedge.snapshot")
MAGIC = b"vcedge-snapshot 2\n"
READABLE = (MAGIC, b"vcedge-snapshot 1\n")
"""Beginnings of the files that this program reads, of equal length."""
DIGEST = hashlib.sha256().digest_size
LEVEL = 1
"""Of compression: half the bytes for a tenth of a millisecond an asset; better ones save a twentieth more."""


@dataclass(frozen=True)
class Contents:
    """What a snapshot says."""

    common: dict[str, Any]
    """What belongs to no asset."""
    assets: dict[str, tuple[str, dict[str, Any]]]
    """Model id and state of each."""


def encode_line(value: object) -> bytes:
    """Return one line of a snapshot: JSON, with bytes in base64."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=pack_bytes).encode() + b"\n"


class SnapshotStore:
    """The two files of a service."""

    def __init__(self, disk: StateDir) -> None:
        self._disk = disk
        self._current = disk.path / "snapshot"
        self._previous = disk.path / "snapshot.previous"

    def write(self, lines: Iterable[bytes]) -> None:
        """Replace the snapshot; the last one is kept. When this returns it is on the medium. Raises OSError."""
        self._disk.replace(self._current, _packed(lines), self._previous)

    def read(self) -> Iterator[Contents]:
        """The snapshots that are intact, newest first; for one that is not, a line in the log."""
        for path in (self._current, self._previous):
            contents = self._intact(path)
            if contents is not None:
                yield contents

    def _intact(self, path: Path) -> Contents | None:
        try:
            return decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, DataError) as error:
            log.error("%s cannot be used: %s", path, error)
            return None


def decode(data: bytes) -> Contents:
    """The contents of a snapshot's file. Raises DataError where it is damaged, truncated or of another format."""
    if not data.startswith(READABLE):
        other = data.startswith(MAGIC.split(b" ")[0]) and len(data) > len(MAGIC)
        raise DataError("it is of another version of vcedge: every asset starts anew" if other else "it is damaged")
    body, digest = data[:-DIGEST], data[-DIGEST:]
    if hashlib.sha256(body).digest() != digest:
        raise DataError("it is damaged: its checksum differs")
    try:
        head, *rest = zlib.decompress(body[len(MAGIC) :]).splitlines()
        assets = {name: (model, state) for name, model, state in map(json.loads, rest)}
        return Contents(json.loads(head), assets)
    except (zlib.error, ValueError, TypeError) as error:
        raise DataError(f"it is not a snapshot: {error}") from None


def _packed(lines: Iterable[bytes]) -> Iterator[bytes]:
    """A snapshot's file, piece by piece."""
    digest, deflate = hashlib.sha256(), zlib.compressobj(LEVEL)

    def pieces() -> Iterator[bytes]:
        yield MAGIC
        yield from map(deflate.compress, lines)
        yield deflate.flush()

    for piece in pieces():
        digest.update(piece)
        yield piece
    yield digest.digest()
