"""The stages of `scripts/soak` that have no test of their own, as short as they can still fail."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from benchmarks.soak import assets, faults, netcut
from tests.support.mosquitto import Mosquitto

pytestmark = pytest.mark.slow


def test_thousand_assets_fit_into_the_memory_of_a_small_device(shared_broker: Mosquitto) -> None:
    result = assets.in_turn(rounds=3)
    assert result["messages"] == 3000
    assert result["passed"], result


@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace needs root")
@pytest.mark.skipif(
    shutil.which("ip") is None, reason="no iproute2 here, which lays the cable into a network namespace"
)
def test_lost_packets_lose_no_score(shared_broker: Mosquitto) -> None:
    assert netcut.through([2.0])["passed"]


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system needs root")
def test_full_file_system_is_reported_once(shared_broker: Mosquitto) -> None:
    assert faults.disk(0.0) == {"reports": 1, "passed": True}


@pytest.mark.skipif(not Path(faults.FAKETIME).exists(), reason="faketime is not installed")
def test_wrong_wall_clock_changes_no_score(shared_broker: Mosquitto) -> None:
    assert faults.clock(0.0)["passed"]
