"""Arrays as text in a JSON document, exact to the last bit: what the snapshots of streams are made of."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.errors import DataError


def pack(array: NDArray[Any]) -> str:
    """The bytes of an array in base64, little-endian; NaN and infinities included, which JSON's numbers are not."""
    return pack_bytes(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())


def unpack(text: object, like: NDArray[Any]) -> NDArray[Any]:
    """The array again, of the type and shape of `like`. Raises DataError where it is another one."""
    data = unpack_bytes(text)
    if len(data) != like.nbytes:
        raise DataError(f"an array of {len(data)} bytes, expected {like.nbytes}")
    stored = np.frombuffer(data, like.dtype.newbyteorder("<"))
    return stored.astype(like.dtype).reshape(like.shape)


def pack_bytes(data: bytes) -> str:
    """Bytes in base64."""
    return base64.b64encode(data).decode("ascii")


def unpack_bytes(text: object) -> bytes:
    """The inverse of `pack_bytes`. Raises DataError for anything that is not base64."""
    try:
        return base64.b64decode(text if isinstance(text, str) else "?", validate=True)
    except binascii.Error:
        raise DataError("no base64 where an array was expected") from None
