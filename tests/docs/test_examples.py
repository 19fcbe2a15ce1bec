"""The Python examples of the documents run as printed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import vcedge
from tests.support.detectors import tiny_detector
from vcedge.model_file import save
from vcedge.runtime.codecs import Limits

ROOT = Path(__file__).parents[2]


def python_of(page: str) -> str:
    (block,) = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_scoring_example_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model = tmp_path / "models" / "pump-1" / "model.vcedge"
    model.parent.mkdir(parents=True)
    detector = tiny_detector()
    save(detector, model)
    usual = np.asarray(detector.features.center, np.float64)
    rows = np.tile(usual, (detector.calibration.warmup_rows + 50, 1))
    rows[-1] += 1000 * np.asarray(detector.features.scale, np.float64)
    np.savetxt("rows.txt", rows)
    code = python_of(page)
    assert len(code.splitlines()) <= 10
    names: dict[str, object] = {}
    exec(code, names)
    assert isinstance(names["score"], vcedge.Score)
    assert names["score"].alarm
    assert capsys.readouterr().out


def test_codec_example_of_the_messages_page_runs() -> None:
    names: dict[str, object] = {}
    exec(python_of("docs/messages.md"), names)
    decode = names["decode"]
    assert callable(decode)
    reading = decode(b"Pressure 1.5\nFlow 3\n", Limits())
    assert {name: list(values) for name, values in reading.columns.items()} == {"Pressure": [1.5], "Flow": [3.0]}
