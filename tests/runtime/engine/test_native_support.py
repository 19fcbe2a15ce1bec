"""The native kernel: available where it can be built; elsewhere one line gives the reason."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

import pytest

from vcedge.runtime.engine.native_support import native_problem, native_sets, native_status, require_native


def test_kernel_is_built_if_there_is_a_compiler() -> None:
    headers = Path(sysconfig.get_paths()["include"], "Python.h")
    if shutil.which(os.environ.get("CC", "cc")) is None or not headers.exists():
        pytest.skip("no C compiler or no Python headers")
    assert native_problem() is None, "build it: python setup.py build_ext --inplace (scripts/setup does)"


def test_status() -> None:
    assert "\n" not in native_status()
    if native_problem() is None:
        require_native()
        assert {"strict", "portable", "portable-int8"} <= set(native_sets())
    else:
        assert native_sets() == []
