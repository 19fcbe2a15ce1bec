"""The table of benchmarks: each name has a module or script that can be run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS, usage
from tests.support.process import python


@pytest.mark.parametrize("name", BENCHMARKS)
def test_name_has_a_module_or_a_script(name: str) -> None:
    first, *rest = BENCHMARKS[name].command
    found = importlib.util.find_spec(rest[0]) if first == "-m" else Path(first).is_file()
    assert found


def test_unknown_name_is_a_usage_error() -> None:
    result = python("-m", "benchmarks", "nothing")
    assert (result.returncode, result.stderr) == (2, usage() + "\n")
