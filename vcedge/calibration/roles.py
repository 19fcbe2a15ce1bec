"""Measures the role of each channel: sensor, command, or constant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from vcedge.calibration.highway import CONSTANT
from vcedge.schema import F64, Role, SensorSchema

MOST_COMMANDS = 2
"""Most values of a command."""
LOOK = 10_000
"""Values that are looked at first: most sensors show more than two there."""


def with_roles(schema: SensorSchema, values: F64, given: Mapping[str, Role]) -> SensorSchema:
    """Return the schema with the role of each channel of values (N, C).

    A channel that stands still is a constant whatever is `given` by name; without a given role, one of at most two
    values, both whole numbers, is a command.
    """
    channels = tuple(
        replace(channel, role=role_of(values[:, j], given.get(channel.name)))
        for j, channel in enumerate(schema.channels)
    )
    return replace(schema, channels=channels)


def role_of(column: F64, given: Role | None = None) -> Role:
    """Return the role of a channel from its values (N,), NaN where missing."""
    present = column[np.isfinite(column)]
    if not len(present) or np.ptp(present) <= CONSTANT * abs(float(present[0])):
        return "constant"
    if given in ("sensor", "command"):
        return given
    values = np.unique(present[:LOOK])
    if len(values) <= MOST_COMMANDS:
        values = np.unique(present)
    return "command" if len(values) <= MOST_COMMANDS and bool((values == np.round(values)).all()) else "sensor"
