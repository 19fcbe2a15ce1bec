"""Models the physics of the pump rig: the true value of every quantity, before a sensor reads it.

A centrifugal pump with a variable-speed drive feeds a loop through a control valve. Affinity laws: flow ~ speed,
head ~ speed², power ~ speed³. Losses heat the motor through a thermal resistance and capacity (10 minutes at
nominal speed), friction and the motor heat the bearing (5 minutes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.schema import F64
from vcedge.simulate.set_points import SetPoints
from vcedge.simulate.signals import coloured, lag, limit_rate

NOMINAL_RPM = 2900.0
RAMP_RPM_PER_S = 60.0
DRIVE_TAU_S = 1.0
VALVE_PERCENT_PER_S = 3.0

SHUTOFF_BAR = 4.2  # pressure rise against a closed valve at nominal speed
PUMP_DROP = 1.1e-3  # bar/(m³/h)²: how the pump curve falls with flow
STATIC_BAR = 0.35  # height of the return tank
PIPE_DROP = 1.4e-3  # bar/(m³/h)²
VALVE_DROP = 1.2e-3  # bar/(m³/h)², valve fully open
VALVE_RANGE = 10.0  # equal-percentage trim: flow coefficient, open over closed
FLOW_TAU_S = 2.5  # inertia of the water column
BEST_FLOW = 30.0  # m³/h at nominal speed

SHAFT_W = 3900.0  # at nominal speed and best flow
ROTOR_INERTIA = 0.12  # kg m², motor, coupling, impeller and water
MAGNETISING_A = 2.8
TORQUE_A_PER_NM = 0.62

COPPER_W_PER_A2 = 6.5
IRON_W = 100.0
MOTOR_K_PER_W = 0.08  # thermal resistance to the room at nominal speed, fan on the shaft
MOTOR_TAU_S = 600.0  # time constant of the motor's temperature at nominal speed
WINDING_TAU_S = 40.0  # the sensor's pocket
BEARING_K = 17.0  # friction heat at nominal speed
BEARING_TAU_S = 300.0
RESONANCE_RPM = 2275.0


@dataclass(frozen=True)
class Disturbances:
    """Holds the random part of the process, each (N,); equal with and without faults."""

    ambient_c: F64
    suction_bar: F64
    turbulence: F64  # relative, of the flow
    ripple: F64  # relative, of the pressure
    supply: F64  # relative, of the current
    shake: F64  # factor of the vibration


@dataclass
class Condition:
    """Holds the condition of the rig's parts, each (N,); `healthy()` unless a fault changes it."""

    wear: F64  # of the bearing, 0..1 and a little above
    head: F64  # factor of the pump's pressure rise
    roughness: F64  # additional vibration as a multiple of the healthy one
    opening: F64  # real valve opening over the one that is read
    cooling: F64  # factor of the motor's thermal resistance

    @classmethod
    def healthy(cls, rows: int) -> Condition:
        """Return the condition of a rig without faults; the arrays are writable."""
        one, zero = np.ones(rows), np.zeros(rows)
        return cls(wear=zero.copy(), head=one.copy(), roughness=zero, opening=one.copy(), cooling=one)


@dataclass(frozen=True)
class Truth:
    """Holds the true values: an array (N,) for each sensor, and the quantities that the placement of faults needs."""

    pressure_bar: F64
    flow_m3h: F64
    current_a: F64
    motor_c: F64
    bearing_c: F64
    vibration_mms: F64
    speed_rpm: F64
    valve_percent: F64
    ambient_c: F64
    heat_k: F64  # what the motor's losses would warm it by in the end, with nominal cooling
    fan: F64  # thermal resistance over the nominal one, by the speed of the fan on the shaft
    body_k: F64  # how much warmer than the room the motor's body is

    def table(self) -> F64:
        """Return the true readings (N, 8), in the order of `sensors.SENSORS`."""
        hydraulic = (self.pressure_bar, self.flow_m3h, self.current_a)
        thermal = (self.motor_c, self.bearing_c)
        mechanical = (self.vibration_mms, self.speed_rpm, self.valve_percent)
        return np.column_stack(hydraulic + thermal + mechanical)


def disturb(rows: int, period_s: float, start_ns: int, rng: np.random.Generator) -> Disturbances:
    """Draw the random part of the process; the room follows the time of day (warmest at 15:00 UTC) and drifts."""
    white = rng.standard_normal((rows, 8))
    hour = start_ns / 3.6e12 % 24.0 + np.arange(rows) * (period_s / 3600.0)
    noise = [coloured(white[:, i], tau, period_s) for i, tau in enumerate((2400, 400, 2, 1.5, 20, 2.5, 240))]
    return Disturbances(
        ambient_c=21.0 - 2.5 * np.cos((hour - 3.0) * (np.pi / 12.0)) + 0.35 * noise[0],
        suction_bar=0.15 + 0.012 * noise[1],
        turbulence=0.004 * noise[2],
        ripple=0.002 * noise[3],
        supply=0.004 * noise[4],
        shake=np.exp(0.05 * noise[5] + 0.025 * noise[6]),
    )


