"""Writes the results of a comparison: compare.html and compare.json."""

from __future__ import annotations

import json
from pathlib import Path

from vcedge.evaluation.bars import Bar
from vcedge.files import write_atomic
from vcedge.train.compare.comparison import Comparison
from vcedge.train.compare.summary import to_json

PAGE, NUMBERS = "compare.html", "compare.json"


def write_comparison(folder: Path, comparison: Comparison, bars: list[Bar]) -> None:
    """Write both files. Raise OSError if they cannot be written."""
    from vcedge.train.compare.page import render

    numbers = json.dumps(to_json(comparison, bars), indent=2, allow_nan=False) + "\n"
    write_atomic(folder / NUMBERS, numbers.encode("utf-8"))
    # A file name that is not UTF-8 holds lone surrogates, which UTF-8 cannot encode.
    write_atomic(folder / PAGE, render(comparison).encode("utf-8", "backslashreplace"))
