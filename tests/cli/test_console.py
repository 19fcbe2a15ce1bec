"""Progress and JSON for scripts."""

from __future__ import annotations

import json

import pytest

from vcedge.cli.console import print_json, progress


def test_progress_without_a_terminal_is_ten_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("training", 1000) as report:
        for done in range(1001):
            report(done, f"loss {done}")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "training: 10% loss 100"
    assert err.splitlines()[-1] == "training: 100% loss 1000"
    assert len(err.splitlines()) == 10


def test_json_is_ascii_without_nan(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"°C": [1.5, None], "odd": "\udcff"}
    print_json(value)
    text = capsys.readouterr().out
    assert text.isascii()
    assert json.loads(text) == value
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json(float("nan"))
