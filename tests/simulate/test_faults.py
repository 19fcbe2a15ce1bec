"""Labelled faults: where they are, that they show, and that nothing else changes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from vcedge.simulate import SENSORS, SimulatedFault, Simulation, rig, signals, simulate
from vcedge.simulate.faults import COMMON_KINDS, KINDS
from vcedge.simulate.set_points import operate

NOISE = np.array([sensor.noise for sensor in SENSORS])


def only(kind: str, seed: int, hours: float = 3.0) -> tuple[Simulation, Simulation, SimulatedFault]:
    """Return a run with one fault of the kind, the same run without it, and the fault."""
    faulty = simulate(hours, 1, seed, kinds=(kind,))
    return faulty, simulate(hours, 0, seed), faulty.faults[0]


def of(simulation: Simulation, name: str, fault: SimulatedFault | None = None) -> np.ndarray:
    values = simulation.values[:, simulation.names.index(name)]
    return values if fault is None else values[fault.start : fault.stop]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [1, 4, 9])
def test_faults_are_placed_apart_within_the_run(count: int, seed: int) -> None:
    simulation = simulate(6.0, count, seed, kinds=tuple(KINDS))
    faults = simulation.faults
    assert len(faults) == count
    assert len({fault.kind for fault in faults}) == min(count, len(KINDS))
    assert faults[0].start >= 1200
    assert all(before.stop + 120 <= after.start for before, after in pairwise(faults))
    assert faults[-1].stop <= 21_600 - 120
    labels = np.zeros(21_600, np.int8)
    for fault in faults:
        labels[fault.start : fault.stop] = 1
        assert set(fault.channels) <= set(simulation.names)
        assert fault.text
    np.testing.assert_array_equal(simulation.anomaly, labels)


def test_four_faults_are_of_the_four_common_kinds_in_random_order() -> None:
    orders = {tuple(fault.kind for fault in simulate(3.0, 4, seed).faults) for seed in range(8)}
    assert all(set(order) == set(COMMON_KINDS) for order in orders)
    assert len(orders) > 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_nothing_changes_before_the_first_fault(kind: str, seed: int) -> None:
    faulty, healthy, fault = only(kind, seed)
    assert faulty.values[: fault.start].tobytes() == healthy.values[: fault.start].tobytes()
    np.testing.assert_array_equal(np.isnan(faulty.values), np.isnan(healthy.values))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_fault_shows_in_its_channels_within_its_rows(kind: str, seed: int) -> None:
    faulty, healthy, fault = only(kind, seed)
    distance = np.abs(faulty.values - healthy.values) / NOISE  # (N, C), the same noise in both
    shown = np.nanmax(distance[fault.start : fault.stop], axis=0)
    for name in fault.channels:
        if kind == "valve_blocked" and name == "ValvePosition":
            assert shown[faulty.names.index(name)] == 0.0  # the wrong reading itself
        else:
            assert shown[faulty.names.index(name)] > 8.0, name
    # Afterwards only effects of the load remain: a blocked valve lets the motor cool down.
    after = np.nanmedian(np.abs(faulty.values - healthy.values)[fault.stop + 30 : fault.stop + 90], axis=0)
    load_heat = ("MotorTemperature", "BearingTemperature") if kind == "valve_blocked" else ()
    for index, name in enumerate(faulty.names):
        if name not in load_heat:
            assert after[index] <= max(1.3 if "Temperature" in name else 0.0, 2 * NOISE[index]), name


@pytest.mark.parametrize("seed", range(5))
def test_bearing_wear_is_a_slow_drift(seed: int) -> None:
    faulty, healthy, fault = only("bearing_wear", seed)
    assert 20 * 60 <= fault.stop - fault.start <= 75 * 60
    drift = of(faulty, "BearingTemperature", fault) - of(healthy, "BearingTemperature", fault)
    active = len(drift) - 720
    early, late = np.nanmedian(drift[:120]), np.nanmedian(drift[active - 60 : active])
    assert early < 0.3
    assert 4.0 < late < 16.0
    assert np.nanmax(np.abs(np.diff(drift))) < 0.3  # no step that a threshold on differences would find


@pytest.mark.parametrize("seed", range(5))
def test_cavitation_vibrates_in_bursts(seed: int) -> None:
    faulty, healthy, fault = only("cavitation", seed)
    for name in ("Vibration", "Flow", "Pressure"):
        added = np.diff(of(faulty, name, fault) - of(healthy, name, fault))  # load steps cancel out
        assert np.nanstd(added) > 2.0 * NOISE[faulty.names.index(name)], name
    factor = of(faulty, "Vibration", fault) / of(healthy, "Vibration", fault)
    assert np.nanmedian(factor) > 1.1
    assert np.nanmean(factor < 1.05) > 0.1  # pauses


@pytest.mark.parametrize("seed", range(5))
def test_blocked_valve_breaks_the_relation_of_reading_and_flow(seed: int) -> None:
    faulty, _, fault = only("valve_blocked", seed)
    speed, opening = of(faulty, "Speed"), of(faulty, "ValvePosition")
    expected = rig.operating_flow(rig.SHUTOFF_BAR * (speed / rig.NOMINAL_RPM) ** 2, opening)
    residual = of(faulty, "Flow") - expected
    inside = slice(fault.start + 30, fault.stop - 30)
    assert np.nanmedian(residual[inside]) < -2.0
    assert abs(np.nanmedian(residual[600 : fault.start])) < 0.2


@pytest.mark.parametrize("seed", range(8))
def test_stuck_sensor_is_constant_while_the_load_changes(seed: int) -> None:
    faulty, healthy, fault = only("stuck_sensor", seed)
    (name,) = fault.channels
    assert fault.stop - fault.start >= 600
    held = of(faulty, name, fault)
    assert len(np.unique(held[~np.isnan(held)])) == 1
    assert held[0] == of(healthy, name)[fault.start] or np.isnan(held[0])
    changes = operate(3 * 3600, 1.0, np.random.default_rng(np.random.SeedSequence(seed).spawn(5)[0])).changes
    assert any(fault.start < change < fault.stop for change in changes)
    others = [i for i in range(8) if faulty.names[i] != name]
    np.testing.assert_array_equal(faulty.values[:, others], healthy.values[:, others])


@pytest.mark.parametrize("seed", range(8))
def test_failed_cooling_needs_memory_to_detect(seed: int) -> None:
    faulty, healthy, fault = only("cooling_failure", seed, hours=6.0)
    inside = slice(fault.start, fault.stop)
    others = [i for i in range(8) if "Temperature" not in faulty.names[i]]
    np.testing.assert_array_equal(faulty.values[:, others], healthy.values[:, others])
    # Every momentary value lies within the range of the healthy run ...
    margin = 6 * NOISE
    assert (np.nanmax(faulty.values[inside], axis=0) <= np.nanmax(healthy.values, axis=0) + margin).all()
    assert (np.nanmin(faulty.values[inside], axis=0) >= np.nanmin(healthy.values, axis=0) - margin).all()
    # ... but a thermal model, fed with current and speed, is right before the fault and wrong within it.
    ratio = np.maximum(np.nan_to_num(of(faulty, "Speed"), nan=2500.0), 0.0) / rig.NOMINAL_RPM
    current = np.nan_to_num(of(faulty, "Current"), nan=5.5)
    heat = (rig.COPPER_W_PER_A2 * current**2 + rig.IRON_W * ratio**1.5) * rig.MOTOR_K_PER_W
    residual = of(faulty, "MotorTemperature") - 20.0 - rig.body_rise(heat, 1.0 / (0.5 + 0.5 * ratio), 1.0, 0.0)
    residual = signals.lag(np.nan_to_num(residual), 60.0, 1.0, 0.0)
    before = residual[600 : fault.start]
    # The room's temperature is not measured: it explains a few kelvin, slowly.
    assert residual[inside].max() > before.max() + 3.0
