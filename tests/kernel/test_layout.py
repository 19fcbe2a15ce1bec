"""A kernel whose records or enumerations differ from Python's is rejected with the first difference."""

from __future__ import annotations

import pytest

from vcedge.runtime.engine.native_support import native_problem

if native_problem() is not None:
    pytest.skip(f"native kernel: {native_problem()}", allow_module_level=True)

from vcedge.runtime.engine import native_engine
from vcedge.runtime.engine.kernel_layout import LAYOUT, check_layout
from vcedge.runtime.stream import layout

EXPECTED = {**native_engine.expected_layout(), **layout.expected_layout()}
COMPARED_BY_NAME = {"rules", "rule_arrays"}
"""Set by name and laid out by the kernel's own description."""


def test_every_part_of_the_layout_is_compared() -> None:
    assert set(EXPECTED) == set(LAYOUT) - COMPARED_BY_NAME


@pytest.mark.parametrize("part", EXPECTED)
def test_check_layout_rejects_a_difference(part: str) -> None:
    check_layout(LAYOUT, EXPECTED)
    with pytest.raises(ImportError, match=f"built from other sources: {part} has"):
        check_layout({**LAYOUT, part: LAYOUT[part][1:]}, EXPECTED)
