"""Fresh processes: what they import, and what a user sees of a command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SLOWNESS = float(os.environ.get("VCEDGE_SLOWNESS", "1"))
"""Factor on all time limits: scripts/test-arm64 sets it, for an emulated machine."""
EMULATOR_MB = float(os.environ.get("VCEDGE_EMULATOR_MB", "0"))
"""Memory of each process that the emulator and its translated code use."""


def python(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the checkout. The current environment is kept, `environment` added to it."""
    return subprocess.run(
        [sys.executable, *arguments],
        input=stdin,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120 * SLOWNESS,
        check=False,
    )


def vcedge(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program `vcedge`."""
    return python("-m", "vcedge", *arguments, **environment)


def modules_after(*imports: str) -> set[str]:
    """Return the packages that a fresh process has loaded after importing these modules."""
    code = "".join(f"import {name}\n" for name in imports)
    result = python("-c", code + "import sys\nprint(*sys.modules)")
    assert result.returncode == 0, result.stderr
    names = result.stdout.split()
    return {*names, *(name.partition(".")[0] for name in names)}
