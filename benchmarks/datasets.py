"""Finds the real data sets, and the independent reference scoring that reads them."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType


def data_folder() -> Path:
    """Return the folder of data sets that VCEDGE_DATA names; exit with a message if it is not set."""
    folder = os.environ.get("VCEDGE_DATA")
    if not folder:
        sys.exit("VCEDGE_DATA is not set, expected the folder of data sets: VCEDGE_DATA=/data/sets scripts/bench NAME")
    return Path(folder)


def load_reference(data: Path) -> ModuleType:
    """Import tools/reference_scoring.py beside the folder of data sets; exit with a message if it is not there."""
    path = data.parent / "tools" / "reference_scoring.py"
    spec = importlib.util.spec_from_file_location("reference_scoring", path)
    if spec is None or spec.loader is None or not path.is_file():
        sys.exit(f"{path}: no such file, expected the reference scoring; VCEDGE_DATA names the folder beside tools/")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
