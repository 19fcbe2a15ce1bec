"""Injected faults: the described change, and no other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcedge.injection.faults import KINDS, FaultKind, InjectedFault, Scales, inject, inject_all
from vcedge.schema import F64

ROWS, CHANNELS = 120, 3
SCALES = Scales(np.array([0.1, 2.0, 0.5]), np.array([5.0, -100.0, 0.0]), np.array([1.0, 10.0, 0.5]))


def recording(seed: int, missing: float = 0.1) -> F64:
    rng = np.random.default_rng(seed)
    values = SCALES.center + SCALES.scale * np.cumsum(rng.standard_normal((ROWS, CHANNELS)), axis=0) / 5
    values[rng.random(values.shape) < missing] = np.nan
    return np.asarray(values)


@st.composite
def faults(draw: st.DrawFn, kinds: tuple[FaultKind, ...] = KINDS) -> InjectedFault:
    kind = draw(st.sampled_from(kinds))
    start = draw(st.integers(0, ROWS - 1))
    length = draw(st.integers(1, ROWS - start))
    channel = draw(st.integers(0, CHANNELS - 1))
    share = kind in ("gain", "swap", "decoupled")
    return InjectedFault(
        kind,
        channel,
        start,
        length,
        draw(st.floats(0, 1)) if share else draw(st.floats(0, 50)),
        partner=(channel + 1) % CHANNELS if kind == "swap" else None,
        period=draw(st.floats(2, 50)),
        source=draw(st.integers(0, ROWS - length)),
        seed=draw(st.integers(0, 1000)),
    )


@given(faults(), st.integers(0, 50))
@settings(max_examples=200)
def test_only_the_rows_and_channels_of_the_fault_change(fault: InjectedFault, seed: int) -> None:
    values = recording(seed)
    before = values.copy()
    faulty = inject(values, fault, SCALES)
    assert np.array_equal(values, before, equal_nan=True)
    assert np.array_equal(np.isnan(faulty), np.isnan(values))
    touched = np.zeros(values.shape, bool)
    for channel in (fault.channel, fault.channel if fault.partner is None else fault.partner):
        touched[fault.start : fault.stop, channel] = True
    assert np.array_equal(faulty[~touched], values[~touched], equal_nan=True)
    assert np.array_equal(faulty, inject(values, fault, SCALES), equal_nan=True)
    assert np.array_equal(faulty, inject_all(values, [fault], SCALES), equal_nan=True)


@given(faults(tuple(kind for kind in KINDS if kind != "stuck")), st.integers(0, 50))
def test_fault_of_size_zero_changes_nothing(fault: InjectedFault, seed: int) -> None:
    values = recording(seed, missing=0)
    nothing = InjectedFault(**{**vars(fault), "size": 0.0})
    assert inject(values, nothing, SCALES) == pytest.approx(values, rel=1e-12)


def one(kind: FaultKind, size: float = 1.0, **more: int | float) -> tuple[F64, F64]:
    """Return channel 0 before and after a fault on its rows 40 to 80."""
    values = recording(1, missing=0)
    fault = InjectedFault(kind, 0, 40, 40, size, **more)  # type: ignore[arg-type]
    return values[40:80, 0], inject(values, fault, SCALES)[40:80, 0]


def test_size_is_in_units_of_the_channels_noise() -> None:
    before, after = one("offset", 3.0)
    assert after - before == pytest.approx(np.full(40, 0.3))
    before, after = one("drift", 4.0)
    assert (after - before)[-1] == pytest.approx(0.4)
    assert np.diff(after - before) == pytest.approx(np.full(39, 0.01))
    before, after = one("oscillation", 2.0, period=8.0)
    assert np.abs(after - before).max() == pytest.approx(0.2)
    before, after = one("spike", 5.0)
    assert np.count_nonzero(after != before) == 4
    assert np.abs(after - before).max() == pytest.approx(0.5)


def test_noise_grows_by_the_factor() -> None:
    values = np.zeros((20_000, 1))
    scales = Scales(np.array([0.5]), np.zeros(1), np.ones(1))
    added = inject(values, InjectedFault("noise", 0, 0, 20_000, 2.0), scales)
    assert np.hypot(added.std(), 0.5) == pytest.approx(1.5, rel=0.02)


def test_stuck_channel_holds_its_last_reading_over_missing_ones() -> None:
    values = recording(2, missing=0)
    values[39, 1] = np.nan
    assert (inject(values, InjectedFault("stuck", 1, 40, 10), SCALES)[40:50, 1] == values[38, 1]).all()


def test_gain_swap_and_decoupling_keep_the_channels_own_scale() -> None:
    before, after = one("gain", 0.5)
    assert after - SCALES.center[0] == pytest.approx((before - SCALES.center[0]) / 2)
    values = recording(1, missing=0)
    _, after = one("swap", 1.0, partner=1)
    z = (values - SCALES.center) / SCALES.scale
    assert after == pytest.approx(SCALES.center[0] + SCALES.scale[0] * z[40:80, 1])
    _, after = one("decoupled", 1.0, source=3)
    assert after == pytest.approx(values[3:43, 0])


def test_delay_grows_in_and_stays() -> None:
    values = np.arange(100.0)[:, None]
    late = values - inject(values, InjectedFault("delay", 0, 20, 60, 5.0), Scales(np.ones(1), np.zeros(1), np.ones(1)))
    assert late[20:40, 0].tolist() == sorted(late[20:40, 0].tolist())
    assert (late[40:80, 0] == 5).all()
    assert (late[80:] == 0).all()


@pytest.mark.parametrize(
    "fault",
    [
        InjectedFault("offset", 0, 110, 11),
        InjectedFault("offset", 3, 0, 1),
        InjectedFault("offset", 0, 0, 0),
        InjectedFault("gain", 0, 0, 9, 1.5),
        InjectedFault("offset", 0, 0, 9, -1.0),
        InjectedFault("swap", 0, 0, 9),
        InjectedFault("swap", 0, 0, 9, partner=0),
        InjectedFault("oscillation", 0, 0, 9),
        InjectedFault("decoupled", 0, 0, 90, source=40),
        InjectedFault("fire", 0, 0, 9),  # type: ignore[arg-type]
    ],
)
def test_impossible_fault_is_refused(fault: InjectedFault) -> None:
    with pytest.raises(ValueError, match=r"expected|channel|partner|known"):
        inject(recording(0), fault, SCALES)


def test_faults_are_independent_of_each_other() -> None:
    values = recording(3, missing=0)
    pair = [InjectedFault("offset", 0, 10, 20, 9.0), InjectedFault("decoupled", 0, 60, 20, source=10)]
    faulty = inject_all(values, pair, SCALES)
    assert faulty[60:80, 0] == pytest.approx(values[10:30, 0])
    assert faulty[10:30, 0] == pytest.approx(values[10:30, 0] + 0.9)
