"""Tests on a machine with systemd, which scripts/test-systemd prepares; elsewhere they are not collected."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machine import Machine

collect_ignore_glob = [] if "VCEDGE_MACHINE_ROOT" in os.environ else ["test_*.py"]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Return a machine on which nothing is installed yet."""
    machine = Machine(Path(os.environ["VCEDGE_MACHINE_ROOT"]), tmp_path_factory.mktemp("machine"))
    yield machine
    machine.close()
