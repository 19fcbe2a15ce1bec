"""Which messages were handled lately: a broker delivers again what was not acknowledged, not always saying so."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any
from zlib import crc32

import numpy as np

from vcedge.packed import pack_bytes, unpack_bytes

LEAST = 2000
"""Messages that a snapshot remembers at least."""
MORE = 8
"""In memory it is so many times as many: a broker may have been told to forget them and not have heard it."""


class Recent:
    """The last messages by 32 bits of topic and payload.

    They are asked for only where a message says that it comes again or its time is not new: so a false answer, one in
    two million, means nothing for the messages of a stream in good order.
    """

    def __init__(self, size: int = LEAST) -> None:
        """`size`: of a snapshot."""
        self._order: deque[int] = deque()
        self._counts: dict[int, int] = {}
        self._size = size

    def add(self, key: int) -> None:
        """A message was handled."""
        self._order.append(key)
        self._counts[key] = self._counts.get(key, 0) + 1
        if len(self._order) > MORE * self._size:
            self._forget(self._order.popleft())

    def __contains__(self, key: int) -> bool:
        return key in self._counts

    def __len__(self) -> int:
        return len(self._order)

    def snapshot(self) -> str:
        """The memory as a JSON value; `restore` is the inverse."""
        latest = islice(reversed(self._order), self._size)
        return pack_bytes(np.array(list(latest)[::-1], "<u4").tobytes())

    def restore(self, snapshot: Any) -> None:
        """Go on from a snapshot. Raises DataError or ValueError for something else."""
        keys = np.frombuffer(unpack_bytes(snapshot), "<u4").tolist()
        self._order.clear()
        self._counts.clear()
        for key in keys:
            self.add(key)

    def _forget(self, key: int) -> None:
        left = self._counts.pop(key) - 1
        if left:
            self._counts[key] = left


def key_of(topic: str, payload: bytes) -> int:
    """What stands for a message."""
    return crc32(payload, crc32(topic.encode("utf-8", "surrogatepass")))
