"""What came from the broker and waits for the program."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable
from enum import Enum
from typing import NamedTuple

ID_DIGITS = 12


MAX_BYTES = 32 << 20
"""Of the messages that wait: a flood of large ones must not fill the memory."""


class Taken(Enum):
    """What became of a message."""

    NOT = 0
    """It is of another kind."""
    REFUSED = 1
    """It changed nothing: it could not be read, or was not to be believed."""
    AGAIN = 3
    """It came before; what it changed then may still be nowhere but in memory."""
    USED = 2
    """It changed what a restart must not forget."""


class Incoming(NamedTuple):
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
    """What arrived, in lanes that take turns: a flood in one makes no other wait. In a lane the order is kept.

    A full inbox makes the network thread wait, so that nothing is lost for lack of room. It goes on when half of the
    inbox is empty: a change of threads for each message would cost more than the message.
    """

    def __init__(self, size: int, lane_of: Callable[[str], Hashable] | None = None) -> None:
        """`lane_of`: the lane of a topic; absent: all are in one."""
        self._size = size
        self._lane_of = lane_of
        self._lanes: OrderedDict[Hashable, deque[Incoming]] = OrderedDict()
        """Those that are not empty; the first has its turn."""
        self._count = self._bytes = 0
        self._full = False
        """Whether the network thread has to wait."""
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        return self._count

    def put(self, item: Incoming) -> None:
        """Add a message as soon as there is room; once closed it is left to the broker, which has it still."""
        lane = None if self._lane_of is None else self._lane_of(item.topic)
        with self._changed:
            self._full = self._count >= self._size or self._bytes >= MAX_BYTES
            if self._full:
                self._changed.wait_for(lambda: self._closed or not self._full)
            if not self._closed:
                self._lanes.setdefault(lane, deque()).append(item)
                self._count += 1
                self._bytes += len(item.payload)
                if self._count == 1:
                    self._changed.notify()

    def get(self, timeout_s: float) -> Incoming | None:
        """The oldest message of the lane whose turn it is, or None when none came within this time."""
        return next(iter(self.get_many(1, timeout_s)), None)

    def get_many(self, count: int, timeout_s: float) -> list[Incoming]:
        """The next messages, up to `count`, a lane's oldest at each turn; waits for the first of them."""
        with self._changed:
            if not self._count:
                self._changed.wait(timeout_s)
            items = [self._next() for _ in range(min(count, self._count))]
            if self._full and self._count <= self._size // 2 and self._bytes <= MAX_BYTES // 2:
                self._full = False
                self._changed.notify()
            return items

    def _next(self) -> Incoming:
        lane, waiting = self._lanes.popitem(last=False)
        item = waiting.popleft()
        if waiting:
            self._lanes[lane] = waiting
        self._count -= 1
        self._bytes -= len(item.payload)
        return item

    def close(self) -> None:
        """Let the network thread go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class InOrder:
    """Lets acknowledgements go in the order in which their messages came, as MQTT asks, in whatever order those were
    worked on. Of one connection at a time: a later one makes void what is left of an earlier.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._epoch = 0
        self._waiting: OrderedDict[int, Incoming | None] = OrderedDict()
        """Message ids in the order of arrival, with the message once it may be acknowledged."""

    def arrived(self, message: Incoming) -> None:
        """A message that will have to be acknowledged, if it is not of QoS 0."""
        if message.qos == 0:
            return
        with self._lock:
            if message.epoch != self._epoch:
                self._epoch = message.epoch
                self._waiting.clear()
            self._waiting.setdefault(message.mid, None)

    def ready(self, messages: Iterable[Incoming]) -> list[Incoming]:
        """Some may be acknowledged: those that this is true of for all messages before them, too."""
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
