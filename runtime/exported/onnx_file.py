"""Reads the metadata of an .onnx file from its protobuf fields, without onnx or onnxruntime.

A ModelProto is a sequence of fields; those of number 14 are entries of metadata, each a key (1) and a value (2). Values
are text, so bytes are in base64.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from vcedge.errors import ModelFileError

IR_VERSION, GRAPH, METADATA = 1, 7, 14
KEY, VALUE = 1, 2
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types; the others are for groups, which ONNX does not use."""
BASE64 = "base64:"
"""Prefix of a value that is bytes."""
MAX_VARINT = 10
Field = tuple[int, memoryview]


def metadata(data: bytes, name: str) -> dict[str, bytes]:
    """Return the entries of metadata by key. Raises ModelFileError unless the file is a complete .onnx file."""
    try:
        fields = list(_fields(memoryview(data)))
        if not {IR_VERSION, GRAPH} <= {number for number, _ in fields}:
            raise ValueError("no graph in it")
        entries = [dict(_fields(value)) for number, value in fields if number == METADATA]
        return {str(entry[KEY], "utf-8"): _value(bytes(entry[VALUE])) for entry in entries}
    except (ValueError, KeyError) as error:
        raise ModelFileError(f"{name}: not an ONNX file, or cut short: {error}") from None


def encoded(value: bytes) -> str:
    """Return a value as text: JSON unchanged, anything else in base64."""
    return value.decode() if value[:1] == b"{" else BASE64 + base64.b64encode(value).decode("ascii")


def _value(text: bytes) -> bytes:
    if not text.startswith(BASE64.encode()):
        return text
    try:
        return base64.b64decode(text[len(BASE64) :], validate=True)
    except binascii.Error as error:
        raise ValueError(f"metadata in base64: {error}") from None


def _fields(data: memoryview) -> Iterator[Field]:
    """Yield number and content of each field of a message; that of a varint is empty."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        size = 0
        if kind == VARINT:
            _, at = _varint(data, at)
        elif kind == BYTES:
            size, at = _varint(data, at)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} at byte {at}")
        if size > len(data) - at:
            raise ValueError(f"field {number} of {size} bytes at byte {at} of {len(data)}")
        yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return an integer of variable length and the offset after it."""
    value = 0
    for shift in range(MAX_VARINT):
        if at >= len(data):
            raise ValueError(f"ends within a number at byte {at}")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, at
    raise ValueError(f"number of more than {MAX_VARINT} bytes at byte {at}")
