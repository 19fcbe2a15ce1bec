"""Remembers recent messages to recognise duplicates, since a broker does not always mark a redelivery."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any
from zlib import crc32

import numpy as np

from vcedge.packed import pack_bytes, unpack_bytes

MIN_SIZE = 2000
"""Least number of messages in a snapshot."""
IN_MEMORY = 8
"""Messages in memory, as a multiple of those in a snapshot: the broker may have missed the acknowledgement of older
ones, and deliver them again."""


class RecentMessages:
    """Holds 32 bits for each of the last messages.

    Only a message that is marked as a duplicate, or whose time is not new, is looked up. So a wrong match, one in two
    million, does not affect streams whose messages arrive in order.
    """

    def __init__(self, size: int = MIN_SIZE) -> None:
        """Hold `size` messages in a snapshot, and more in memory."""
        self._order: deque[int] = deque()
        self._counts: dict[int, int] = {}
        self._size = size

    def add(self, key: int) -> None:
        """Add the key of a message that was handled."""
        self._order.append(key)
        self._counts[key] = self._counts.get(key, 0) + 1
        if len(self._order) > IN_MEMORY * self._size:
            self._remove_oldest()

    def __contains__(self, key: int) -> bool:
        return key in self._counts

    def __len__(self) -> int:
        return len(self._order)

    def snapshot(self) -> str:
        """Return the last keys as a JSON value; `restore` is the inverse."""
        latest = islice(reversed(self._order), self._size)
        return pack_bytes(np.array(list(latest)[::-1], "<u4").tobytes())

    def restore(self, snapshot: Any) -> None:
        """Continue from a snapshot. Raises DataError or ValueError for anything else."""
        keys = np.frombuffer(unpack_bytes(snapshot), "<u4").tolist()
        self._order.clear()
        self._counts.clear()
        for key in keys:
            self.add(key)

    def _remove_oldest(self) -> None:
        key = self._order.popleft()
        left = self._counts.pop(key) - 1
        if left:
            self._counts[key] = left


def message_key(topic: str, payload: bytes) -> int:
    """Return 32 bits that stand for a message."""
    return crc32(payload, crc32(topic.encode("utf-8", "surrogatepass")))
