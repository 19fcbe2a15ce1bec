"""What came from the broker and waits for the program."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from dataclasses import dataclass

ID_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it arrived, with what its acknowledgement needs."""

    topic: str
    payload: bytes
    qos: int
    duplicate: bool
    """Whether the broker delivers it again."""
    arrival_ns: int
    """Wall clock at its arrival, for a message that tells no time itself."""
    mid: int
    epoch: int
    """Number of the connection it came by: an acknowledgement on a later one would be of another message."""
    retained: bool = False
    """Whether the broker had kept it from before the subscription."""

    @property
    def id(self) -> str:
        """What stands for it in the log and in its dead letter: the same when it is delivered again."""
        return hashlib.sha256(f"{self.topic}\n".encode("utf-8", "surrogatepass") + self.payload).hexdigest()[:ID_DIGITS]


class Inbox:
    """What arrived. A full inbox makes the network thread wait, so that nothing is lost for lack of room.

    It goes on when half of the inbox is empty: a change of threads for each message would cost more than the message.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[Incoming] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Incoming) -> None:
        """Add a message as soon as there is room; once closed it is left to the broker, which has it still."""
        with self._changed:
            if len(self._items) >= self._size:
                self._changed.wait_for(lambda: self._closed or len(self._items) <= self._size // 2)
            if not self._closed:
                self._items.append(item)
                if len(self._items) == 1:
                    self._changed.notify()

    def get(self, timeout_s: float) -> Incoming | None:
        """The oldest message, or None when none came within this time."""
        return next(iter(self.get_many(1, timeout_s)), None)

    def get_many(self, count: int, timeout_s: float) -> list[Incoming]:
        """The oldest messages, up to `count`; waits for the first of them."""
        with self._changed:
            if not self._items:
                self._changed.wait(timeout_s)
            before = len(self._items)
            items = [self._items.popleft() for _ in range(min(count, before))]
            if before > self._size // 2 >= len(self._items):
                self._changed.notify()
            return items

    def close(self) -> None:
        """Let the network thread go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
