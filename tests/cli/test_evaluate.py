"""`vcedge evaluate`: measures of the scores of `vcedge score`, bars and refused options."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.support.detectors import recording, tiny_detector
from vcedge.cli.main import run
from vcedge.evaluation.metrics import auc_pr, confusion
from vcedge.evaluation.vus import dominant_period, vus_pr

ROWS = 400
Evaluate = Callable[..., tuple[int, str, str]]


def write_labelled(path: Path, wrong: tuple[str, str] = ("0", "1")) -> Path:
    """Write a recording of the tiny model's channels, one row a second, with a jump in rows 200 to 249."""
    values = recording(1, ROWS, 3)
    values[200:250, 1] += np.where(np.arange(50) % 2, 50.0, -50.0)
    lines = [",".join(["time", *tiny_detector().schema.names, "truth"])]
    start = np.datetime64("2026-01-01T00:00:00", "s")
    for t, row in enumerate(values.tolist()):
        lines.append(",".join([f"{start + t}Z", *map(repr, row), wrong[200 <= t < 250]]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def evaluate(model: Path, run_command: Evaluate) -> Evaluate:
    """Return a function that runs the command on the tiny model."""
    return partial(run_command, "evaluate", model)


def test_measures_are_those_of_the_scored_file(tmp_path: Path, model: Path, evaluate: Evaluate) -> None:
    data, out = write_labelled(tmp_path / "a.csv"), tmp_path / "scores.csv"
    code, stdout, stderr = evaluate(data, "--label", "truth", "--json")
    assert code == 0, stderr
    result = json.loads(stdout)
    assert run(["score", str(model), str(data), "--out", str(out)]) == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    raw, alarm = np.array([float(r["raw"]) for r in rows]), np.array([r["alarm"] == "1" for r in rows])
    truth = np.arange(ROWS) // 50 == 4
    (found,) = result["files"]
    assert found["vus_pr"] == pytest.approx(vus_pr(raw, truth, dominant_period(recording(1, ROWS, 3)[:, 0])))
    assert found["auc_pr"] == pytest.approx(auc_pr(raw, truth))
    expected = confusion(alarm, truth)
    assert (found["f1"], found["far"], found["mar"]) == (expected.f1, expected.far, expected.mar)
    share = np.array([int(r["updated"]) / int(r["hidden"]) for r in rows])
    assert found["updated_normal"] == pytest.approx(share[~truth].mean())
    assert set(result["beside"]) == {"random", "all ones"}
    assert result["mean"]["events"] == 1
    assert result["promised_false_alarms_per_day"] == tiny_detector().calibration.false_alarms_per_day


def test_table_compares_with_trivial_scores(tmp_path: Path, evaluate: Evaluate) -> None:
    a, b = write_labelled(tmp_path / "a.csv"), write_labelled(tmp_path / "b.csv", ("Normal", "Attack"))
    code, stdout, stderr = evaluate(a, b, "--label", "truth")
    assert code == 0
    lines = stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == ["a.csv", "b.csv", "all", "random", "all ones"]
    assert lines[1].split()[1:] == lines[2].split()[1:]
    assert "expected at 1 a day" in stderr


def test_network_off_and_skipped_rows(tmp_path: Path, evaluate: Evaluate) -> None:
    data = write_labelled(tmp_path / "a.csv")
    whole = json.loads(evaluate(data, "--label", "truth", "--json")[1])["mean"]
    linear = json.loads(evaluate(data, "--label", "truth", "--json", "--no-network")[1])["mean"]
    part = json.loads(evaluate(data, "--label", "truth", "--json", "--skip-rows", 100)[1])["mean"]
    assert linear["updated_normal"] is None
    assert linear["vus_pr"] != whole["vus_pr"]
    assert (part["rows"], part["anomalous_rows"]) == (ROWS - 100, 50)
    assert part["mar"] == whole["mar"]


def test_bar_decides_the_exit_code(tmp_path: Path, evaluate: Evaluate) -> None:
    data = write_labelled(tmp_path / "a.csv")
    assert evaluate(data, "--label", "truth", "--bar", "vus_pr=0.1")[0] == 0
    code, stdout, stderr = evaluate(data, "--label", "truth", "--json", "--bar", "far=0", "--bar", "vus_pr=1.1")
    assert code == 1
    assert [bar["met"] for bar in json.loads(stdout)["bars"]][1] is False
    assert "vus_pr is 0." in stderr
    assert "expected at least 1.1" in stderr


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--label", "thruth"], 65, "has no column 'thruth' (did you mean 'truth'?)"),
        (["--label", "Channel 1"], 2, "--label Channel 1: is a channel that"),
        (["--label", "truth", "--bar", "vus=1"], 2, "(did you mean vus_pr?)"),
        (["--label", "truth", "--skip-rows", "400"], 65, "400 rows, expected more than the 400 that are left out"),
        (["--label", "time"], 65, "row 1 of column 'time' is '2026-01-01T00:00:00Z', expected 0 or 1"),
    ],
)
def test_invalid_evaluation_is_refused(
    options: list[str], code: int, words: str, tmp_path: Path, evaluate: Evaluate
) -> None:
    found, stdout, stderr = evaluate(write_labelled(tmp_path / "a.csv"), *options)
    assert (found, stdout) == (code, "")
    assert words in stderr
    assert "Traceback" not in stderr


def test_missing_file_is_named(evaluate: Evaluate) -> None:
    code, _, stderr = evaluate("nowhere.csv", "--label", "truth")
    assert (code, "nowhere.csv: no such file" in stderr) == (66, True)
