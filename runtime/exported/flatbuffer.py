"""Reading FlatBuffers without the package of that name, and without trust: whatever leads out of the bytes is refused.

A buffer begins with the place of its root table. A table begins with the distance back to its vtable: two sizes, then
for each field its offset within the table, 0 where it is absent. Vectors and strings begin with their length.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VTABLE_HEAD = 4
"""Bytes of a vtable before its fields."""


class Malformed(ValueError):
    """The bytes are no sound buffer; the message says where."""


@dataclass(frozen=True)
class FlatTable:
    """A table at a place in the bytes. Fields go by their number in the schema."""

    data: bytes
    at: int

    def integer(self, field: int, layout: str = "i", default: int = 0) -> int:
        """A field that is a number; `layout` is that of `struct`, without the byte order."""
        place = self._place(field)
        return default if place == 0 else _number(self.data, place, layout)

    def table(self, field: int) -> FlatTable | None:
        """A field that is a table; None where it is absent."""
        place = self._place(field)
        return None if place == 0 else FlatTable(self.data, _follow(self.data, place))

    def text(self, field: int) -> str:
        """A field that is a string; empty where it is absent."""
        start, length = self.span(field)
        try:
            return self.data[start : start + length].decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed(f"the string at byte {start} is not UTF-8") from None

    def span(self, field: int, size: int = 1) -> tuple[int, int]:
        """First byte and number of elements, of `size` bytes each, of a field that is a vector; 0, 0 if absent."""
        place = self._place(field)
        if place == 0:
            return 0, 0
        start = _follow(self.data, place)
        length = _number(self.data, start, "I")
        if length * size > len(self.data) - start - 4:
            raise Malformed(f"{length} elements at byte {start} of {len(self.data)}")
        return start + 4, length

    def integers(self, field: int) -> list[int]:
        """A vector of int32."""
        start, length = self.span(field, 4)
        array: NDArray[np.int32] = np.frombuffer(self.data, "<i4", length, start)
        return [int(value) for value in array]

    def tables(self, field: int) -> Iterator[FlatTable]:
        """A vector of tables."""
        start, length = self.span(field, 4)
        for i in range(length):
            yield FlatTable(self.data, _follow(self.data, start + 4 * i))

    def _place(self, field: int) -> int:
        """Where a field begins, 0 where it is absent."""
        vtable = self.at - _number(self.data, self.at, "i")
        size, in_vtable = _number(self.data, vtable, "H"), VTABLE_HEAD + 2 * field
        if in_vtable + 2 > size:
            return 0
        offset = _number(self.data, vtable + in_vtable, "H")
        return self.at + offset if offset else 0


def root(data: bytes) -> FlatTable:
    """The root table."""
    return FlatTable(data, _follow(data, 0))


def _follow(data: bytes, place: int) -> int:
    return place + _number(data, place, "I")


def _number(data: bytes, at: int, layout: str) -> int:
    size = struct.calcsize("<" + layout)
    if not 0 <= at <= len(data) - size:
        raise Malformed(f"leads to byte {at} of {len(data)}")
    return int(struct.unpack_from("<" + layout, data, at)[0])
