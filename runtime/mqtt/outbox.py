"""Queues toward the broker: what waits to be sent, and what was sent and is not acknowledged yet."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

MAX_OUTBOX = 10_000
"""Items that wait for the broker. Beyond it the oldest publication is dropped and counted."""


class Publication(NamedTuple):
    """Holds a message to publish."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    stored: bool = False
    """Whether it stays on disk until the broker acknowledges it: a lost one is read from there again."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Requests the acknowledgement of a message that was received."""

    mid: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Completion:
    """Holds an action to run once the broker has acknowledged every publication before it."""

    action: Callable[[], None]
    stored: bool = False
    """Whether the publications before it are stored."""


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """Requests to suspend a subscription or to resume it."""

    topic: str
    subscribed: bool


Outgoing = Publication | Acknowledgement | Completion | SubscriptionChange


class Outbox:
    """Holds what is to be sent, in order. Stored items have a queue of their own with lower priority."""

    def __init__(self, size: int = MAX_OUTBOX) -> None:
        self._size = size
        self._items: deque[Outgoing] = deque()
        self._stored: deque[Outgoing] = deque()
        self._room = threading.Condition()
        self._in_use = False
        """Whether a connection has popped items that it may still return."""
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Outgoing, wait_s: float = 0.0) -> bool:
        """Add an item. If the outbox stays full for `wait_s`, drop an old publication and return False."""
        with self._room:
            if len(self._items) >= self._size and wait_s > 0:
                self._room.wait(wait_s)
            kept = len(self._items) < self._size or not self._drop_one()
            self._items.append(item)
            return kept

    def put_all(self, items: Iterable[Acknowledgement]) -> None:
        """Add acknowledgements, which are never dropped."""
        with self._room:
            self._items.extend(items)

    def put_stored(self, items: Iterable[Outgoing]) -> None:
        """Add stored items, to be sent while nothing else waits."""
        with self._room:
            self._stored.extend(items)

    def requeue(self, items: list[Outgoing]) -> None:
        """Return items to the head in their order; drop the oldest publications beyond the size."""
        with self._room:
            self._items.extendleft(reversed(items))
            while len(self._items) > self._size and self._drop_one():
                pass

    def reclaim(self, items: list[Outgoing]) -> None:
        """Requeue the items that a lost connection did not complete, and discard the stored ones."""
        with self._room:
            self._stored.clear()
            self.requeue(items)
            self._in_use = False

    def drain(self) -> list[Outgoing]:
        """Remove and return all items but the stored ones; none while a connection may still return earlier items."""
        with self._room:
            if self._in_use:
                return []
            items = list(self._items)
            self._items.clear()
            self._room.notify()
            return items

    def discard_stored(self) -> None:
        """Discard the stored items that were not sent."""
        with self._room:
            self._stored.clear()

    def pop(self, room: int) -> Outgoing | None:
        """Remove and return the next item that may be sent if the broker accepts `room` more publications.

        A negative `room` means that there is no connection: nothing may be sent.
        """
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
        """Return whether `pop` would return an item."""
        queue = self._items or self._stored
        if room < 0 or not queue:
            return False
        head = queue[0]
        return room > 0 or not isinstance(head, Publication) or head.qos == 0

    def _drop_one(self) -> bool:
        """Drop the oldest publication that is not a retained state; return False if there is none."""
        for position, item in enumerate(self._items):
            if isinstance(item, Publication) and not item.retain:
                del self._items[position]
                self.dropped += 1
                return True
        return False


class InFlight:
    """Holds the publications in flight in the order they were sent, with the completions that follow them."""

    def __init__(self) -> None:
        self._order: deque[Publication | Completion] = deque()
        self._mids: deque[int] = deque()
        """Message id of each item; 0 for a completion and for a publication that is acknowledged."""
        self._first = 0
        """Position of the first item, counted since the start."""
        self._open: dict[int, int] = {}
        """Position of each publication that is not acknowledged, by its message id."""

    def __len__(self) -> int:
        return len(self._open)

    @property
    def waiting(self) -> int:
        """Number of publications and completions."""
        return len(self._order)

    def add(self, publication: Publication, mid: int) -> None:
        """Add a publication that was sent with this message id."""
        self._open[mid] = self._first + len(self._order)
        self._order.append(publication)
        self._mids.append(mid)

    def add_completion(self, completion: Completion) -> None:
        """Add a completion; it runs at once if nothing before it waits."""
        self._order.append(completion)
        self._mids.append(0)
        self._settle()

    def acknowledge(self, mid: int) -> None:
        """Remove a publication that the broker has acknowledged."""
        position = self._open.pop(mid, None)
        if position is not None:
            self._mids[position - self._first] = 0
            self._settle()

    def drain(self) -> list[Outgoing]:
        """Remove all items; return those that a lost connection did not complete, except the stored ones."""
        left: list[Outgoing] = [
            item
            for item, mid in zip(self._order, self._mids, strict=True)
            if not item.stored and (mid or isinstance(item, Completion))
        ]
        self._order.clear()
        self._mids.clear()
        self._open.clear()
        return left

    def _settle(self) -> None:
        """Remove acknowledged publications from the head, and run the completions that reach it."""
        while self._order and not self._mids[0]:
            item = self._order.popleft()
            self._mids.popleft()
            self._first += 1
            if isinstance(item, Completion):
                item.action()
