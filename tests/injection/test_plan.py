"""Planned faults: balanced, within the recording, and as long as the plant's time constants require."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcedge.injection.faults import KINDS, Scales, inject
from vcedge.injection.plan import MOST_SHARE, NormalRows, correlation_rows, in_rounds, plan_faults
from vcedge.schema import F64


def plant(rows: int, memory: float, channels: int = 3, seed: int = 0) -> F64:
    """Return first-order channels with a time constant of so many rows."""
    rng = np.random.default_rng(seed)
    values, keep = np.zeros((rows, channels)), np.exp(-1 / memory)
    for row in range(1, rows):
        values[row] = keep * values[row - 1] + np.sqrt(1 - keep**2) * rng.standard_normal(channels)
    return values


def scales(channels: int = 3) -> Scales:
    return Scales(np.full(channels, 0.2), np.zeros(channels), np.ones(channels))


def normal(values: F64, residual: F64) -> NormalRows:
    return NormalRows.of(values, residual, scales(values.shape[1]))


@given(st.integers(12, 400), st.integers(1, 4), st.integers(0, 60), st.integers(0, 99))
@settings(max_examples=60)
def test_every_planned_fault_can_be_injected(rows: int, channels: int, count: int, seed: int) -> None:
    values = np.random.default_rng(seed).standard_normal((rows, channels))
    values[:, 0] = 7.0  # a constant channel
    rows_of_plant = normal(values, values)
    faults = plan_faults(rows_of_plant, count, seed=seed, lead=2)
    assert len(faults) == count
    assert faults == plan_faults(rows_of_plant, count, seed=seed, lead=2)
    for fault in faults:
        assert fault.start >= 2
        assert fault.length <= max(MOST_SHARE * (rows - 2), 5) + 1
        assert not np.array_equal(inject(values, fault, scales(channels)), values) or fault.kind in KINDS[5:]


def test_kinds_and_channels_take_turns() -> None:
    faults = plan_faults(normal(plant(500, 5), plant(500, 1)), 90, seed=4)
    assert set(Counter(fault.kind for fault in faults).values()) == {9}
    assert set(Counter((fault.kind, fault.channel) for fault in faults).values()) == {3}


def test_slow_plants_have_longer_faults() -> None:
    fast, slow = (
        plan_faults(normal(plant(8000, memory), plant(8000, memory / 4)), 200, seed=1) for memory in (4.0, 160.0)
    )
    assert min(fault.length for fault in fast) < 20 < 60 < min(fault.length for fault in slow)
    assert max(fault.length for fault in fast) > 1000


def test_correlation_length_is_measured() -> None:
    assert correlation_rows(plant(20_000, 50)) == pytest.approx(np.full(3, 50), rel=0.3)
    noise = np.random.default_rng(0).standard_normal((500, 2))
    noise[::7] = np.nan
    assert correlation_rows(noise).tolist() == [1, 1]
    assert correlation_rows(np.ones((50, 1))).tolist() == [1]
    assert correlation_rows(np.arange(100.0)[:, None])[0] > 10


def test_rounds_leave_normal_rows_between_faults() -> None:
    faults = plan_faults(normal(plant(2000, 10), plant(2000, 2)), 60)
    rounds = in_rounds(faults, gap=50)
    assert sorted(map(repr, faults)) == sorted(repr(fault) for group in rounds for fault in group)
    assert len(rounds) < 60
    for group in rounds:
        assert all(after.start - before.stop >= 50 for before, after in pairwise(group))


def test_decoupled_channel_starts_without_a_jump() -> None:
    values = plant(4000, 60)
    faults = plan_faults(normal(values, plant(4000, 1)), 40, kinds=("decoupled",))
    jumps = [abs(values[f.source, f.channel] - values[f.start, f.channel]) for f in faults]
    assert float(np.median(jumps)) < 0.1


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least 10"):
        plan_faults(normal(plant(12, 2), plant(12, 2)), 5, lead=5)
