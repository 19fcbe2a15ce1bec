"""The rate limit of an asset: a backlog of any length passes, a flood does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcedge.runtime.assets.asset import PER_PERIOD, sample_rate_limit
from vcedge.schema import NS_PER_S


@given(st.integers(1, 50), st.lists(st.integers(1, 5), max_size=200))
def test_samples_with_advancing_times_are_accepted(burst: int, periods: list[int]) -> None:
    limit = sample_rate_limit(NS_PER_S, burst)
    assert all(limit.try_acquire(count * NS_PER_S) for count in periods)
    assert limit.try_acquire(burst * NS_PER_S, burst)  # as a block


@pytest.mark.parametrize("step_ns", [-NS_PER_S, 0, 1, NS_PER_S // 1000])
def test_flood_is_limited_to_ten_samples_a_period(step_ns: int) -> None:
    """`since` is how far the asset's time advanced since the last accepted message."""
    limit, since, taken = sample_rate_limit(NS_PER_S, burst=100), 0, 0
    for _ in range(20_000):
        since += step_ns
        if limit.try_acquire(since):
            since, taken = 0, taken + 1
    passed_s = max(0, 20_000 * step_ns) / NS_PER_S
    assert 100 <= taken <= 100 + PER_PERIOD * passed_s + 1


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(-5, 5)), max_size=60))
def test_restored_limiter_grants_the_same(messages: list[tuple[int, int]]) -> None:
    plain, kept = sample_rate_limit(NS_PER_S, 50), sample_rate_limit(NS_PER_S, 50)
    for count, tenths in messages:
        advance_ns = tenths * NS_PER_S // 10
        assert plain.try_acquire(advance_ns, count) == kept.try_acquire(advance_ns, count)
        stored = kept.credit
        kept = sample_rate_limit(NS_PER_S, 50)
        kept.restore(stored)


def test_limit_of_an_asset_with_parts_is_a_multiple() -> None:
    whole, parts = sample_rate_limit(NS_PER_S, 1), sample_rate_limit(NS_PER_S, 1, parts=4)
    assert [whole.try_acquire(0) for _ in range(3)] == [True, False, False]
    assert parts.try_acquire(0)
    assert all(parts.try_acquire(NS_PER_S // (4 * PER_PERIOD)) for _ in range(20))
