"""The commands in real processes: training, scoring and calibration, and invalid input."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.process import ROOT, vcedge
from vcedge.simulate import simulate, write_csv

pytestmark = pytest.mark.slow

QUICK = "model: {hidden_size: 16, levels: 4}\ntrain: {epochs: 3}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a healthy hour, a training configuration and a trained model."""
    folder = tmp_path_factory.mktemp("chain")
    write_csv(simulate(hours=0.7, seed=1), folder / "healthy.csv")
    write_csv(simulate(hours=0.7, seed=2), folder / "other.csv")
    times = [line.partition(",")[0] for line in (folder / "healthy.csv").read_text().splitlines()[1:]]
    judged = [f"{times[300]},{times[319]},fault", f"{times[700]},{times[709]},false_alarm"]
    (folder / "labels.csv").write_text("\n".join(["start,end,judged", *judged, ""]))
    config = f"asset: rig\ndata: {{train: [healthy.csv], exclude: [anomaly], labels: [labels.csv]}}\n{QUICK}"
    (folder / "train.yaml").write_text(config)
    result = vcedge("train", str(folder / "train.yaml"), "--out", str(folder / "out"), "--json")
    assert result.returncode == 0, result.stderr
    (folder / "stdout.json").write_text(result.stdout)
    (folder / "stderr.txt").write_text(result.stderr)
    return folder


def test_train_writes_model_report_and_metrics(folder: Path) -> None:
    metrics = json.loads((folder / "out/metrics.json").read_text())
    assert json.loads((folder / "stdout.json").read_text()) == metrics
    assert metrics["asset"] == "rig"
    assert len(metrics["epochs"]) == 3
    assert any(finding["found"] for finding in metrics["sensitivity"]["findings"])
    assert metrics["recognition"]["kinds"]
    assert "<html" in (folder / "out/report.html").read_text()
    assert "data: 1 file, 2,520 rows" in (folder / "stderr.txt").read_text()
    assert "data: 20 rows judged as fault or maintenance: left out" in (folder / "stderr.txt").read_text()
    assert metrics["data"]["false_alarm_rows"] == 10
    assert "training: 100%" in (folder / "stderr.txt").read_text()


def test_file_depends_on_the_seed_and_not_on_threads(folder: Path) -> None:
    files = []
    for threads in ("1", "2"):
        out = folder / f"threads-{threads}"
        result = vcedge("train", str(folder / "train.yaml"), "--out", str(out), OMP_NUM_THREADS=threads)
        assert result.returncode == 0, result.stderr
        files.append((out / "model.vcedge").read_bytes())
    assert files[0] == files[1] == (folder / "out/model.vcedge").read_bytes()


@pytest.mark.parametrize("kind", ["rnn", "vcrnn"])
def test_every_kind_of_cell_trains_and_scores(folder: Path, kind: str) -> None:
    out = folder / kind
    options = ["--set", f"model.cell={kind}", "--set", "report.sensitivity=false", "--out", str(out)]
    result = vcedge("train", str(folder / "train.yaml"), *options)
    assert result.returncode == 0, result.stderr
    assert json.loads((out / "metrics.json").read_text())["model"]["cell"] == kind
    assert json.loads((out / "metrics.json").read_text())["sensitivity"] is None
    assert ("target" in result.stderr) <= (kind == "vcrnn")
    result = vcedge("score", str(out / "model.vcedge"), str(folder / "other.csv"), "--out", str(out / "scores.csv"))
    assert result.returncode == 0, result.stderr
    updated = {row["updated"] for row in table(out / "scores.csv")} - {"0", ""}
    assert updated == {"16"} if kind == "rnn" else updated <= {"4", "8", "12", "16"}


