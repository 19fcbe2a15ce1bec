"""Skips these tests where the kernel is not built.

tests/runtime/engine/test_native_support.py fails if it should be there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from vcedge.runtime.engine.native_support import native_problem

PROBLEM = native_problem()


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Whether a file is left out; None leaves it to others."""
    return True if PROBLEM is not None and collection_path.name.startswith("test_") else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line at the end of the run."""
    if PROBLEM is not None:
        terminalreporter.write_line(f"tests/kernel left out: native kernel: {PROBLEM}")
