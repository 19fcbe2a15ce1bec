"""`vcedge inspect`: text, JSON, and files that are not a model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.golden.generate import MODEL, MODELS
from tests.support.detectors import tiny_detector, with_roles
from tests.support.process import vcedge
from vcedge.cli.main import run
from vcedge.model_file import model_id, save


def inspected(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert run(["inspect", str(path), *options]) == 0
    return capsys.readouterr().out


def test_inspect_prints_a_description() -> None:
    result = vcedge("inspect", str(MODEL))
    assert (result.returncode, result.stderr) == (0, "")
    lines = dict(line.strip().split(": ", 1) for line in result.stdout.splitlines())
    assert lines["id"] == model_id(MODEL)[:19]
    assert lines["Channel 0"] == "1 ± 0.5 bar, limits -100 to 100"
    assert (lines["cell"], lines["levels"]) == ("vcgru, 16 hidden, 3 inputs", "4, 8, 12, 16 dimensions")
    assert lines["threshold"] == "2.5 nats, for 1 false alarm a day"
    assert lines["calibrated on"].startswith("1,000 rows")


def test_inspect_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    description = json.loads(inspected(MODEL, capsys, "--json"))
    assert description["id"] == model_id(MODEL)
    assert description["cell"]["levels"] == 4
    assert description["macs"]["levels"] == [370, 550, 826, 1198]
    assert [channel["scale"] for channel in description["channels"]] == [0.5, 1.5, 4.5]


def test_target_and_origin_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    provenance = {
        "config": {"model": {"target": 0.25}},
        "files": [{"name": f"{i}.csv"} for i in range(5)],
        "versions": {"torch": "2"},
    }
    path = tmp_path / "model.vcedge"
    save(replace(tiny_detector(), provenance=provenance), path)
    text = inspected(path, capsys)
    assert "4, 8, 12, 16 dimensions, target 25% updated" in text
    assert "trained on: 0.csv, 1.csv, 2.csv and 2 more" in text
    assert "trained with: torch 2" in text


def test_roles_and_what_the_statistic_reads_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.vcedge"
    save(with_roles(tiny_detector(), ("sensor", "command", "constant")), path)
    lines = [line.strip() for line in inspected(path, capsys).splitlines()]
    assert "Channel 1: command, -10 ± 1.5" in lines
    assert "Channel 2: constant at 100" in lines
    assert "scorer: 15 readings, smoothed over 20 samples" in lines
    assert "distance: to the nearest of 9 groups of rows seen in training" in lines
    assert "cycle: 20 samples, in 5 blocks" in lines


def test_linear_detector_and_control_characters_in_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    detector = tiny_detector(cell=None)
    first, *others = detector.schema.channels
    schema = replace(detector.schema, channels=(replace(first, name="\x1b[2J\n", unit="°C"), *others))
    path = tmp_path / "model.vcedge"
    save(replace(detector, schema=schema, provenance={"files": "odd", "config": [1], "versions": 3}), path)
    text = inspected(path, capsys)
    assert "cell: none" in text
    assert "\\x1b[2J\\n: 1 ± 0.5 °C" in text
    assert json.loads(inspected(path, capsys, "--json"))["cell"] is None
    assert vcedge("inspect", str(path), PYTHONIOENCODING="ascii").returncode == 0


@pytest.mark.parametrize(("path", "code"), [(MODELS / "manifest-kind" / "model.vcedge", 65), (MODEL / "none", 66)])
def test_file_that_is_not_a_model_is_refused(path: Path, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(path)]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"vcedge: error: {path}: ")
    assert len(err.splitlines()) == 1


def test_engines_of_this_machine_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", "--engines"]) == 0
    lines = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert "numpy" in lines["engines"].split(", ")
    assert lines["auto"] == ("native" if "native" in lines["engines"] else "numpy")
    assert lines["native kernel"].startswith("not built on this machine") or "portable" in lines["native kernel"]
    assert run(["inspect", "--engines", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kernel"]["problem"] is None) == ("strict" in found["kernel"]["sets"])


@pytest.mark.parametrize("arguments", [[], ["model.vcedge", "--engines"]])
def test_inspect_requires_a_file_or_engines(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", *arguments]) == 2
    assert "--engines" in capsys.readouterr().err
