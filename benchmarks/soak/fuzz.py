"""Runs `scripts/fuzz` as a stage: random and corrupted messages against the codecs and the service's handler."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from tests.support.process import ROOT


def run(minutes: float) -> dict[str, Any]:
    """Fuzz for some minutes; report its last line."""
    command = [sys.executable, "-m", "tests.fuzz", "--minutes", str(minutes)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return {"output": lines[-1] if lines else "", "passed": done.returncode == 0}
