"""Delays between attempts to connect, and detection of a client id that is used twice."""

from __future__ import annotations

import random

STABLE_S = 10.0
"""A connection that lasts longer than this resets the backoff."""
STABLE_IN_CONFLICT_S = 300.0
"""The same limit during a conflict of client ids: the other client reconnects after delays of its own."""
MANY_SHORT = 3
"""Connections in a row shorter than STABLE_S that count as a conflict of client ids."""


class Backoff:
    """Computes exponential backoff from `base_s` to `cap_s` with full jitter: a delay is drawn from zero to the limit.

    So a thousand devices that lost one broker do not reconnect all at once.
    """

    def __init__(self, base_s: float = 0.5, cap_s: float = 30.0) -> None:
        self._base_s, self._cap_s = base_s, cap_s
        self._attempt = 0

    def next_s(self) -> float:
        """Return the next delay in seconds."""
        limit = min(self._cap_s, self._base_s * 2.0 ** min(self._attempt, 30))
        self._attempt += 1
        return random.uniform(0.0, limit)  # noqa: S311 (no secret)

    def reset(self) -> None:
        """Begin with short delays again."""
        self._attempt = 0


class IdConflictDetector:
    """Detects another client with the same id: the broker then ends one connection for the other, again and again.

    MQTT 5 has a reason code for it. With 3.1.1 it shows in connections that are accepted and soon end.
    """

    def __init__(self) -> None:
        self._short = 0
        self.suspected = False
        self.count = 0
        """Connections lost to another client."""

    def connection_ended(self, lasted_s: float, *, taken_over: bool) -> bool:
        """Record the end of an accepted connection, and return whether it is the first sign of a conflict."""
        self._short = self._short + 1 if lasted_s < STABLE_S else 0
        before = self.suspected
        self.suspected = taken_over or self._short >= MANY_SHORT or (before and lasted_s < STABLE_IN_CONFLICT_S)
        self.count += self.suspected
        return self.suspected and not before
