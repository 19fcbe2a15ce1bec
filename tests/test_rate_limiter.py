"""The token bucket: burst, refill, and what a refused request costs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vcedge.rate_limiter import RateLimiter


def test_burst_is_granted_at_once_and_then_one_token_an_interval() -> None:
    limiter = RateLimiter(3, 2.0)
    granted = [now for now in range(21) for _ in range(5) if limiter.try_acquire_at(float(now))]
    assert granted == [0, 0, 0, *range(2, 21, 2)]


def test_refused_request_costs_nothing() -> None:
    limiter = RateLimiter(2, 10)
    assert limiter.try_acquire(0, tokens=2)
    assert not limiter.try_acquire(9)
    assert not limiter.try_acquire(19, tokens=2)
    assert limiter.try_acquire(19)
    assert limiter.credit == 9


@given(st.lists(st.floats(0, 5), max_size=50))
def test_ready_at_agrees_with_try_acquire_at(pauses: list[float]) -> None:
    limiter, now = RateLimiter(2, 3.0), 0.0
    for pause in pauses:
        now += pause
        ready = limiter.ready_at(now)
        assert limiter.try_acquire_at(now) == ready


def test_restored_credit_is_bounded_by_the_burst() -> None:
    limiter = RateLimiter(2, 10)
    limiter.restore(1000)
    assert limiter.credit == 20
