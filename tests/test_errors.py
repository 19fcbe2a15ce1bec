"""The first line of an error."""

from __future__ import annotations

import pytest

from vcedge.errors import first_line


@pytest.mark.parametrize(
    ("error", "line"), [(ValueError("a\nb"), "a"), (ValueError(), "ValueError"), ("text\nmore", "text")]
)
def test_first_line_of_an_error(error: object, line: str) -> None:
    assert first_line(error) == line
