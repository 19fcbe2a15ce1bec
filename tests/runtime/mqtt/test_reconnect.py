"""Backoff between attempts to connect."""

from __future__ import annotations

import pytest

from vcedge.runtime.mqtt.reconnect import Backoff


@pytest.mark.parametrize("attempts", [1, 5, 200])
def test_backoff_delays_are_spread_and_bounded(attempts: int) -> None:
    backoff = Backoff(base_s=0.5, cap_s=30.0)
    delays = [backoff.next_s() for _ in range(attempts)]
    assert 0 <= delays[0] <= 0.5
    assert all(0 <= delay <= 30 for delay in delays)
    if attempts > 100:
        assert max(delays) > 25
        assert min(delays[10:]) < 5
    backoff.reset()
    assert backoff.next_s() <= 0.5
