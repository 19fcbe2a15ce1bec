"""Arguments of `vcedge feedback`. With a broker: tests/runtime/service/test_feedback_command.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.service import configure
from vcedge.cli.main import run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no argument: expected [RUNTIME.yaml] EVENT JUDGED, such as"),
        (["runtime.yaml", "anomaly-1"], "JUDGED 'anomaly-1': expected one of false_alarm, fault"),
        (["runtime.yaml", "a", "fault", "b"], "runtime.yaml a fault b: expected"),
        (["runtime.yaml", "a", "--list"], "runtime.yaml a: expected"),
        (["runtime.yaml", "a", "alarm"], "JUDGED 'alarm': expected one of"),
        (["a", "fault", "--note", "x" * 301], "--note 'xxx"),
        (["a", "fault", "--broker", "mqtt://localhost:1"], "--node : expected the name in the service's topics"),
        (["a", "fault", "--broker", "localhost", "--node", "n"], "--broker 'localhost': expected mqtt://host:port"),
        (["a", "fault", "--broker", "mqtt://localhost:1", "--node", "n"], "--asset is missing"),
        (["a", "fault", "--broker", "mqtt://localhost:1", "--node", "n", "--asset", "a/b"], "--asset a/b: a name that"),
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["feedback", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"vcedge: error: {words}")


def test_an_asset_must_be_named_if_there_are_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configure(tmp_path, "two", "mqtt://localhost:1", assets={n: {"model": "model.vcedge"} for n in "ab"})
    assert run(["feedback", str(config), "--list"]) == 2
    assert capsys.readouterr().err == "vcedge: error: --asset is missing, expected the name of the asset: a, b\n"
