"""Saves and restores one stream: a header, and the bytes of its record.

    "VCST", format version (u16), 2 bytes 0, layout fingerprint (8 bytes), the record

The fingerprint covers the name, type, size and offset of every field, so that a program whose record has another layout
rejects the bytes instead of misreading them. Snapshots of older formats belong to models of older formats, which this
program does not run, so there is no reader of them.
"""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache
from typing import Any

import numpy as np

from vcedge.errors import DataError
from vcedge.packed import unpack_bytes
from vcedge.runtime.stream.state import StreamState

FORMAT = 4
MAGIC = b"VCST"
HEADER = struct.Struct("<4sHxx8s")


def save_state(state: StreamState) -> bytes:
    """Return the snapshot of a stream's state."""
    return HEADER.pack(MAGIC, FORMAT, fingerprint(state.record.dtype)) + state.save()


def restore_state(state: StreamState, snapshot: object) -> None:
    """Set the state from a snapshot: bytes, or their base64 text.

    Raises DataError, which says what is lost, if the snapshot is of another model, layout or version.
    """
    data = snapshot if isinstance(snapshot, bytes) else unpack_bytes(snapshot)
    if len(data) < HEADER.size:
        raise DataError(f"a snapshot of {len(data)} bytes, expected at least {HEADER.size}")
    magic, version, layout = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise DataError("not the snapshot of a stream: it does not begin with VCST")
    if version != FORMAT:
        raise DataError(
            f"a snapshot of format {version}, this program reads {FORMAT}: the stream starts with a new state"
        )
    if layout != fingerprint(state.record.dtype):
        raise DataError(
            "a snapshot of another model or of a program with another layout: the stream starts with a new state"
        )
    state.restore(data[HEADER.size :])


@lru_cache(maxsize=256)
def fingerprint(dtype: np.dtype[Any]) -> bytes:
    """Return 8 bytes that identify the layout of a record."""
    return hashlib.sha256("\n".join(_described(dtype, "", 0)).encode()).digest()[:8]


def _described(dtype: np.dtype[Any], name: str, offset: int) -> list[str]:
    """Return a line for each field, including those of nested records."""
    if dtype.subdtype is not None:
        inner, shape = dtype.subdtype
        return [f"{name} {shape}", *_described(inner, name, offset)]
    if dtype.fields is None:
        return [f"{name} {dtype.newbyteorder('<').str} at {offset}"]
    lines = [f"{name} record of {dtype.itemsize} at {offset}"]
    for field, (kind, at, *_) in dtype.fields.items():
        lines += _described(kind, f"{name}.{field}", at)
    return lines
