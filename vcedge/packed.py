"""Bytes as base64 in JSON, and the arrays that snapshots of format 1 hold in it, exact to the last bit."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.errors import DataError


def unpack(text: object, like: NDArray[Any]) -> NDArray[Any]:
    """Return the array, of the type and shape of `like`. Raises DataError if its size differs."""
    data = unpack_bytes(text)
    if len(data) != like.nbytes:
        raise DataError(f"an array of {len(data)} bytes, expected {like.nbytes}")
    stored = np.frombuffer(data, like.dtype.newbyteorder("<"))
    return stored.astype(like.dtype).reshape(like.shape)


def pack_bytes(data: bytes) -> str:
    """Return bytes in base64."""
    return base64.b64encode(data).decode("ascii")


def unpack_bytes(text: object) -> bytes:
    """Return the bytes that `pack_bytes` encoded. Raises DataError for anything but base64."""
    try:
        return base64.b64decode(text if isinstance(text, str) else "?", validate=True)
    except binascii.Error:
        raise DataError("not base64, expected an array in base64") from None
