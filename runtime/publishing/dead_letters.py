"""What is refused: each message is counted, and as many as a reader can take are published and logged.

The first of each kind are said at once; a flood of one kind hides no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from vcedge.runtime.monitoring.counters import Counters
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.publishing.publisher import Publisher

BURST = 20
"""Dead letters of a kind that are published at once,"""
EVERY_S = 1.0
"""and after them one in so long."""

Kind = Literal["unreadable", "asset", "flood", "setting"]


class DeadLetters:
    """Of one service."""

    def __init__(self, publisher: Publisher, counters: Counters, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._publisher = publisher
        self._counters = counters
        self._clock_s = clock_s
        self._room: dict[Kind, tuple[float, float]] = {}
        """How many more of a kind may be published, as of when."""

    def refuse(self, message: Incoming, kind: Kind, reason: str, asset: str = "") -> None:
        """Count a message that is not used, and say why; `asset` only where it is one of the service's."""
        self._counters.dead_letters += 1
        self._counters.refused[kind] += 1
        now_s = self._clock_s()
        room, since_s = self._room.get(kind, (BURST, now_s))
        room = min(BURST, room + (now_s - since_s) / EVERY_S)
        if room < 1:
            self._counters.dead_letters_suppressed += 1
        else:
            room -= 1
            self._publisher.deadletter(message, reason, asset)
        self._room[kind] = (room, now_s)
