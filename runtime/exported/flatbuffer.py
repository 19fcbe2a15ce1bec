"""Reads FlatBuffers from untrusted bytes, without the package of that name: an offset outside the bytes is an error.

A buffer begins with the offset of its root table. A table begins with the distance back to its vtable: two sizes, then
the offset of each field within the table, 0 if it is absent. Vectors and strings begin with their length.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VTABLE_HEAD = 4
"""Size of a vtable before its fields, in bytes."""


class Malformed(ValueError):
    """Reports bytes that are not a valid buffer, and the place."""


@dataclass(frozen=True)
class FlatTable:
    """Reads the fields of a table, by their number in the schema."""

    data: bytes
    at: int

    def integer(self, field: int, layout: str = "i", default: int = 0) -> int:
        """Return an integer field; `layout` is that of `struct` without the byte order."""
        place = self._place(field)
        return default if place == 0 else _number(self.data, place, layout)

    def table(self, field: int) -> FlatTable | None:
        """Return a field that is a table, None if it is absent."""
        place = self._place(field)
        return None if place == 0 else FlatTable(self.data, _follow(self.data, place))

    def text(self, field: int) -> str:
        """Return a field that is a string, empty if it is absent."""
        start, length = self.span(field)
        try:
            return self.data[start : start + length].decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed(f"the string at byte {start} is not UTF-8") from None

    def span(self, field: int, size: int = 1) -> tuple[int, int]:
        """Return first byte and length of a vector with elements of `size` bytes; (0, 0) if it is absent."""
        place = self._place(field)
        if place == 0:
            return 0, 0
        start = _follow(self.data, place)
        length = _number(self.data, start, "I")
        if length * size > len(self.data) - start - 4:
            raise Malformed(f"{length} elements at byte {start} of {len(self.data)}")
        return start + 4, length

    def integers(self, field: int) -> list[int]:
        """Return a vector of int32."""
        start, length = self.span(field, 4)
        array: NDArray[np.int32] = np.frombuffer(self.data, "<i4", length, start)
        return [int(value) for value in array]

    def tables(self, field: int) -> Iterator[FlatTable]:
        """Yield the tables of a vector."""
        start, length = self.span(field, 4)
        for i in range(length):
            yield FlatTable(self.data, _follow(self.data, start + 4 * i))

    def _place(self, field: int) -> int:
        """Return the first byte of a field, 0 if it is absent."""
        vtable = self.at - _number(self.data, self.at, "i")
        size, in_vtable = _number(self.data, vtable, "H"), VTABLE_HEAD + 2 * field
        if in_vtable + 2 > size:
            return 0
        offset = _number(self.data, vtable + in_vtable, "H")
        return self.at + offset if offset else 0


def root(data: bytes) -> FlatTable:
    """Return the root table."""
    return FlatTable(data, _follow(data, 0))


def _follow(data: bytes, place: int) -> int:
    return place + _number(data, place, "I")


def _number(data: bytes, at: int, layout: str) -> int:
    size = struct.calcsize("<" + layout)
    if not 0 <= at <= len(data) - size:
        raise Malformed(f"an offset leads to byte {at} of {len(data)}")
    return int(struct.unpack_from("<" + layout, data, at)[0])
