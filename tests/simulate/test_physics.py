"""The rig obeys its physics: pump curve, affinity laws, thermal lags."""

from __future__ import annotations

import numpy as np
import pytest

from vcedge.schema import F64
from vcedge.simulate import rig, signals
from vcedge.simulate.rig import Condition, Disturbances, Truth
from vcedge.simulate.set_points import SetPoints


def still_air(rows: int) -> Disturbances:
    zero = np.zeros(rows)
    return Disturbances(zero + 20.0, zero + 0.15, zero, zero, zero, zero + 1.0)


def settled(speed: F64 | float, valve: F64 | float, rows: int = 9000, cooling: float = 1.0) -> Truth:
    """Return a run without disturbances at set points that are numbers or (rows,) arrays."""
    operation = SetPoints(np.broadcast_to(speed, rows) + 0.0, np.broadcast_to(valve, rows) + 0.0, ())
    condition = Condition.healthy(rows)
    condition.cooling[:] = cooling
    return rig.run(operation, still_air(rows), condition, 1.0)


def time_to_63_percent(values: F64, step_row: int) -> int:
    before, after = values[step_row], values[-1]
    return int(np.argmax((values[step_row:] - before) / (after - before) >= 1.0 - np.exp(-1.0)))


VALVE_STEP = np.repeat([40.0, 100.0], [5000, 6000])


def test_motor_follows_a_load_step_with_its_time_constant() -> None:
    truth = settled(rig.NOMINAL_RPM, VALVE_STEP, len(VALVE_STEP))
    assert time_to_63_percent(truth.body_k, 5000) == pytest.approx(rig.MOTOR_TAU_S, abs=25)
    assert time_to_63_percent(truth.motor_c, 5000) == pytest.approx(rig.MOTOR_TAU_S + rig.WINDING_TAU_S, abs=30)
    assert truth.motor_c[-1] - truth.motor_c[4999] > 10.0
    assert truth.current_a[5100] == pytest.approx(truth.current_a[-1], rel=0.01)  # the cause itself changes at once


def test_failed_cooling_changes_gain_and_time_constant_by_one_factor() -> None:
    sound = settled(rig.NOMINAL_RPM, VALVE_STEP, len(VALVE_STEP))
    failed = settled(rig.NOMINAL_RPM, VALVE_STEP, len(VALVE_STEP), cooling=1.5)
    assert (failed.motor_c[-1] - 20.0) / (sound.motor_c[-1] - 20.0) == pytest.approx(1.5, rel=0.01)
    ratio = time_to_63_percent(failed.body_k, 5000) / time_to_63_percent(sound.body_k, 5000)
    assert ratio == pytest.approx(1.5, rel=0.05)
    np.testing.assert_array_equal(failed.current_a, sound.current_a)


def test_operating_point_is_on_the_curves_of_pump_and_loop() -> None:
    truth = settled(2600.0, 70.0)
    flow, rise = truth.flow_m3h[-1], truth.pressure_bar[-1] - 0.15
    shutoff = rig.SHUTOFF_BAR * (2600.0 / rig.NOMINAL_RPM) ** 2
    assert rise == pytest.approx(shutoff - rig.PUMP_DROP * flow**2, rel=1e-6)
    valve_drop = rig.VALVE_DROP / rig.VALVE_RANGE ** (2 * (0.7 - 1.0))
    assert rise == pytest.approx(rig.STATIC_BAR + (rig.PIPE_DROP + valve_drop) * flow**2, rel=1e-6)


def test_closing_the_valve_raises_pressure_and_lowers_flow_and_current() -> None:
    runs = [settled(2600.0, valve, 200) for valve in (100.0, 80.0, 60.0, 40.0)]
    assert (np.diff([run.pressure_bar[-1] for run in runs]) > 0).all()
    assert (np.diff([run.flow_m3h[-1] for run in runs]) < 0).all()
    assert (np.diff([run.current_a[-1] for run in runs]) < 0).all()


def test_speed_change_follows_the_affinity_laws() -> None:
    load = np.array([0.3, 0.7, 1.0])
    full, half = rig.shaft_power(np.ones(3), load), rig.shaft_power(np.full(3, 0.5), load)
    np.testing.assert_allclose(full / half, 8.0)
    # Head ~ speed² at corresponding flows, flow ~ speed where there is no static head.
    opening = np.full(2, 80.0)
    head = rig.SHUTOFF_BAR * np.array([1.0, 0.64])
    flow = rig.operating_flow(head + rig.STATIC_BAR, opening)
    assert flow[1] / flow[0] == pytest.approx(0.8)


def test_vibration_grows_with_speed_and_nothing_moves_at_standstill() -> None:
    runs = [settled(speed, 90.0, 200) for speed in (0.0, 1750.0, 2950.0)]
    assert runs[0].vibration_mms[-1] < 0.1 < runs[1].vibration_mms[-1] < runs[2].vibration_mms[-1]
    assert runs[0].flow_m3h[-1] == 0.0
    assert runs[0].current_a[-1] == 0.0
    assert runs[0].motor_c[-1] == 20.0


def test_start_needs_more_torque_than_running() -> None:
    truth = settled(2600.0, 70.0, 300)
    assert truth.current_a.max() > truth.current_a[-1] * 1.005
    assert 40.0 < time_to_63_percent(truth.speed_rpm, 0) / 0.632 < 50.0  # 2600 rpm at 60 rpm/s


def test_lag_is_exact_for_any_period() -> None:
    fine = signals.lag(np.ones(100), 10.0, 0.1, 0.0)
    coarse = signals.lag(np.ones(10), 10.0, 1.0, 0.0)
    np.testing.assert_allclose(fine[9::10], coarse)
    assert coarse[-1] == pytest.approx(1.0 - np.exp(-1.0))


def test_coloured_noise_has_unit_variance_and_the_stated_correlation() -> None:
    noise = signals.coloured(np.random.default_rng(3).standard_normal(200_000), 20.0, 1.0)
    assert noise.std() == pytest.approx(1.0, abs=0.05)
    assert np.corrcoef(noise[:-20], noise[20:])[0, 1] == pytest.approx(np.exp(-1.0), abs=0.05)


def test_rate_limit_and_moving_window() -> None:
    assert signals.limit_rate(np.array([0.0, 5.0, 5.0, -9.0]), 2.0, 1.0, 0.0).tolist() == [0.0, 2.0, 4.0, 2.0]
    assert signals.window(7, 1, 6, 2).tolist() == [0.0, 0.5, 1.0, 1.0, 1.0, 0.5, 0.0]


def test_room_is_warmest_in_the_afternoon() -> None:
    day = rig.disturb(1440, 60.0, 0, np.random.default_rng(0)).ambient_c
    assert day[14 * 60 : 16 * 60].mean() - day[2 * 60 : 4 * 60].mean() == pytest.approx(5.0, abs=1.5)
