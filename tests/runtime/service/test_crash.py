"""The service is killed at random points, as a power cut would, and loses no score."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.soak.kills import killed
from tests.support.mosquitto import Mosquitto

pytestmark = pytest.mark.slow


def test_kill_at_random_points_loses_no_score(shared_broker: Mosquitto, tmp_path: Path) -> None:
    """`scripts/soak kills` does this 200 times."""
    assert killed(tmp_path, shared_broker.url, kills=20, seed=12)["scores"] == 21 * 60
