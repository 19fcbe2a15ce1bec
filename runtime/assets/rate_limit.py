"""Limits how many samples an asset may send, by the time in its own samples.

A machine sends one sample a period, also when hours of them arrive at once after an outage: their times go on. The
times of a flood do not, and its messages cost more than the time they bring. No clock is read, so that a message that
is delivered again gets the same answer.
"""

from __future__ import annotations

from vcedge.rate_limiter import RateLimiter

PER_PERIOD = 10
"""Samples that an asset may send for each period of its model."""


class SampleRateLimit:
    """Lets an asset send `burst` samples at once, and PER_PERIOD samples for each period that its time advances."""

    def __init__(self, period_ns: int, burst: int, parts: int = 1) -> None:
        """Set the limit for samples that arrive in `parts` messages each."""
        self._limiter = RateLimiter(burst, max(1, period_ns // (PER_PERIOD * parts)))

    def try_acquire(self, samples: int, advance_ns: int) -> bool:
        """Accept samples that advance the asset's time by so much, or refuse them at no cost."""
        return self._limiter.try_acquire(advance_ns, samples)

    def snapshot(self) -> int:
        """Return the state as a JSON value; `restore` is the inverse."""
        return int(self._limiter.credit)

    def restore(self, snapshot: int) -> None:
        """Continue from a snapshot, which may be of another burst."""
        self._limiter.restore(int(snapshot))
