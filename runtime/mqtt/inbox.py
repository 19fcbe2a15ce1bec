"""Messages that arrived from the broker and wait for the program, and the order in which they are acknowledged."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable
from typing import Literal, NamedTuple

ID_DIGITS = 12
MAX_BYTES = 32 << 20
"""Bytes of the messages that wait: a flood of large messages must not exhaust the memory."""


MessageKind = Literal["sample", "setting", "feedback", "model", "other"]
"""The kinds of messages, by their topics."""


class Address(NamedTuple):
    """Holds what a topic says about its messages."""

    kind: MessageKind = "other"
    asset: str = ""
    channel: str | None = None
    """The channel of a sample, if each sensor has a topic."""
    setting: str = ""
    lane: Hashable = None
    """Messages of one lane keep their order, and lanes take turns."""


class Incoming(NamedTuple):
    """Holds a message as it arrived, with what its acknowledgement needs."""

    topic: str
    payload: bytes
    qos: int
    duplicate: bool
    """Whether the broker marks it as delivered again."""
    arrival_ns: int
    """Wall clock at its arrival, for a message without a time."""
    mid: int
    epoch: int
    """Number of its connection: on a later one the same message id means another message."""
    retained: bool = False
    """Whether the broker had retained it from before the subscription."""
    address: Address = Address()

    @property
    def id(self) -> str:
        """Id in the log and in a dead letter: the same when the message is delivered again."""
        return hashlib.sha256(f"{self.topic}\n".encode("utf-8", "surrogatepass") + self.payload).hexdigest()[:ID_DIGITS]


class Inbox:
    """Queues messages in lanes that take turns, so that a flood in one lane delays no other.

    A full inbox blocks the network thread, so that no message is lost. It continues when half of the inbox is empty: a
    change of threads for each message would cost more than the message.
    """

    def __init__(self, size: int, max_bytes: int = MAX_BYTES) -> None:
        self._size, self._max_bytes = size, max_bytes
        self._lanes: OrderedDict[Hashable, deque[Incoming]] = OrderedDict()
        """The lanes that are not empty; the first one is next."""
        self._count = self._bytes = 0
        self._full = False
        """Whether the network thread has to wait."""
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        return self._count

    def put(self, item: Incoming) -> None:
        """Add a message; wait while the inbox is full. A closed inbox discards it: the broker will deliver it again."""
        with self._changed:
            self._full = self._count >= self._size or self._bytes >= self._max_bytes
            if self._full:
                self._changed.wait_for(lambda: self._closed or not self._full)
            if not self._closed:
                self._lanes.setdefault(item.address.lane, deque()).append(item)
                self._count += 1
                self._bytes += len(item.payload)
                if self._count == 1:
                    self._changed.notify()

    def get(self, timeout_s: float) -> Incoming | None:
        """Return the oldest message of the next lane, or None after the timeout."""
        return next(iter(self.get_many(1, timeout_s)), None)

    def get_many(self, count: int, timeout_s: float) -> list[Incoming]:
        """Return up to `count` messages, one of each lane in turn, after waiting for the first of them."""
        with self._changed:
            if not self._count:
                self._changed.wait(timeout_s)
            items = [self._pop() for _ in range(min(count, self._count))]
            if self._full and self._count <= self._size // 2 and self._bytes <= self._max_bytes // 2:
                self._full = False
                self._changed.notify()
            return items

    def close(self) -> None:
        """Release the network thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _pop(self) -> Incoming:
        lane, waiting = self._lanes.popitem(last=False)
        item = waiting.popleft()
        if waiting:
            self._lanes[lane] = waiting
        self._count -= 1
        self._bytes -= len(item.payload)
        return item


class OrderedAcknowledgements:
    """Releases acknowledgements in the order in which their messages arrived, as MQTT requires.

    Messages may be handled in any order. A new connection discards the acknowledgements of the last one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._epoch = 0
        self._waiting: OrderedDict[int, Incoming | None] = OrderedDict()
        """Message ids in the order of arrival, with the message once it is handled."""

    def add(self, message: Incoming) -> None:
        """Record the arrival of a message. QoS 0 needs no acknowledgement."""
        if message.qos == 0:
            return
        with self._lock:
            if message.epoch != self._epoch:
                self._epoch = message.epoch
                self._waiting.clear()
            self._waiting.setdefault(message.mid, None)

    def release(self, messages: Iterable[Incoming]) -> list[Incoming]:
        """Mark messages as handled; return those to acknowledge now, because all messages before them are handled."""
        released: list[Incoming] = []
        with self._lock:
            for message in messages:
                if message.epoch == self._epoch and message.mid in self._waiting:
                    self._waiting[message.mid] = message
            while self._waiting:
                mid, first = self._waiting.popitem(last=False)
                if first is None:
                    self._waiting[mid] = None
                    self._waiting.move_to_end(mid, last=False)
                    break
                released.append(first)
        return released
