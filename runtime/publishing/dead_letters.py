"""Dead letters: counts each message that is refused, and publishes and logs as many as a reader can follow.

Each kind has a rate limit of its own, so that a flood of one kind hides no other.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Literal

from vcedge.rate_limiter import RateLimiter
from vcedge.runtime.monitoring.counters import Counters
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.publishing.publisher import Publisher

BURST = 20
"""Dead letters of a kind that are published at once."""
EVERY_S = 1.0
"""Seconds for each further one."""

RefusalKind = Literal["unreadable", "asset", "flood", "setting"]


class DeadLetters:
    """Counts and publishes the refused messages of one service."""

    def __init__(self, publisher: Publisher, counters: Counters, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._publisher, self._counters, self._clock_s = publisher, counters, clock_s
        self._limits: defaultdict[RefusalKind, RateLimiter] = defaultdict(lambda: RateLimiter(BURST, EVERY_S))

    def refuse(self, message: Incoming, kind: RefusalKind, reason: str, asset: str = "") -> None:
        """Count a message that is not used, and publish why; `asset` is empty if the service has no such asset."""
        self._counters.dead_letters += 1
        self._counters.refused[kind] += 1
        if self._limits[kind].try_acquire_at(self._clock_s()):
            self._publisher.dead_letter(message, reason, asset)
        else:
            self._counters.dead_letters_suppressed += 1