def run(set_points: SetPoints, disturbances: Disturbances, condition: Condition, period_s: float) -> Truth:
    """Simulate the rig at its set points, with the given disturbances and condition of its parts."""
    ramp = limit_rate(set_points.speed_rpm, RAMP_RPM_PER_S, period_s, 0.0)
    speed = lag(ramp, DRIVE_TAU_S, period_s, 0.0)
    valve = limit_rate(set_points.valve_percent, VALVE_PERCENT_PER_S, period_s, float(set_points.valve_percent[0]))
    ratio = speed / NOMINAL_RPM  # (N,)

    shutoff = SHUTOFF_BAR * ratio**2 * condition.head
    steady = operating_flow(shutoff, valve * condition.opening)
    flow = lag(steady, FLOW_TAU_S, period_s, 0.0) * (1.0 + disturbances.turbulence)
    rise = np.maximum(shutoff - PUMP_DROP * flow**2, STATIC_BAR)  # a check valve keeps the standing column
    load = np.divide(flow, BEST_FLOW * ratio, out=np.zeros_like(flow), where=ratio > 0.02)

    current = _current(speed, load, condition.wear, period_s) * (1.0 + disturbances.supply)
    heat = (COPPER_W_PER_A2 * current**2 + IRON_W * ratio**1.5) * MOTOR_K_PER_W
    fan = 1.0 / (0.5 + 0.5 * ratio)  # a slower fan cools less
    body = body_rise(heat, fan * condition.cooling, period_s, 0.0)
    motor = lag(body, WINDING_TAU_S, period_s, 0.0)
    friction = BEARING_K * ratio**1.5 + 14.0 * condition.wear * ratio + 0.12 * motor
    return Truth(
        pressure_bar=disturbances.suction_bar + rise * (1.0 + disturbances.ripple),
        flow_m3h=flow,
        current_a=current,
        motor_c=disturbances.ambient_c + motor,
        bearing_c=disturbances.ambient_c + lag(friction, BEARING_TAU_S, period_s, 0.0),
        vibration_mms=_vibration(speed, load, condition) * disturbances.shake,
        speed_rpm=speed,
        valve_percent=valve,
        ambient_c=disturbances.ambient_c,
        heat_k=heat,
        fan=fan,
        body_k=body,
    )


def operating_flow(shutoff_bar: F64, opening_percent: F64) -> F64:
    """Return the flow (N,) in m³/h where pump and loop curves meet: shutoff − a Q² = static + (pipe + valve) Q²."""
    coefficient = VALVE_RANGE ** (opening_percent / 100.0 - 1.0)  # 1 when fully open
    drop = PUMP_DROP + PIPE_DROP + VALVE_DROP / coefficient**2
    return np.asarray(np.sqrt(np.maximum(shutoff_bar - STATIC_BAR, 0.0) / drop))


def body_rise(heat_k: F64, resistance: F64, period_s: float, initial_k: float) -> F64:
    """Return the motor body's excess over the room (N,); the resistance sets both gain and time constant."""
    return lag(heat_k * resistance, MOTOR_TAU_S * resistance, period_s, initial_k)


def shaft_power(ratio: F64, load: F64) -> F64:
    """Return the shaft power (N,) in W, from speed and flow relative to their nominal and best values."""
    return np.asarray(SHAFT_W * ratio**3 * (0.46 + 0.66 * load - 0.12 * load**2))


def _current(speed: F64, load: F64, wear: F64, period_s: float) -> F64:
    """Return the motor current (N,) in A: magnetising and torque currents at right angles; none at standstill."""
    omega = speed * (np.pi / 30.0)
    acceleration = np.diff(omega, prepend=omega[:1]) / period_s
    turning = speed > 5.0
    steady = np.divide(shaft_power(speed / NOMINAL_RPM, load), omega, out=np.zeros_like(omega), where=turning)
    torque = steady + 0.25 * wear + ROTOR_INERTIA * acceleration
    return np.where(turning, np.hypot(MAGNETISING_A, TORQUE_A_PER_NM * torque), 0.0)


def _vibration(speed: F64, load: F64, condition: Condition) -> F64:
    """Return the vibration (N,) in mm/s RMS: imbalance, off-design flow, a resonance, a worn bearing, cavitation."""
    ratio = speed / NOMINAL_RPM
    resonance = 0.5 * np.exp(-(((speed - RESONANCE_RPM) / 90.0) ** 2))
    healthy = 0.08 + ratio**2 * (1.15 + 1.1 * (1.0 - load) ** 2) + resonance
    return np.asarray(healthy * (1.0 + condition.roughness) + 1.3 * condition.wear * ratio**2)
