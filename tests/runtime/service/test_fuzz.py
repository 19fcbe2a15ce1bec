"""A short run of scripts/fuzz."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.process import ROOT

pytestmark = pytest.mark.slow


def test_fuzzed_messages_neither_crash_nor_leak() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--minutes", "0.15"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count(" messages, slowest ") == 6
