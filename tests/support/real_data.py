"""Locate the real data sets and the independent reference scoring; tests skip without them."""

from __future__ import annotations

import importlib.util
import os
import warnings
from pathlib import Path
from types import ModuleType

import pytest


def data_dir() -> Path:
    """Return the folder of real data sets from VCEDGE_DATA; skip the test if there is none."""
    folder = os.environ.get("VCEDGE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real data: set VCEDGE_DATA to the folder of data sets")
    return Path(folder)


def reference_scoring() -> ModuleType:
    """Load the independent reference scoring beside the data; skip the test if it is absent."""
    path = data_dir().parent / "tools" / "reference_scoring.py"
    if not path.is_file():
        pytest.skip(f"no reference scoring beside the data: {path.name}")
    spec = importlib.util.spec_from_file_location("reference_scoring", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(module)
    return module
