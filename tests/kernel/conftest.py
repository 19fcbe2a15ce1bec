"""Skips these tests where the kernel is not built.

tests/runtime/engine/test_native_support.py fails if it should be there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from vcedge.runtime.engine.native_support import native_problem

PROBLEM = native_problem()


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Return whether to skip a file; None leaves the decision to other hooks."""
    return True if PROBLEM is not None and collection_path.name.startswith("test_") else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end of the run that these tests were skipped, and why."""
    if PROBLEM is not None:
        terminalreporter.write_line(f"tests/kernel skipped: native kernel: {PROBLEM}")
