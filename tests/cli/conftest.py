"""Fixtures for the tests of the commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.detectors import tiny_detector
from vcedge.cli.main import run
from vcedge.model_file import save


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Save the tiny detector; return its path."""
    path = tmp_path / "tiny.vcedge"
    save(tiny_detector(), path)
    return path


@pytest.fixture
def run_command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process; return exit code, stdout and stderr."""

    def run_here(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run_here
