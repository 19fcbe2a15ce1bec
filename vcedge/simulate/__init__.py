"""Simulates a pump rig: plausible histories with labelled faults, for demonstrations and tests. Needs only numpy."""

from vcedge.simulate.faults import BATCH_KINDS, COMMON_KINDS, KINDS, SimulatedFault
from vcedge.simulate.output import write_csv
from vcedge.simulate.sensors import SENSORS
from vcedge.simulate.simulation import START_NS, Simulation, simulate

__all__ = [
    "BATCH_KINDS",
    "COMMON_KINDS",
    "KINDS",
    "SENSORS",
    "START_NS",
    "SimulatedFault",
    "Simulation",
    "simulate",
    "write_csv",
]
