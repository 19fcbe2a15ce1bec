"""Implements the token bucket of every rate limit. It reads no clock: the caller passes the elapsed time."""

from __future__ import annotations


class RateLimiter:
    """Grants `burst` tokens at once, and after that one token for each `interval` of the caller's time.

    Time is in any unit; with integers the arithmetic is exact. A refused request uses no tokens, and its elapsed time
    counts again in the next request.
    """

    def __init__(self, burst: int, interval: float) -> None:
        self._interval = interval
        self._full = burst * interval
        self._now = 0.0
        self.credit = self._full
        """Tokens left, as the time in which they refill: `interval` for each token."""

    def try_acquire(self, elapsed: float, tokens: int = 1) -> bool:
        """Acquire tokens if there are enough of them, `elapsed` after the last granted request."""
        credit = min(self._full, self.credit + max(0, elapsed)) - tokens * self._interval
        if credit < 0:
            return False
        self.credit = credit
        return True

    def try_acquire_at(self, now: float) -> bool:
        """Acquire a token; `now` is the time of a monotonic clock."""
        granted = self.try_acquire(now - self._now)
        if granted:
            self._now = now
        return granted

    def ready_at(self, now: float) -> bool:
        """Return whether `try_acquire_at` would grant a token, without acquiring one."""
        return min(self._full, self.credit + max(0, now - self._now)) - self._interval >= 0

    def restore(self, credit: float) -> None:
        """Set the saved `credit`, at most as much as the present burst allows."""
        self.credit = min(self._full, credit)
