"""`vcedge calibrate`: refused options, the printed description, and reproducible bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.detectors import recording, tiny_detector
from tests.support.process import python, vcedge
from vcedge.cli.main import run
from vcedge.model_file import load, model_id, save

pytestmark = pytest.mark.slow

ROWS = 2000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model and a recording of another machine in another dialect."""
    folder = tmp_path_factory.mktemp("calibrate")
    save(tiny_detector(), folder / "tiny.vcedge")
    start = np.datetime64("2026-01-01T00:00:00", "s")
    times = [str(start + np.timedelta64(t, "s")) for t in range(ROWS)]
    lines = [";".join(["When", *tiny_detector().schema.names])]
    for time, row in zip(times, recording(7, ROWS, 3), strict=True):
        lines.append(";".join([time.replace("-", "."), *(repr(value) for value in row.tolist())]))
    (folder / "other.csv").write_text("\n".join(lines) + "\n")
    return folder


DIALECT = ("--set", "time.column=When", "--set", "time.format=%Y.%m.%dT%H:%M:%S", "--set", "table.delimiter=;")


def test_calibrated_model_is_described_and_reproducible(folder: Path) -> None:
    arguments = ("calibrate", str(folder / "tiny.vcedge"), str(folder / "other.csv"), *DIALECT, "--asset", "rig-2")
    files = []
    for threads, name in (("1", "a"), ("2", "b")):
        out = folder / f"{name}.vcedge"
        result = vcedge(*arguments, "--false-alarms-per-day", "2", "--json", "--out", str(out), OMP_NUM_THREADS=threads)
        assert result.returncode == 0, result.stderr
        adapted = load(out)
        assert json.loads(result.stdout) == {
            "id": model_id(out),
            "asset": "rig-2",
            "threshold": adapted.calibration.threshold,
            "rows": adapted.calibration.rows,
            "false_alarms_per_day": adapted.calibration.false_alarms_per_day,
            "out": str(out),
        }
        # 2,000 rows of a second cannot show two alarms a day, and no threshold is extrapolated.
        assert adapted.calibration.false_alarms_per_day >= 86_400 / ROWS
        assert "this recording cannot show as few as 2 false alarms a day: use a longer one" in result.stderr
        files.append(out.read_bytes())
    assert files[0] == files[1]
    assert adapted.resemblance is not None
    assert not np.array_equal(adapted.resemblance.mean, tiny_detector().resemblance.mean)
    assert adapted.reading["time"]["format"] == "%Y.%m.%dT%H:%M:%S"
    assert vcedge("score", str(out), str(folder / "other.csv"), "--out", "/dev/null").returncode == 0


def test_the_wanted_rate_survives_a_recording_that_cannot_show_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = folder / "first.vcedge", folder / "second.vcedge"
    inputs = [str(folder / "other.csv"), *DIALECT]
    assert (
        run(["calibrate", str(folder / "tiny.vcedge"), *inputs, "--false-alarms-per-day", "4", "--out", str(first)])
        == 0
    )
    assert load(first).calibration.false_alarms_per_day > 4
    assert run(["calibrate", str(first), *inputs, "--out", str(second)]) == 0
    assert load(second).calibration.wanted_per_day == 4
    assert "as few as 4 false alarms a day" in capsys.readouterr().err


def test_numpy_starts_with_one_thread() -> None:
    code = (
        "import os, sys\nfrom vcedge.cli.console import single_threaded\nassert 'numpy' not in sys.modules\n"
        "single_threaded()\nprint(os.environ['OMP_NUM_THREADS'], os.environ['OPENBLAS_NUM_THREADS'])"
    )
    result = python("-c", code, OMP_NUM_THREADS="4")
    assert result.stdout.split() == ["1", "1"], result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--false-alarms-per-day", "0"], "--false-alarms-per-day 0.0: expected a number greater than 0"),
        (["--false-alarms-per-day", "-1"], "--false-alarms-per-day -1.0: expected"),
        (["--false-alarms-per-day", "nan"], "--false-alarms-per-day nan: expected"),
        (["--false-alarms-per-day", "inf"], "--false-alarms-per-day inf: expected"),
        (["--asset", ""], "--asset '': expected a name without spaces"),
        (["--asset", "a/b"], "--asset 'a/b': expected"),
        (["--asset", "a+b"], "--asset 'a+b': expected"),
        (["--asset", "a#b"], "--asset 'a#b': expected"),
        (["--asset", "a b"], "--asset 'a b': expected"),
        (["--asset", "a\n"], "--asset 'a\\n': expected"),
    ],
)
def test_invalid_options_are_refused_before_reading(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["calibrate", "none.vcedge", "none.csv", "--out", str(tmp_path / "out.vcedge"), *options])
    assert code == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["tiny.vcedge", "other.csv"])
def test_input_is_not_overwritten(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(variable, "1")  # restored after the test, whatever the command sets
    before = (folder / name).read_bytes()
    arguments = ["calibrate", str(folder / "tiny.vcedge"), str(folder / "o*.csv"), *DIALECT]
    assert run([*arguments, "--out", str(folder / name)]) == 2
    assert f"--out {folder / name}: is the input" in capsys.readouterr().err
    assert (folder / name).read_bytes() == before


def test_judged_faults_are_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, out = folder / "labels.csv", folder / "labelled.vcedge"
    arguments = ["calibrate", str(folder / "tiny.vcedge"), str(folder / "other.csv"), *DIALECT]
    lines = "2026-01-01T00:05:00,2026-01-01T00:06:39,fault", "2026-01-01T00:10:00,2026-01-01T00:10:09,false_alarm"
    labels.write_text("\n".join(["start,end,judged", *lines, ""]))
    assert run([*arguments, "--labels", str(labels), "--out", str(out)]) == 0
    printed = capsys.readouterr().err
    assert "100 rows judged as fault or maintenance: left out" in printed
    assert "10 rows judged as false alarm: none may alarm" in printed
    files = load(out).provenance["calibration"]["files"]
    assert [file["name"] for file in files] == ["other.csv", "labels.csv"]
    assert load(out).provenance["calibration"]["rows"] == ROWS - 100


def test_malformed_labels_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = folder / "wrong.csv"
    labels.write_text("start,end,judged\n2026-01-01,2026-01-02,broken\n")
    arguments = ["calibrate", str(folder / "tiny.vcedge"), str(folder / "other.csv"), *DIALECT]
    assert run([*arguments, "--labels", str(labels), "--out", str(folder / "none.vcedge")]) == 65
    expected = f"vcedge: error: {labels}: line 2: judged is 'broken', expected one of false_alarm, fault"
    assert capsys.readouterr().err.startswith(expected)
    assert not (folder / "none.vcedge").exists()
