"""`vcedge run` before it connects: the lines of `--check`, and errors at the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.service import configure
from vcedge.cli.main import run as run_program
from vcedge.runtime.engine.registry import ENGINES


def test_check_prints_a_line_for_each_asset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configure(tmp_path, "checked", "mqtt://127.0.0.1:1", assets={"a*": {"model": "model.vcedge"}})
    assert run_program(["run", str(config), "--check"]) == 0
    line = capsys.readouterr().out
    assert line.startswith("a*: checked/a*, tiny@sha256:")
    assert f"3 channels, vcgru of 16, engine {next(iter(ENGINES))}" in line
    assert ("(native: not built" in line) == ("native" not in ENGINES)
    rule = {"channel": "Channel 1", "above": 50, "below": 90.5}
    config = configure(tmp_path, "checked", "mqtt://127.0.0.1:1", run_when=rule)
    assert run_program(["run", str(config), "--check"]) == 0
    assert capsys.readouterr().out.endswith(", running while Channel 1 is above 50 and below 90.5\n")


def _broken_model(folder: Path) -> None:
    (folder / "model.vcedge").write_text("no model")


def _no_model(folder: Path) -> None:
    (folder / "model.vcedge").unlink()


@pytest.mark.parametrize(
    ("spoil", "changes", "code", "words"),
    [
        (_broken_model, {}, 65, "model.vcedge"),
        (_no_model, {}, 66, "model.vcedge: cannot be read"),
        (None, {"assets": {"a": {"model": "model.vcedge", "engine": "warp"}}}, 78, "assets.a.engine"),
        (None, {"assets": {"a": {}}}, 78, "key 'assets.a.model' is missing"),
        (None, {"assets": {}}, 78, "key 'assets' is missing"),
        (None, {"run_when": {"channel": "Channel", "above": 1}}, 78, "did you mean 'Channel 2'?"),
        (None, {"runs_when": {}}, 78, "unknown key 'runs_when'; did you mean 'run_when'?"),
        (None, {"mqtt": {"username": "u", "password_file": "none"}}, 78, "mqtt.password_file"),
    ],
)
def test_errors_are_reported_before_connecting(
    spoil: Any, changes: dict[str, Any], code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configure(tmp_path, "wrong", "mqtt://127.0.0.1:1", **changes)
    if spoil is not None:
        spoil(tmp_path)
    for options in ([], ["--check"]):
        assert run_program(["run", str(config), *options]) == code
        error = capsys.readouterr().err
        assert words in error
        assert "connect" not in error
