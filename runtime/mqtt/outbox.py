"""What goes to the broker: what waits to be sent, and what was sent and is not acknowledged yet."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

MAX_OUTBOX = 10_000
"""Items that wait for the broker; beyond it the oldest publication is dropped, and counted."""


class Publication(NamedTuple):
    """A message to be sent."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    stored: bool = False
    """Whether it is on disk until the broker has acknowledged it: one that a connection loses is read again."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The broker may forget a message."""

    mid: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Afterwards:
    """What to do when the broker has acknowledged every publication before it."""

    action: Callable[[], None]
    stored: bool = False
    """Whether it is about publications that are stored."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Whether to go on hearing what a subscription brings."""

    topic: str
    heard: bool


Outgoing = Publication | Acknowledgement | Afterwards | Listening


class Outbox:
    """What is to be sent, in order. What is stored has a lane of its own, which yields to the other."""

    def __init__(self, size: int = MAX_OUTBOX) -> None:
        self._size = size
        self._items: deque[Outgoing] = deque()
        self._stored: deque[Outgoing] = deque()
        self._room = threading.Condition()
        self._in_use = False
        """Whether a connection has taken items that it has not returned."""
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

    def put_all(self, items: Iterable[Acknowledgement]) -> None:
        """Add what is never dropped."""
        with self._room:
            self._items.extend(items)

    def put_back(self, items: list[Outgoing]) -> None:
        """Return items to the head, in their order; a full outbox loses the oldest of all."""
        with self._room:
            self._items.extendleft(reversed(items))
            while len(self._items) > self._size and self._drop_one():
                pass

    def reclaim(self, items: list[Outgoing]) -> None:
        """A connection ended: what it leaves undone comes first again, and stored items are forgotten."""
        with self._room:
            self._stored.clear()
            self.put_back(items)
            self._in_use = False

    def take(self) -> list[Outgoing]:
        """Take out all that is not stored; nothing while a connection may still return what comes before it."""
        with self._room:
            if self._in_use:
                return []
            items = list(self._items)
            self._items.clear()
            self._room.notify()
            return items

    def offer(self, items: Iterable[Outgoing]) -> None:
        """Add stored items, to be sent while nothing else waits."""
        with self._room:
            self._stored.extend(items)

    def withdraw(self) -> None:
        """Forget the stored items that were not sent."""
        with self._room:
            self._stored.clear()

    def get(self, room: int) -> Outgoing | None:
        """The next item, if the broker takes `room` more publications; nothing while that is negative."""
        with self._room:
            if not self.can_send(room):
                return None
            self._in_use = True
            if not self._items:
                return self._stored.popleft()
            if len(self._items) >= self._size:
                self._room.notify()
            return self._items.popleft()

    def can_send(self, room: int) -> bool:
        """Whether `get` would give something."""
        lane = self._items or self._stored
        if room < 0 or not lane:
            return False
        head = lane[0]
        return room > 0 or not isinstance(head, Publication) or head.qos == 0

    def _drop_one(self) -> bool:
        """Lose the oldest publication that is not a state to be retained: of states the last one counts."""
        for position, item in enumerate(self._items):
            if isinstance(item, Publication) and not item.retain:
                del self._items[position]
                self.dropped += 1
                return True
        return False


class Flight:
    """Publications that were sent and are not acknowledged, in their order, with what is to follow them."""

    def __init__(self) -> None:
        self._order: deque[Publication | Afterwards] = deque()
        self._mids: deque[int] = deque()
        """Of each item; 0 for what is no publication, or is acknowledged."""
        self._first = 0
        """Position of the first item, counted from the beginning."""
        self._open: dict[int, int] = {}
        """Position of each publication that is not acknowledged, by its message id."""

    def __len__(self) -> int:
        return len(self._open)

    @property
    def waiting(self) -> int:
        """Publications and actions."""
        return len(self._order)

    def sent(self, publication: Publication, mid: int) -> None:
        """A publication went out."""
        self._open[mid] = self._first + len(self._order)
        self._order.append(publication)
        self._mids.append(mid)

    def then(self, afterwards: Afterwards) -> None:
        """Do something when all before it is acknowledged: perhaps at once."""
        self._order.append(afterwards)
        self._mids.append(0)
        self._settle()

    def acknowledged(self, mid: int) -> None:
        """The broker has a publication."""
        position = self._open.pop(mid, None)
        if position is not None:
            self._mids[position - self._first] = 0
            self._settle()

    def take_back(self) -> list[Outgoing]:
        """What was lost with the connection, and what was to follow it; stored items are on disk."""
        left: list[Outgoing] = [
            item
            for item, mid in zip(self._order, self._mids, strict=True)
            if not item.stored and (mid or isinstance(item, Afterwards))
        ]
        self._order.clear()
        self._mids.clear()
        self._open.clear()
        return left

    def _settle(self) -> None:
        while self._order and not self._mids[0]:
            item = self._order.popleft()
            self._mids.popleft()
            self._first += 1
            if isinstance(item, Afterwards):
                item.action()
