"""Counts durations in buckets, which a monitoring system can sum over devices and compute quantiles from."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

BOUNDS_S = (
    *(1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
"""Upper bounds of the buckets; a last bucket counts what is longer."""


class Histogram:
    """Counts durations of one kind."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def observe(self, duration_s: float, times: int = 1) -> None:
        """Count a duration `times` times; a negative one, as after a clock was set, counts as zero."""
        duration_s = max(duration_s, 0.0)
        self.counts[bisect_left(BOUNDS_S, duration_s)] += times
        self.sum_s += times * duration_s

    def to_json(self) -> dict[str, Any]:
        """Return the counts of the buckets, the sum, and two quantiles (upper bounds in seconds; None if none)."""
        return {
            "counts": list(self.counts),
            "sum_s": self.sum_s,
            "p50_s": self.quantile(0.5),
            "p99_s": self.quantile(0.99),
        }

    def quantile(self, share: float) -> float | None:
        """Return the bound below which this share of the durations lies; None if there is none."""
        rest = share * sum(self.counts)
        for bound_s, count in zip(BOUNDS_S, self.counts, strict=False):
            rest -= count
            if count and rest <= 0:
                return bound_s
        return None
