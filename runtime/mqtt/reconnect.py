"""Delays between two attempts to connect, and what many connections that end soon mean."""

from __future__ import annotations

import random

STABLE_S = 10.0
"""A connection that lasts so long was a good one: the next delay starts small again."""
CALM_S = 300.0
"""The same where another client fights for the connection: it comes back by delays of its own."""
SHORT = 3
"""So many connections in a row that the other side ends sooner than STABLE_S are no accident."""


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


class Rivalry:
    """Whether another client uses the same id: the broker then ends the connection of one for the other's, for ever.

    MQTT 5 says so; with 3.1.1 it shows in connections that are accepted and end soon, one after the other.
    """

    def __init__(self) -> None:
        self._short = 0
        self.suspected = False
        self.count = 0
        """Connections that were lost to a rival."""

    def ended(self, lasted_s: float, taken_over: bool) -> bool:
        """An accepted connection ended; whether this is the first sign of a rival, to be told."""
        self._short = self._short + 1 if lasted_s < STABLE_S else 0
        before = self.suspected
        self.suspected = taken_over or self._short >= SHORT or (before and lasted_s < CALM_S)
        self.count += self.suspected
        return self.suspected and not before
