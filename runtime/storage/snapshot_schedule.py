"""Decides when to write a snapshot: often enough that the broker keeps delivering, rarely enough to spare flash memory.

A broker delivers a limited number of messages ahead of the first that is not acknowledged, its window, and nothing is
acknowledged before a snapshot. The window is known if the broker keeps to Receive Maximum. If it delivers fewer
(its own limit, often 20 with MQTT 3.1.1) a stall shows it: deliveries stop while messages are unacknowledged, and
resume as soon as they are acknowledged.
"""

from __future__ import annotations

INTERVAL_S = 60.0
"""Longest time between a message and the snapshot that covers it."""
QUIET_S = 1.0
"""Silence that counts as a stall. Each false stall doubles it, up to INTERVAL_S."""
REQUESTED_S = 1.0
"""Shortest time between two requested snapshots, so that frequent requests do not wear out the medium."""
RESUME_S = 0.25
"""A message that arrives within this time after the acknowledgements had waited for them."""
MIN_STALLED = 10
"""Fewest unacknowledged messages with which a broker may stall."""
STALLS = 2
"""Stalls in a row from which the window is learned: the least of their counts of unacknowledged messages."""
MAX_RATIO = 2
"""Largest ratio of those counts: some brokers deliver a little more than their window, some a little less."""


class SnapshotSchedule:
    """Schedules the snapshots for one connection. The caller gives the times, of a monotonic clock."""

    def __init__(self, window: int, now_s: float) -> None:
        """Start with the `window` that was stated to the broker: how many messages it may deliver ahead."""
        self._stated = self.window = window
        self._quiet_s = QUIET_S
        self._arrived_s = self._snapshot_s = now_s
        self._stall: int | None = None
        """Unacknowledged messages at the start of a supposed stall; None once the next message has arrived."""
        self._acknowledged_s: float | None = None
        self._requested = False
        self._stalls: list[int] = []

    def reset(self) -> None:
        """Forget what was learned: another connection may be to another broker."""
        self.window, self._quiet_s, self._stall, self._stalls = self._stated, QUIET_S, None, []

    def request(self) -> None:
        """Request a snapshot soon, because something relies on what just changed."""
        self._requested = True

    def is_due(self, now_s: float, pending: int, changed: int) -> bool:
        """Return whether a snapshot is due.

        Args:
            now_s: The time.
            pending: Messages to acknowledge since the last snapshot.
            changed: All messages since the last snapshot that changed something.
        """
        if 2 * pending >= self.window or self._is_quiet(now_s, pending):
            return True
        return changed > 0 and now_s - self._snapshot_s >= (REQUESTED_S if self._requested else INTERVAL_S)

    def record_arrival(self, now_s: float, outstanding: int) -> None:
        """Record that a message arrived, with which `outstanding` messages are unacknowledged."""
        self._arrived_s = now_s
        if outstanding > MAX_RATIO * self.window:
            self.window, self._stalls = self._stated, []
        if self._stall is None or self._acknowledged_s is None:
            return
        if now_s - self._acknowledged_s <= RESUME_S:
            self._stalls = [*self._stalls[1 - STALLS :], self._stall]
            if len(self._stalls) == STALLS and max(self._stalls) <= MAX_RATIO * min(self._stalls):
                self.window = min(*self._stalls, self._stated)
        else:
            self._stalls, self._quiet_s = [], min(2 * self._quiet_s, INTERVAL_S)
        self._stall = self._acknowledged_s = None

    def record_snapshot(self, now_s: float, pending: int) -> None:
        """Record the start of a snapshot, with which `pending` messages will be acknowledged."""
        self._stall = pending if self._is_quiet(now_s, pending) else None
        self._acknowledged_s, self._snapshot_s, self._requested = None, now_s, False

    def record_acknowledged(self, now_s: float) -> None:
        """Record that the messages of the last snapshot are acknowledged. Any thread may call it."""
        self._acknowledged_s = now_s

    def _is_quiet(self, now_s: float, pending: int) -> bool:
        return pending >= MIN_STALLED and now_s - self._arrived_s >= self._quiet_s
