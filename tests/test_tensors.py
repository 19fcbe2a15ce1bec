"""The table of tensors agrees with the page and the detectors that it describes."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.detectors import tiny_detector
from vcedge.tensors import TENSORS, TensorSpec, tensors_of

PAGE = Path(__file__).parents[1] / "docs" / "model-format.md"
RANGES = {"> 0": "positive", "[0, 1]": "share"}


def test_table_is_that_of_the_documentation() -> None:
    section = PAGE.read_text("utf-8").partition("## Tensors")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z_.]+)` \| ([^|]+) \| (.*)\|$", section, re.MULTILINE)
    documented = {}
    for name, shape, meaning in rows:
        values = [kind for sign, kind in RANGES.items() if sign in meaning] or ["finite"]
        documented[name] = TensorSpec(tuple(shape.split(", ")), values[0])  # type: ignore[arg-type]
    assert documented == TENSORS


def test_tensors_of_leaves_out_the_parts_that_are_absent() -> None:
    whole, linear = tensors_of(tiny_detector()), tensors_of(tiny_detector(cell=None))
    assert list(whole) == list(TENSORS)
    assert {name.partition(".")[0] for name in whole.keys() - linear.keys()} == {"cell", "head"}
    assert all(array.ndim == len(TENSORS[name].shape) for name, array in whole.items())
