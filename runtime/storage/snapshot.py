"""Reads and writes snapshots: the state of all assets in one file, and the file before it.

    "vcedge-snapshot 2" and a line feed, a zlib stream of lines, SHA-256 of all before

The first line is a JSON object for the service, each further one `[asset, model id, state]`. The state of a stream is
bytes in base64 (runtime/stream/saved_state.py).
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
"""First bytes of the formats that this program reads, of equal length."""
DIGEST_BYTES = hashlib.sha256().digest_size
COMPRESSION = 1
"""zlib level. It halves the bytes in a tenth of a millisecond an asset; higher levels save a twentieth more."""


@dataclass(frozen=True)
class Contents:
    """Holds the contents of a snapshot."""

    common: dict[str, Any]
    """State that belongs to no asset."""
    assets: dict[str, tuple[str, dict[str, Any]]]
    """Model id and state of each asset."""


def encode_line(value: object) -> bytes:
    """Return a value as one line of a snapshot: JSON, with bytes in base64."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=pack_bytes).encode() + b"\n"


class SnapshotStore:
    """Keeps the last two snapshots of a service in its state directory."""

    def __init__(self, state_dir: StateDir) -> None:
        self._state_dir = state_dir
        self._current = state_dir.path / "snapshot"
        self._previous = state_dir.path / "snapshot.previous"

    def write(self, lines: Iterable[bytes]) -> None:
        """Write a snapshot to the medium and keep the last one. Raises OSError if the medium fails."""
        self._state_dir.replace(self._current, _encoded(lines), self._previous)

    def read(self) -> Iterator[Contents]:
        """Yield the intact snapshots, newest first, and log the others."""
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
    """Return the contents of a snapshot. Raises DataError if it is damaged, truncated or of an unknown format."""
    if not data.startswith(READABLE):
        other = data.startswith(MAGIC.split(b" ")[0]) and len(data) > len(MAGIC)
        raise DataError(
            "another version of vcedge wrote it: every asset starts with a new state" if other else "it is damaged"
        )
    body, digest = data[:-DIGEST_BYTES], data[-DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        raise DataError("it is damaged: its checksum differs")
    try:
        head, *rest = zlib.decompress(body[len(MAGIC) :]).splitlines()
        assets = {name: (model, state) for name, model, state in map(json.loads, rest)}
        return Contents(json.loads(head), assets)
    except (zlib.error, ValueError, TypeError) as error:
        raise DataError(f"it is not a snapshot: {error}") from None


def _encoded(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a snapshot."""
    digest, deflate = hashlib.sha256(), zlib.compressobj(COMPRESSION)

    def pieces() -> Iterator[bytes]:
        yield MAGIC
        yield from map(deflate.compress, lines)
        yield deflate.flush()

    for piece in pieces():
        digest.update(piece)
        yield piece
    yield digest.digest()
