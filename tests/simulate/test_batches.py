"""Batches of two passes: the second one depends on the first, minutes before."""

from __future__ import annotations

import numpy as np
import pytest

from vcedge.errors import UsageError
from vcedge.simulate import SENSORS, simulate
from vcedge.simulate.batches import PRODUCTS, REST_RPM, follow_recipe
from vcedge.simulate.set_points import SetPoints

NOISE = np.array([sensor.noise for sensor in SENSORS])
PERIOD_S = 10.0


def recipe(seed: int, hours: float = 24.0) -> SetPoints:
    return follow_recipe(round(hours * 3600 / PERIOD_S), PERIOD_S, np.random.default_rng(seed))


def changes_of(speed: np.ndarray) -> list[tuple[float, float]]:
    """Return (from, to) of each change of the set point, in order."""
    rows = np.flatnonzero(np.diff(speed))
    return [(float(speed[row]), float(speed[row + 1])) for row in rows]


@pytest.mark.parametrize("seed", range(3))
def test_second_pass_has_the_speed_of_the_first(seed: int) -> None:
    operation = recipe(seed)
    speeds = [speed for speed, _ in PRODUCTS]
    ups = [to for _, to in changes_of(operation.speed_rpm) if to in speeds]
    assert ups[0 : len(ups) // 2 * 2 : 2] == ups[1::2]
    assert set(ups) == set(speeds)
    for one in operation.passes:
        before = operation.speed_rpm[one.start - 8 : one.first]
        assert (before == REST_RPM).all()  # no information on the product within eight rows
        assert {float(operation.speed_rpm[one.first]), one.other_rpm} == set(speeds)


def test_second_passes_open_the_valve_alike_for_both_products() -> None:
    operation = recipe(1)
    assert len({float(operation.valve_percent[one.first]) for one in operation.passes}) == 1


def test_longer_run_begins_with_the_shorter_one() -> None:
    short, long = recipe(5, 3.0), recipe(5, 6.0)
    assert short.speed_rpm.tolist() == long.speed_rpm[: short.rows].tolist()
    assert short.passes == long.passes[: len(short.passes)]


@pytest.mark.parametrize("seed", range(4))
def test_wrong_recipe_needs_memory_to_detect(seed: int) -> None:
    faulty = simulate(12.0, 4, seed, PERIOD_S, batches=True)
    healthy = simulate(12.0, 0, seed, PERIOD_S, batches=True)
    assert [fault.kind for fault in faulty.faults] == ["wrong_recipe"] * 4
    first = faulty.faults[0].start
    assert faulty.values[:first].tobytes() == healthy.values[:first].tobytes()
    for fault in faulty.faults:
        shown = np.nanmax(np.abs(faulty.values - healthy.values)[fault.start : fault.stop] / NOISE, axis=0)
        assert shown[faulty.names.index("Speed")] > 100
    # Readings, and how they change from row to row, are within those of normal operation.
    running = faulty.values[200:], healthy.values[200:]
    for wrong, right in (running, tuple(np.diff(values, axis=0) for values in running)):
        margin = 0.05 * (np.nanmax(right, axis=0) - np.nanmin(right, axis=0)) + 6 * NOISE
        assert (np.nanmax(wrong, axis=0) <= np.nanmax(right, axis=0) + margin).all()
        assert (np.nanmin(wrong, axis=0) >= np.nanmin(right, axis=0) - margin).all()


def test_wrong_recipe_needs_batches() -> None:
    with pytest.raises(UsageError, match="kinds of fault: got 'wrong_recipe', expected some of bearing_wear"):
        simulate(3.0, 1, kinds=("wrong_recipe",))


def test_component_faults_occur_in_batches_too() -> None:
    kinds = {fault.kind for fault in simulate(6.0, 3, 1, kinds=("bearing_wear", "wrong_recipe"), batches=True).faults}
    assert kinds == {"bearing_wear", "wrong_recipe"}
