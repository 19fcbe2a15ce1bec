"""A healthy run: its shape, its statistics, and refused arguments."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from vcedge.errors import UsageError
from vcedge.schema import NS_PER_S
from vcedge.simulate import SENSORS, Simulation, rig, signals, simulate
from vcedge.simulate.faults import KINDS
from vcedge.simulate.set_points import operate
from vcedge.simulate.simulation import START_NS


@pytest.fixture(scope="module")
def healthy() -> Simulation:
    return simulate(hours=12.0, seed=3)


def column(simulation: Simulation, name: str) -> np.ndarray:
    return simulation.values[:, simulation.names.index(name)]


def bytes_of(simulation: Simulation) -> bytes:
    return simulation.time_ns.tobytes() + simulation.values.tobytes() + simulation.anomaly.tobytes()


def test_run_has_the_shape_and_times_requested(healthy: Simulation) -> None:
    assert healthy.values.shape == (43_200, 8)
    assert healthy.time_ns.dtype == np.int64
    assert healthy.time_ns[0] == START_NS == 1_767_592_800 * NS_PER_S
    assert (np.diff(healthy.time_ns) == NS_PER_S).all()
    assert healthy.names[:2] == ("Pressure", "Flow")
    assert len(healthy.units) == 8
    assert not healthy.anomaly.any()
    assert healthy.faults == ()


@pytest.mark.parametrize("seed", range(5))
def test_readings_are_in_the_range_of_a_real_rig(seed: int) -> None:
    values = simulate(hours=12.0, seed=seed).values
    running = values[120:]
    low = np.nanmin(running, axis=0)
    high = np.nanmax(running, axis=0)
    expected = np.array(
        [(1.0, 4.6), (6.0, 36.0), (2.9, 10.0), (18.0, 75.0), (18.0, 55.0), (0.3, 2.5), (1740, 2960), (39, 101)]
    )
    assert (low > expected[:, 0]).all(), low
    assert (high < expected[:, 1]).all(), high
    assert (np.nanmin(values, axis=0) >= [s.low for s in SENSORS]).all()


def test_one_reading_in_a_thousand_is_missing_mostly_alone(healthy: Simulation) -> None:
    lost = np.isnan(healthy.values)
    assert 0.0006 < lost.mean() < 0.0015
    flat = lost[:, 0]
    runs = [len(list(group)) for is_lost, group in itertools.groupby(flat) if is_lost]
    assert max(runs) <= 12
    assert np.mean(np.array(runs) == 1) > 0.5
    assert lost.all(axis=1).any()  # sometimes a whole row


def test_readings_are_multiples_of_the_adc_step(healthy: Simulation) -> None:
    for index, sensor in enumerate(SENSORS):
        present = healthy.values[:, index]
        steps = present[~np.isnan(present)] / sensor.step
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-6, err_msg=sensor.name)


def test_pump_curve_can_be_fitted_from_the_data(healthy: Simulation) -> None:
    speed, flow = column(healthy, "Speed"), column(healthy, "Flow")
    model = 0.15 + rig.SHUTOFF_BAR * (speed / rig.NOMINAL_RPM) ** 2 - rig.PUMP_DROP * flow**2
    residual = (column(healthy, "Pressure") - model)[120:]
    assert np.nanstd(residual) < 0.03
    assert np.nanstd(column(healthy, "Pressure")[120:]) > 0.3


def test_motor_temperature_depends_on_earlier_load(healthy: Simulation) -> None:
    current = np.nan_to_num(column(healthy, "Current"), nan=5.0)
    temperature = column(healthy, "MotorTemperature")
    present = ~np.isnan(temperature)
    present[:3600] = False  # warming up
    smooth = signals.lag(current**2, rig.MOTOR_TAU_S, 1.0, 0.0)
    of_now = np.corrcoef(current[present] ** 2, temperature[present])[0, 1]
    of_before = np.corrcoef(smooth[present], temperature[present])[0, 1]
    assert of_before > 0.93
    assert of_before > of_now + 0.1


def test_correlations_have_the_right_signs(healthy: Simulation) -> None:
    rows = ~np.isnan(healthy.values).any(axis=1)
    rows[:3600] = False
    table = np.corrcoef(healthy.values[rows].T)

    def of(a: str, b: str) -> float:
        return float(table[healthy.names.index(a), healthy.names.index(b)])

    assert of("Speed", "Pressure") > 0.7
    assert of("Flow", "Current") > 0.6
    assert of("ValvePosition", "Flow") > 0.3
    assert of("Speed", "Vibration") > 0.3
    assert abs(of("Speed", "ValvePosition")) < 0.5  # set points are independent


@pytest.mark.parametrize("seed", range(8))
def test_operation_has_quiet_and_busy_stretches(seed: int) -> None:
    operation = operate(6 * 3600, 1.0, np.random.default_rng(seed))
    gaps = np.diff(operation.changes)
    assert gaps.min() >= 120
    assert gaps.max() <= 1620
    assert 0.45 < gaps[gaps >= 600].sum() / gaps.sum() < 0.9
    assert (gaps < 300).sum() >= 6
    changed = (np.diff(operation.speed_rpm) != 0) | (np.diff(operation.valve_percent) != 0)
    assert (np.flatnonzero(changed) + 1).tolist() == list(operation.changes)


def test_seed_determines_the_bytes() -> None:
    for count in (0, 3):
        once, again = simulate(3.0, count, seed=7), simulate(3.0, count, seed=7)
        assert bytes_of(once) == bytes_of(again)
        assert once.faults == again.faults
        assert bytes_of(once) != bytes_of(simulate(3.0, count, seed=8))


def test_longer_run_begins_with_the_shorter_one() -> None:
    short, long = simulate(1.0, seed=5), simulate(2.5, seed=5)
    assert short.values.tobytes() == long.values[:3600].tobytes()


@pytest.mark.parametrize("period_s", [0.1, 10.0, 60.0])
def test_other_periods_show_the_same_kind_of_rig(period_s: float) -> None:
    simulation = simulate(hours=4.0, faults=4, seed=2, period_s=period_s)
    assert len(simulation.time_ns) == round(4.0 * 3600.0 / period_s)
    assert simulation.time_ns[-1] - simulation.time_ns[0] == round((4.0 * 3600.0 - period_s) * NS_PER_S)
    assert 1.0 < np.nanmedian(simulation.values[:, 0]) < 4.6
    assert {fault.kind for fault in simulation.faults} < set(KINDS)
    assert all((fault.stop - fault.start) * period_s >= 180.0 for fault in simulation.faults)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hours": 0.0}, "hours: got 0, expected more than 0"),
        ({"hours": -1.0}, "hours: got -1"),
        ({"hours": float("nan")}, "hours: got nan"),
        ({"hours": float("inf")}, "hours: got inf"),
        ({"hours": 1e9}, "at most"),
        ({"hours": 1e-9}, "expected at least one period of 1 s"),
        ({"seed": -1}, "seed: got -1, expected 0 or more"),
        ({"faults": -2}, "faults: got -2, expected 0 or more"),
        ({"hours": 1.0, "faults": 2}, "faults: got 2 in 1 hours, expected at most 1: 2 need 1.5 hours"),
        ({"hours": 0.1, "faults": 1}, "expected at most 0"),
        ({"period_s": 0.0}, "period_s: got 0, expected 0.001 to 60 seconds"),
        ({"faults": 1, "kinds": ("bearing_ware",)}, "got 'bearing_ware', expected some of bearing_wear"),
        ({"faults": 1, "kinds": ()}, "got none"),
    ],
)
def test_invalid_arguments_are_refused_in_one_line(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        simulate(**arguments)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_shortest_run_is_one_row() -> None:
    assert simulate(hours=1 / 3600).values.shape == (1, 8)