def table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file by column."""
    return list(csv.DictReader(path.read_text().splitlines()))


def test_score_writes_a_line_for_each_row(folder: Path) -> None:
    out = folder / "scores.csv"
    result = vcedge("score", str(folder / "out/model.vcedge"), str(folder / "other.csv"), "--out", str(out), "--json")
    assert result.returncode == 0, result.stderr
    rows = table(out)
    assert list(rows[0]) == ["time", "raw", "score", "alarm", "updated", "hidden", "status", "top"]
    source = table(folder / "other.csv")
    assert len(rows) == len(source) == json.loads(result.stdout)["rows"]
    assert rows[100]["time"].rstrip("Z").startswith(source[100]["time"].rstrip("Z")[:19])
    assert all(np.isfinite(float(row["raw"])) and 0 <= float(row["score"]) <= 1 for row in rows)
    assert {row["hidden"] for row in rows} == {"16"}
    assert rows[0]["status"] == "warmup"
    shares = [float(part.rpartition("=")[2]) for part in rows[-1]["top"].split(";")]
    assert shares == sorted(shares, reverse=True)


def test_score_depends_only_on_earlier_rows(folder: Path) -> None:
    model, lines = str(folder / "out/model.vcedge"), (folder / "other.csv").read_text().splitlines(keepends=True)
    (folder / "half.csv").write_text("".join(lines[:1000]))
    whole = vcedge("score", model, str(folder / "other.csv")).stdout.splitlines()
    half = vcedge("score", model, str(folder / "half.csv")).stdout.splitlines()
    assert len(half) == 1000
    assert whole[:1000] == half


def test_network_off_still_scores(folder: Path) -> None:
    result = vcedge("score", str(folder / "out/model.vcedge"), str(folder / "half.csv"), "--no-network")
    assert result.returncode == 0, result.stderr
    assert {line.split(",")[5] for line in result.stdout.splitlines()[1:]} == {"0"}


def test_calibrate_makes_a_model_for_another_machine(folder: Path) -> None:
    out = folder / "other.vcedge"
    arguments = (str(folder / "out/model.vcedge"), str(folder / "other.csv"), "--rows", "1500", "--asset", "rig-2")
    result = vcedge("calibrate", *arguments, "--out", str(out))
    assert result.returncode == 0, result.stderr
    printed = json.loads(vcedge("inspect", str(out), "--json").stdout)
    before = json.loads(vcedge("inspect", str(folder / "out/model.vcedge"), "--json").stdout)
    assert printed["asset"] == "rig-2"
    assert printed["id"] != before["id"]
    assert vcedge("score", str(out), str(folder / "other.csv")).returncode == 0


def test_interrupted_training_saves_the_best_network(folder: Path) -> None:
    command = [sys.executable, "-m", "vcedge", "train", str(folder / "train.yaml"), "--out", str(folder / "cut")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, "--set", "train.epochs=120"], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("training:"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 0, rest
    assert "interrupted: keeping the best network so far" in rest
    assert json.loads((folder / "cut/metrics.json").read_text())["interrupted"] is True
    assert vcedge("inspect", str(folder / "cut/model.vcedge")).returncode == 0


def one_line(text: str) -> str:
    """Return the single error line of a command's stderr."""
    lines = [line for line in text.splitlines() if line.startswith("vcedge: error: ")]
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


@pytest.mark.parametrize(
    ("config", "code", "words"),
    [
        ("asset: a\ndata: {train: [healthy.csv]}\nmodle: {}\n", 78, ["modle", "model"]),
        ("asset: a\ndata: {train: [missing.csv]}\n", 66, ["missing.csv"]),
        ("asset: a\ndata: {train: [healthy.csv], channels: [{name: Presure}]}\n", 65, ["Presure", "Pressure"]),
        ("asset: a\ndata: {train: [train.yaml]}\n", 65, ["train.yaml"]),
        ("asset: a\ndata: {train: [healthy.csv]}\nmodel: {hidden_size: 60, levels: 8}\n", 78, ["levels"]),
        ("asset: a\ndata: {train: [healthy.csv], limit_rows: 50}\n", 65, ["50", "too few"]),
    ],
)
def test_invalid_configuration_is_one_line(folder: Path, config: str, code: int, words: list[str]) -> None:
    path = folder / "wrong.yaml"
    path.write_text(config)
    result = vcedge("train", str(path), "--out", str(folder / "wrong"))
    assert result.returncode == code, result.stderr
    assert all(word in one_line(result.stderr) for word in words), result.stderr
    assert not (folder / "wrong/model.vcedge").exists()


def test_invalid_files_are_one_line(folder: Path) -> None:
    model, data = str(folder / "out/model.vcedge"), str(folder / "other.csv")
    (folder / "narrow.csv").write_text("time,Flow\n2026-01-01T00:00:00Z,1.0\n")
    for arguments, code, word in [
        (("score", data, data), 65, "other.csv"),
        (("score", str(folder / "none.vcedge"), data), 66, "none.vcedge"),
        (("score", model, str(folder / "none.csv")), 66, "none.csv"),
        (("score", model, str(folder / "narrow.csv")), 65, "Pressure"),
        (("score", model, data, "--engine", "warp"), 2, "warp"),
        (("score", model, data, "--out", str(folder / "no/such/scores.csv")), 74, "scores.csv"),
    ]:
        result = vcedge(*arguments)
        assert result.returncode == code, (arguments, result.stderr)
        assert word in one_line(result.stderr)
