"""`vcedge status` from the command line: where it finds the service, and its exit codes.

Its output: tests/runtime/monitoring/test_endpoints.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vcedge.cli import status
from vcedge.cli.main import run


def test_default_configuration_locates_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = tmp_path / "runtime.yaml"
    usual.write_text(yaml.safe_dump({"node": "n", "state_dir": "here"}))
    monkeypatch.setattr(status, "DEFAULT_CONFIG", usual)
    assert run(["status"]) == 69
    assert capsys.readouterr().err == f"vcedge: error: state_dir {tmp_path / 'here'}: no service runs there\n"


@pytest.mark.parametrize(("content", "code"), [(None, 66), ("node: [", 78), ("node: n\nnodes: m\n", 78)])
def test_unusable_configuration_is_refused(
    content: str | None, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "runtime.yaml"
    if content is not None:
        path.write_text(content)
    assert run(["status", str(path), "--json"]) == code
    printed = capsys.readouterr()
    assert str(path) in printed.err
    assert printed.out == ""
