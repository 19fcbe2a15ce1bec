"""Holds the update that waits to be examined, and limits the rate of examinations.

Only the last update counts, as with a retained message: an update that is superseded before is not examined.
"""

from __future__ import annotations

from dataclasses import dataclass

from vcedge.rate_limiter import RateLimiter

BURST = 20
"""Updates that are examined at once."""
PAUSE_S = 60.0
"""Seconds for each further examination."""
REPEAT_S = 1.0
"""Least time between two answers to updates that change nothing."""


@dataclass(frozen=True)
class PendingUpdate:
    """Holds an update that waits to be examined."""

    digest: str
    """Digest of the complete message."""
    message: bytes


class PendingUpdates:
    """Holds the pending update of one asset. `now_s` is a monotonic clock, which affects no score."""

    def __init__(self) -> None:
        self.waiting: PendingUpdate | None = None
        self.superseded = 0
        """Updates since the last examination that a later one has replaced."""
        self._examinations = RateLimiter(BURST, PAUSE_S)
        self._answers = RateLimiter(1, REPEAT_S)

    def put(self, update: PendingUpdate) -> None:
        """Store an update in the place of the one before it."""
        self.superseded += self.waiting is not None and self.waiting != update
        self.waiting = update

    def is_due(self, now_s: float) -> bool:
        """Return whether an update may be examined now."""
        return self._examinations.ready_at(now_s)

    def pop(self, now_s: float) -> PendingUpdate | None:
        """Return the pending update, to be examined now; None if there is none or it is not due."""
        if self.waiting is None or not self._examinations.try_acquire_at(now_s):
            return None
        update, self.waiting, self.superseded = self.waiting, None, 0
        return update

    def may_answer(self, now_s: float) -> bool:
        """Return whether to answer an update that changes nothing: a flood of them is not answered one by one."""
        return self._answers.try_acquire_at(now_s)
