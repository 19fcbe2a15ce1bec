"""How many messages an asset may send, by the time in its own samples.

A machine sends a sample a period, also when hours of them come at once after an outage: their times go on. A flood's do
not, and its messages cost more than the time they bring. No clock: what is delivered again is judged alike.
"""

from __future__ import annotations

PER_PERIOD = 10
"""Samples that may come for each period of the model."""


class Allowance:
    """Of one asset. It may send `burst` samples at once, and PER_PERIOD for each period that its time goes on."""

    def __init__(self, period_ns: int, burst: int, parts: int = 1) -> None:
        """`parts`: messages that make one sample."""
        self._cost_ns = max(1, period_ns // (PER_PERIOD * parts))
        self._full_ns = burst * self._cost_ns
        self._credit_ns = self._full_ns

    def take(self, samples: int, advance_ns: int) -> bool:
        """Whether so many more may come, which bring the asset's time forward by this; refused ones cost nothing."""
        credit_ns = min(self._full_ns, self._credit_ns + max(0, advance_ns)) - samples * self._cost_ns
        if credit_ns < 0:
            return False
        self._credit_ns = credit_ns
        return True

    def snapshot(self) -> int:
        """The memory as a JSON value; `restore` is the inverse."""
        return self._credit_ns

    def restore(self, snapshot: int) -> None:
        """Go on from a snapshot, perhaps of another burst."""
        self._credit_ns = min(self._full_ns, int(snapshot))
