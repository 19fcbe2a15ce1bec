"""Limits how many samples an asset may send, by the time in its own samples.

A machine sends one sample a period. Even if hours of samples arrive at once after an outage, their times advance, which
earns credit. In a flood the times do not advance enough. No clock is read, so that the decision about a message is the
same when it is delivered again.
"""

from __future__ import annotations

from vcedge.rate_limiter import RateLimiter

PER_PERIOD = 10
"""Samples that an asset may send for each period of its model."""


def sample_rate_limit(period_ns: int, burst: int, parts: int = 1) -> RateLimiter:
    """Return a limiter for `burst` samples at once, and PER_PERIOD samples for each period that their time advances.

    `parts` is the number of messages that make up one sample. Times are integers of nanoseconds.
    """
    return RateLimiter(burst, max(1, period_ns // (PER_PERIOD * parts)))
