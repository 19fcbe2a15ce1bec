"""Roles of channels: sensors, commands, and constants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.detectors import recording, recording_of
from vcedge.calibration.roles import LOOK, role_of, with_roles
from vcedge.schema import F64

NAN = np.nan


@pytest.mark.parametrize(
    ("column", "role"),
    [
        ([0.0, 1.0, 1.0, 0.0], "command"),
        ([3.0, 7.0], "command"),
        ([3.0, NAN, 7.0, NAN], "command"),
        ([0.0, 1.0, 2.0], "sensor"),
        ([0.5, 1.0, 0.5], "sensor"),
        ([20.1, 20.1, 20.2], "sensor"),
        ([4.0, 4.0, NAN, 4.0], "constant"),
        ([NAN, NAN], "constant"),
        ([1e5, 1e5 + 1e-9], "constant"),
        ([1e-10, 3e-10, 2e-10], "sensor"),
    ],
)
def test_role_is_measured(column: list[float], role: str) -> None:
    assert role_of(np.array(column)) == role


def test_a_given_role_wins_but_a_channel_that_stands_still_is_a_constant() -> None:
    assert role_of(np.array([0.0, 1.0]), "sensor") == "sensor"
    assert role_of(np.array([0.1, 0.7, 0.3]), "command") == "command"
    assert role_of(np.array([5.0, 5.0]), "sensor") == "constant"


def test_a_third_value_late_in_the_recording_is_seen() -> None:
    column = np.arange(3.0 * LOOK) % 2
    assert role_of(column) == "command"
    column[-1] = 2.0
    assert role_of(column) == "sensor"


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 0.5, NAN]), min_size=1, max_size=30), st.randoms())
def test_role_depends_on_the_values_alone(column: list[float], random: object) -> None:
    values = {value for value in column if value == value}
    expected = "constant" if len(values) < 2 else "command" if len(values) == 2 and 0.5 not in values else "sensor"
    assert role_of(np.array(column)) == expected
    random.shuffle(column)  # type: ignore[attr-defined]
    assert role_of(np.array(column)) == expected


def test_roles_are_written_to_the_schema() -> None:
    values: F64 = recording(1, 100, 4)
    values[:, 1] = np.arange(100) % 2
    values[:, 2] = 6.0
    values[:, 3] = np.arange(100) // 50
    schema = with_roles(recording_of(values).schema, values, {"Channel 3": "sensor"})
    assert [channel.role for channel in schema.channels] == ["sensor", "command", "constant", "sensor"]
    assert [entry["role"] for entry in schema.to_json()["channels"]] == ["sensor", "command", "constant", "sensor"]
