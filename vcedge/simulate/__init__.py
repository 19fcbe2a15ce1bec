"""Simulates a pump rig: plausible histories with labelled faults, for demonstrations and tests. Needs only numpy."""

from vcedge.simulate.faults import SimulatedFault
from vcedge.simulate.output import write_csv
from vcedge.simulate.sensors import SENSORS
from vcedge.simulate.simulation import Simulation, simulate

__all__ = ["SENSORS", "SimulatedFault", "Simulation", "simulate", "write_csv"]
