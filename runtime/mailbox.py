"""The two bounded queues between the network thread and the program, and the delay between two attempts to connect."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MAX_OUTBOX = 10_000
"""Items that wait for the broker; beyond it the oldest publication is dropped, and counted."""


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Publication:
    """A message to be sent."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass(frozen=True)
class Acknowledgement:
    """The broker may forget a message."""

    mid: int
    epoch: int


@dataclass(frozen=True)
class Afterwards:
    """What to do when the broker has acknowledged every publication before it."""

    action: Callable[[], None]


Outgoing = Publication | Acknowledgement | Afterwards


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
        with self._changed:
            if not self._items:
                self._changed.wait(timeout_s)
            if not self._items:
                return None
            item = self._items.popleft()
            if len(self._items) == self._size // 2:
                self._changed.notify()
            return item

    def close(self) -> None:
        """Let the network thread go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Outbox:
    """What is to be sent, in order."""

    def __init__(self, size: int = MAX_OUTBOX) -> None:
        self._size = size
        self._items: deque[Outgoing] = deque()
        self._room = threading.Condition()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Outgoing, wait_s: float = 0.0) -> bool:
        """Add an item; a full outbox is waited for up to `wait_s`, then loses an old item: False."""
        with self._room:
            if len(self._items) >= self._size and wait_s > 0:
                self._room.wait(wait_s)
            kept = len(self._items) < self._size or not self._drop_one()
            self._items.append(item)
            return kept

    def get(self, room: int) -> Outgoing | None:
        """The next item, if the broker takes `room` more publications; nothing while that is negative."""
        with self._room:
            if not self.can_send(room):
                return None
            if len(self._items) >= self._size:
                self._room.notify()
            return self._items.popleft()

    def can_send(self, room: int) -> bool:
        """Whether `get` would give something."""
        if room < 0 or not self._items:
            return False
        head = self._items[0]
        return room > 0 or not isinstance(head, Publication) or head.qos == 0

    def _drop_one(self) -> bool:
        """Lose the oldest publication that is not a state to be retained: of states the last one counts."""
        for position, item in enumerate(self._items):
            if isinstance(item, Publication) and not item.retain:
                del self._items[position]
                self.dropped += 1
                return True
        return False


class Backoff:
    """Delays that double from `base_s` to `cap_s`, each drawn from zero to that: full jitter.

    A thousand devices that lost one broker come back spread over time, not all at once.
    """

    def __init__(self, base_s: float = 0.5, cap_s: float = 30.0) -> None:
        self._base_s, self._cap_s = base_s, cap_s
        self._attempt = 0

    def next_s(self) -> float:
        """The next delay in seconds."""
        limit = min(self._cap_s, self._base_s * 2.0 ** min(self._attempt, 30))
        self._attempt += 1
        return random.uniform(0.0, limit)  # noqa: S311 (no secret)

    def reset(self) -> None:
        """The connection was good: begin with small delays again."""
        self._attempt = 0
