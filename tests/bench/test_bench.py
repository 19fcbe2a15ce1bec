"""The benchmark: its rows and options, and parity of the engines of other projects."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.golden.generate import MODEL, TINY
from vcedge.bench import cells, peers
from vcedge.cli.main import run as vcedge
from vcedge.runtime.engine.native_support import native_problem
from vcedge.runtime.engine.registry import ENGINES

native = pytest.mark.skipif(native_problem() is not None, reason=f"native kernel: {native_problem()}")


def run(arguments: list[str]) -> int:
    return vcedge(["bench", *arguments])


@native
def test_synthetic_cell_has_a_row_per_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--synthetic", "16,3", "--rounds", "3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    rows = result["rows"]
    assert result["machine"]["python"]
    assert {(row["engine"], row["streams"], row["level"], row["where"]) for row in rows} >= {
        ("native-f32", 1, 0.25, "python"),
        ("native-f32", 1, 1.0, "c"),
        ("native-f32", 256, 0.25, "python"),
        ("numpy", 1, 0.125, "python"),
    }
    for row in rows:
        assert row["hidden"] == 16
        assert row["inputs"] == 3
        assert 0 < row["us"] <= row["p99_us"]
    engines = {row["engine"] for row in rows} | set(result["missing"])
    assert engines == {"numpy", "native-f32", "native-int8", *peers.PACKAGES}


def test_table_of_one_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--synthetic", "16,3", "--rounds", "3", "--engine", "numpy"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[0] == "engine"
    assert {line.split()[0] for line in lines} == {"numpy"}


def test_model_has_cell_and_detector_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(MODEL), "--rounds", "3", "--json", "--engine", "numpy"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row.get("step", "cell") for row in rows} == {"cell", "detector"}
    assert {row["hidden"] for row in rows} == {16}


def test_recording_has_rows_of_both_policies(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(MODEL), "--input", str(TINY / "input.csv"), "--rounds", "3", "--json"]
    assert run(arguments) == 0
    rows = [row for row in json.loads(capsys.readouterr().out)["rows"] if row.get("step") == "recording"]
    shares = {(row["engine"], row["policy"]): row["level"] for row in rows}
    assert set(shares) == {(engine, policy) for engine in ENGINES for policy in ("auto", "full")}
    assert all(shares[engine, "full"] == 1.0 for engine in ENGINES)
    assert len({shares[engine, "auto"] for engine in ENGINES}) == 1
    with (TINY / "expected.csv").open() as file:
        scored = [row for row in csv.DictReader(file) if int(row["updated"])]
    expected = np.mean([int(row["updated"]) / int(row["hidden"]) for row in scored])
    assert shares["numpy", "auto"] == pytest.approx(expected, abs=0.15)  # without the stream's budget and gaps


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "expected a MODEL or --synthetic HIDDEN,INPUTS"),
        (["m.vcedge", "--synthetic", "16,3"], "expected a MODEL or --synthetic HIDDEN,INPUTS"),
        (["--synthetic", "16,3", "--input", "x.csv"], "--input needs a MODEL"),
        (["--synthetic", "16"], "--synthetic 16: expected HIDDEN,INPUTS such as 128,16"),
        (["--synthetic", "17,3"], "HIDDEN a multiple of 8"),
        (["--synthetic", "16,0"], "HIDDEN,INPUTS up to 4096"),
    ],
)
def test_invalid_options_are_refused(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert words in capsys.readouterr().err


STEPS: dict[str, Callable[[cells.CellUnderTest], Callable[[], Any]]] = {
    "onnxruntime-gru": lambda subject: peers.onnxruntime_step(subject, 1),
    "litert-f32": lambda subject: peers.litert_step(subject, int8=False),
    "litert-int8": lambda subject: peers.litert_step(subject, int8=True),
}


@pytest.mark.parametrize("peer", STEPS)
def test_engines_of_other_projects_agree_with_numpy(peer: str) -> None:
    pytest.importorskip(peers.PACKAGES[peer])
    subject = cells.synthetic(32, 5)
    step, oracle = STEPS[peer](subject), peers.numpy_step(subject, subject.cell.spec.levels)
    for _ in range(20):
        mine, theirs = np.ravel(step()), oracle()
    np.testing.assert_allclose(mine, theirs, atol=0.05 if peer == "litert-int8" else 1e-5)
