"""`vcedge export` and `vcedge verify`: written files, messages and refused options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.detectors import recording, samples, tiny_detector
from tests.support.exports import GEOMETRIC
from vcedge.cli.main import run
from vcedge.export import formats
from vcedge.model_file import model_id, save

pytestmark = pytest.mark.slow


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.vcedge"
    save(tiny_detector(levels=GEOMETRIC), path)
    return path


def test_file_is_written_verified_and_timed(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", str(model), "--to", "tflite", "--out", str(tmp_path / "new" / "out"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    path = tmp_path / "new" / "out" / "tiny.tflite"
    assert (printed["out"], printed["id"], printed["model"]) == (str(path), model_id(path), model_id(model))
    assert printed["graph"] == {"to": "tflite", "layout": "case", "whole": False, "quantize": "none"}
    assert printed["parity"]["passed"] is True
    assert printed["parity"]["steps"] == 5000
    assert [level["updated"] for level in printed["break_even"]["levels"]] == [2, 4, 8, 16]
    assert printed["break_even"]["wins_against_dense"] in (True, False)
    assert printed["break_even"]["dense_int8_us"] > 0


def test_export_reports_whether_gating_wins(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", str(model), "--to", "onnx", "--layout", "branches", "--out", str(tmp_path)]) == 0
    stderr = capsys.readouterr().err
    assert "tiny.onnx written: onnx, branches, network" in stderr
    assert "gating against dense at the usual" in stderr
    assert run(["export", str(model), "--to", "onnx", "--layout", "dense", "--out", str(tmp_path)]) == 0
    assert "every level costs the same in this layout" in capsys.readouterr().err


def test_verify_accepts_several_files_and_a_recording(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for to in ("onnx", "tflite"):
        assert run(["export", str(model), "--to", to, "--out", str(tmp_path)]) == 0
    names = ",".join(tiny_detector().schema.names)
    rows = [f"{s.time_ns / 1e9},{','.join(map(repr, s.values.tolist()))}" for s in samples(recording(3, 300, 3))]
    (tmp_path / "rows.csv").write_text("\n".join([f"time,{names}", *rows]))
    files = [str(tmp_path / "tiny.onnx"), str(tmp_path / "tiny.tflite")]
    capsys.readouterr()
    assert run(["verify", str(model), *files, "--input", str(tmp_path / "rows.csv"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [entry["passed"] for entry in printed["files"]] == [True, True]


def test_differing_export_is_not_written(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(formats.WRITERS, "onnx", "tests.support.wrong_writer")
    assert run(["export", str(model), "--to", "onnx", "--out", str(tmp_path / "out")]) == 1
    stderr = capsys.readouterr().err
    assert "not written, it differs from" in stderr
    assert "step " in stderr
    assert list((tmp_path / "out").glob("*")) == []


def test_verify_refuses_a_file_of_another_model(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", str(model), "--to", "onnx", "--out", str(tmp_path)]) == 0
    other = tmp_path / "other.vcedge"
    save(tiny_detector(seed=3, levels=GEOMETRIC), other)
    capsys.readouterr()
    assert run(["verify", str(other), str(tmp_path / "tiny.onnx")]) == 1
    assert "exported from the model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--to", "pdf"], 2, "expected one of onnx, tflite"),
        (["--to", "tflite", "--whole"], 2, "cannot write the whole detector"),
        (["--to", "onnx", "--quantize", "int3"], 2, "expected none or int8"),
    ],
)
def test_invalid_export_options_are_refused(
    arguments: list[str], code: int, words: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", str(model), *arguments]) == code
    assert words in capsys.readouterr().err


def test_invalid_files_are_refused(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", str(tmp_path / "absent.vcedge"), "--to", "onnx"]) == 66
    (tmp_path / "text.onnx").write_text("no graph")
    assert run(["verify", str(model), str(tmp_path / "text.onnx")]) == 65
    assert run(["inspect", str(tmp_path / "text.onnx")]) == 65
    capsys.readouterr()
