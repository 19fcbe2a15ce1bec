"""Applies the faults to the rig's parts, and states which readings show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vcedge.schema import F64
from vcedge.simulate import rig
from vcedge.simulate.rig import Condition, Truth
from vcedge.simulate.sensors import NAMES, SENSORS
from vcedge.simulate.set_points import SetPoints
from vcedge.simulate.signals import coloured, window

COOLING_FACTORS = (1.6, 1.5, 1.4, 1.3, 1.25)  # of the motor's thermal resistance
VISIBLE = 20.0  # least movement that a stuck sensor hides, in standard deviations of its noise


@dataclass(frozen=True)
class SimulatedFault:
    """Describes a labelled fault: rows [start, stop), the channels that show it, and a sentence for people.

    Its rows include the aftermath, such as a bearing that has to cool down.
    """

    kind: str
    start: int
    stop: int
    channels: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Placement:
    """Holds the rows of a fault: its cause acts on rows [start, end), its effects last until `stop`."""

    start: int
    end: int
    stop: int


@dataclass(frozen=True)
class Scene:
    """Holds the rig that a fault acts on: its truth without faults, and the parts and set points to change in place."""

    truth: Truth
    set_points: SetPoints
    condition: Condition
    period_s: float
    rng: np.random.Generator


@dataclass(frozen=True)
class Kind:
    """Defines a kind of fault: how long its cause acts and its effects linger, where it starts, and its effect."""

    active_s: tuple[float, float]
    linger_s: float
    starts: Literal["anywhere", "before a load step", "at a load step", "at a second pass"]
    act: Callable[[Placement, Scene], tuple[tuple[str, ...], str]]


def bearing_wear(at: Placement, scene: Scene) -> tuple[tuple[str, ...], str]:
    """Let friction and vibration grow steadily until the bearing is greased; then it cools down."""
    severity = scene.rng.uniform(0.8, 1.2)
    scene.condition.wear[at.start : at.end] = np.linspace(0.0, severity, at.end - at.start)
    minutes = (at.end - at.start) * scene.period_s / 60.0
    text = f"bearing wear: its temperature and vibration creep up for {minutes:.0f} minutes, until it is greased"
    return ("BearingTemperature", "Vibration"), text


def cavitation(at: Placement, scene: Scene) -> tuple[tuple[str, ...], str]:
    """Add bursts of seconds to a minute in which vapour bubbles shake the pump and its head collapses unevenly."""
    rng, size = scene.rng, at.end - at.start
    severity = rng.uniform(0.7, 1.2)
    bursts = np.zeros(size)
    row = 0
    while row < size:
        length = max(round(rng.uniform(10.0, 60.0) / scene.period_s), 1)
        bursts[row : row + length] = severity * rng.uniform(0.6, 1.0)
        row += length + max(round(rng.uniform(5.0, 40.0) / scene.period_s), 1)
    # Slow enough, at two seconds, for the water column to follow.
    collapse = 0.10 + 0.09 * coloured(rng.standard_normal(size), 2.0, scene.period_s)
    scene.condition.head[at.start : at.end] = 1.0 - bursts * np.clip(collapse, 0.0, 0.35)
    scene.condition.roughness[at.start : at.end] = bursts * np.clip(rng.normal(0.9, 0.25, size), 0.1, 2.0)
    return ("Vibration", "Pressure", "Flow"), "cavitation: bursts of vibration, flow and pressure fluctuate"


def valve_blocked(at: Placement, scene: Scene) -> tuple[tuple[str, ...], str]:
    """Choke the valve while its position still reads as commanded."""
    share = scene.rng.uniform(0.45, 0.65)
    closed = window(len(scene.condition.opening), at.start, at.stop, max(round(20.0 / scene.period_s), 1))
    scene.condition.opening *= 1.0 - (1.0 - share) * closed
    text = f"valve half closed: really open to {share:.0%} of what ValvePosition reads"
    return ("ValvePosition", "Flow", "Pressure"), text


def stuck_sensor(at: Placement, scene: Scene) -> tuple[tuple[str, ...], str]:
    """Let one sensor hold its reading: one that would have moved clearly."""
    spread = np.ptp(scene.truth.table()[at.start : at.stop], axis=0)  # (C,)
    moved = spread / np.array([sensor.noise for sensor in SENSORS])
    visible = np.flatnonzero(moved > VISIBLE)
    column = int(scene.rng.choice(visible)) if visible.size else int(np.argmax(moved))
    return (NAMES[column],), f"stuck sensor: {NAMES[column]} holds one reading"


def cooling_failure(at: Placement, scene: Scene) -> tuple[tuple[str, ...], str]:
    """Warm the motor with another gain and time constant after a load step, within its normal range.

    Every reading, and every pair of readings, also occurs in normal operation: only their sequence differs.
    """
    factor = cooling_factor(scene.truth, at, scene.period_s)
    scene.condition.cooling[at.start : at.end] = factor
    text = f"cooling failure: the motor sheds its heat {factor:.2f} times worse since a load step"
    return ("MotorTemperature",), text


def cooling_factor(truth: Truth, at: Placement, period_s: float) -> float:
    """Return the largest factor of the thermal resistance that keeps the motor within its normal range.

    Full load throughout leaves no room, but a labelled fault must exist: the factor is at least 1.25.
    """
    hottest = float(truth.motor_c.max())
    rows = slice(at.start, at.stop)
    for factor in COOLING_FACTORS[:-1]:
        resistance = truth.fan[rows].copy()
        resistance[: at.end - at.start] *= factor
        rise = rig.body_rise(truth.heat_k[rows], resistance, period_s, float(truth.body_k[at.start]))
        if float((truth.ambient_c[rows] + rise).max()) < hottest:
            return factor
    return COOLING_FACTORS[-1]


def wrong_recipe(at: Placement, scene: Scene) -> tuple[tuple[str, ...], str]:
    """Run second passes at the other product's speed.

    Every reading, and every change of readings, also occurs in normal operation, but after another first pass, minutes
    before.
    """
    wrong = [one for one in scene.set_points.passes if at.start <= one.start and one.stop <= at.end]
    for one in wrong:
        scene.set_points.speed_rpm[one.first : one.stop] = one.other_rpm
    text = f"wrong recipe: {len(wrong)} second passes in a row run at the other product's speed"
    return ("Speed", "Flow", "Pressure", "Current"), text


def freeze(readings: F64, fault: SimulatedFault) -> None:
    """Hold the fault's channel in `readings` (N, C) at its value in the fault's first row."""
    column = NAMES.index(fault.channels[0])
    readings[fault.start : fault.stop, column] = readings[fault.start, column]


KINDS: dict[str, Kind] = {
    "bearing_wear": Kind((1200.0, 3600.0), 720.0, "anywhere", bearing_wear),
    "cavitation": Kind((240.0, 900.0), 0.0, "anywhere", cavitation),
    "valve_blocked": Kind((600.0, 1500.0), 0.0, "anywhere", valve_blocked),
    "stuck_sensor": Kind((660.0, 1500.0), 0.0, "before a load step", stuck_sensor),
    "cooling_failure": Kind((1080.0, 2100.0), 1800.0, "at a load step", cooling_failure),
}
BATCH_KINDS: dict[str, Kind] = {"wrong_recipe": Kind((1200.0, 2700.0), 0.0, "at a second pass", wrong_recipe)}
"""Faults of a recipe, in addition to KINDS."""
COMMON_KINDS = ("bearing_wear", "cavitation", "valve_blocked", "stuck_sensor")
