"""When a snapshot is due: often enough that deliveries never stall, and no oftener, for a medium wears out.

A broker sends only so many messages ahead of the first that is not acknowledged, and nothing is acknowledged before a
snapshot. How many is known where the broker keeps to Receive Maximum. Where it sends fewer (its own limit; 20 is usual
with MQTT 3.1.1) it shows: deliveries stop with messages unacknowledged, and go on as soon as they are acknowledged.
"""

from __future__ import annotations

EVERY_S = 60.0
"""Longest time between a message and the snapshot that covers it."""
QUIET_S = 1.0
"""Silence that may be a stall. One that was not is waited for twice as long the next time, up to EVERY_S."""
HURRIED_S = 1.0
"""Least time between two snapshots that were asked for: who asks all the time must not wear the medium out."""
RESUME_S = 0.25
"""A message so soon after the acknowledgements had waited for them."""
LEAST = 10
"""Unacknowledged messages with which a broker may stall."""
SURE = 2
"""Stalls in a row that make the fewest messages among theirs the broker's window,"""
ALIKE = 2
"""where their numbers differ by no more than this factor: some brokers send a little more, some a little less."""


class Cadence:
    """Of one connection. Times are those of a monotonic clock, given by the caller."""

    def __init__(self, window: int, now_s: float) -> None:
        """`window`: how many messages the broker was told it may send ahead."""
        self._stated = self.window = window
        self._quiet_s = QUIET_S
        self._arrived_s = self._taken_s = now_s
        self._stall: int | None = None
        """Messages that were unacknowledged when a silence was taken for a stall, until the next message tells."""
        self._released_s: float | None = None
        self._hurried = False
        self._stalls: list[int] = []

    def connected(self) -> None:
        """Another connection, perhaps to another broker: what was learned is void."""
        self.window, self._quiet_s, self._stall, self._stalls = self._stated, QUIET_S, None, []

    def arrived(self, now_s: float, outstanding: int) -> None:
        """A message arrived; so many are not acknowledged with it."""
        self._arrived_s = now_s
        if outstanding > ALIKE * self.window:
            self.window, self._stalls = self._stated, []
        if self._stall is None or self._released_s is None:
            return
        if now_s - self._released_s <= RESUME_S:
            self._stalls = [*self._stalls[1 - SURE :], self._stall]
            if len(self._stalls) == SURE and max(self._stalls) <= ALIKE * min(self._stalls):
                self.window = min(*self._stalls, self._stated)
        else:
            self._stalls, self._quiet_s = [], min(2 * self._quiet_s, EVERY_S)
        self._stall = self._released_s = None

    def hurry(self) -> None:
        """Somebody relies on what was changed just now."""
        self._hurried = True

    def due(self, now_s: float, pending: int, changed: int) -> bool:
        """Whether to take a snapshot, for so many messages since the last one: to acknowledge, and in all."""
        if 2 * pending >= self.window or self._is_quiet(now_s, pending):
            return True
        return changed > 0 and now_s - self._taken_s >= (HURRIED_S if self._hurried else EVERY_S)

    def taken(self, now_s: float, pending: int) -> None:
        """A snapshot is taken; so many messages are to be acknowledged with it."""
        self._stall = pending if self._is_quiet(now_s, pending) else None
        self._released_s, self._taken_s, self._hurried = None, now_s, False

    def released(self, now_s: float) -> None:
        """Its messages are acknowledged. For any thread."""
        self._released_s = now_s

    def _is_quiet(self, now_s: float, pending: int) -> bool:
        return pending >= LEAST and now_s - self._arrived_s >= self._quiet_s
