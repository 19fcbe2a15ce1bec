"""`vcedge score`: output files, warnings on rows without a score, and other dialects."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.support.detectors import recording, tiny_detector
from tests.support.process import vcedge

ROWS = 200
WARMUP = tiny_detector().calibration.warmup_rows
Score = Callable[..., tuple[int, str, str]]


def write_rows(path: Path, times: list[str], header: str = "time", delimiter: str = ",") -> Path:
    """Write a recording of the tiny model's channels with these times."""
    values = recording(1, len(times), 3)
    lines = [delimiter.join([header, *tiny_detector().schema.names])]
    lines += [delimiter.join([time, *map(repr, row.tolist())]) for time, row in zip(times, values, strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


def every(seconds: float, rows: int = ROWS) -> list[str]:
    start = np.datetime64("2026-01-01T00:00:00", "ms")
    return [f"{start + np.timedelta64(round(1000 * seconds * t), 'ms')}Z" for t in range(rows)]


@pytest.fixture
def score(model: Path, run_command: Score) -> Score:
    """Return a function that runs the command on the tiny model."""
    return partial(run_command, "score", model)


def test_output_that_is_an_input_is_refused(tmp_path: Path, model: Path, score: Score) -> None:
    data = write_rows(tmp_path / "a.csv", every(1))
    (tmp_path / "link.csv").symlink_to(data)
    (tmp_path / "hard.csv").hardlink_to(data)
    before = data.read_bytes(), model.read_bytes()
    for out in (data, tmp_path / "link.csv", tmp_path / "hard.csv", tmp_path / "x" / ".." / "a.csv", model):
        (tmp_path / "x").mkdir(exist_ok=True)
        code, _, stderr = score(data, "--out", out)
        assert code == 2
        assert f"--out {out}: is the input" in stderr
    assert (data.read_bytes(), model.read_bytes()) == before


def test_failed_run_keeps_the_previous_file(tmp_path: Path, score: Score) -> None:
    good, out = write_rows(tmp_path / "a.csv", every(1)), tmp_path / "scores.csv"
    bad = tmp_path / "b.csv"
    bad.write_bytes(good.read_bytes().replace(b"time,", b"time,other,", 1).replace(b"Channel 1", b"Channel x"))
    before = sorted(path.name for path in tmp_path.iterdir())
    assert score(good, bad, "--out", out)[0] == 65
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    # The second file breaks off in the middle, when the first one's scores are written already.
    broken = tmp_path / "c.csv.gz"
    broken.write_bytes(gzip.compress(good.read_bytes() * 50)[:-2000])
    out.write_text("old")
    code, _, stderr = score(good, broken, "--out", out)
    assert code == 65, stderr
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, "c.csv.gz", "scores.csv"])
    assert score(good, "--out", out)[0] == 0
    assert len(out.read_text().splitlines()) == ROWS + 1
    assert score(good)[1] == out.read_text()


def test_special_file_is_written_in_place(tmp_path: Path, score: Score) -> None:
    data = write_rows(tmp_path / "a.csv", every(1))
    assert score(data, "--out", "/dev/null")[0] == 0
    assert Path("/dev/null").is_char_device()
    code, _, stderr = score(data, "--out", tmp_path / "no" / "scores.csv")
    assert code == 74
    assert f"{tmp_path}/no/scores.csv: No such file" in stderr


def test_summary_counts_every_status(tmp_path: Path, score: Score) -> None:
    data = write_rows(tmp_path / "a.csv", every(1))
    code, stdout, stderr = score(data, "--out", tmp_path / "scores.csv", "--json")
    assert code == 0
    summary = json.loads(stdout)
    assert summary["rows"] == ROWS
    assert summary["judged"] == ROWS - WARMUP
    assert summary["statuses"] == {"warmup": WARMUP, "ok": ROWS - WARMUP}
    assert f"{ROWS - WARMUP} of {ROWS} rows judged (ok {ROWS - WARMUP}, warmup {WARMUP})" in stderr
    assert "warning" not in stderr


def test_few_scored_rows_are_reported_with_reason(tmp_path: Path, score: Score) -> None:
    warmup = f"the first {WARMUP} rows"
    for times, words in [
        (every(60), "'gap': the file's spacing is 1 min, but the model expects 1 s, and a pause longer than 5 s is"),
        (every(1)[::-1], "'clock': they are not in order of time"),
        ([time.replace("2026", "1960") for time in every(1)], "'clock': their times lie before 1970"),
        (every(1, WARMUP + 3), f"'warmup': {warmup} of each file warm up"),
        (
            [time for block in range(20) for time in every(1, 400)[20 * block : 20 * block + 12]],
            f"'warmup': {warmup}, and as many after each of 19 gaps, warm up",
        ),
    ]:
        data = write_rows(tmp_path / "a.csv", times)
        code, stdout, stderr = score(data, "--out", tmp_path / "scores.csv", "--json")
        assert code == 0, stderr
        assert json.loads(stdout)["judged"] < len(times) / 2
        (line,) = [line for line in stderr.splitlines() if line.startswith("warning: most rows were not judged: ")]
        assert words in line


def test_rows_without_values_are_reported(tmp_path: Path, score: Score) -> None:
    lines = write_rows(tmp_path / "a.csv", every(1)).read_text().splitlines()
    lines[20:] = [line.partition(",")[0] + ",,," for line in lines[20:]]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert "'stale': no channel has a value in these rows" in score(tmp_path / "a.csv")[2]


def test_long_scoring_shows_progress(tmp_path: Path, score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcedge.cli.score.PROGRESS_ROWS", 80)
    monkeypatch.setattr("vcedge.runtime.recordings.score_recording.ROWS", 40)
    stderr = score(write_rows(tmp_path / "a.csv", every(1)))[2]
    assert [line for line in stderr.splitlines() if line.endswith("rows scored")] == [
        "80 rows scored",
        "160 rows scored",
    ]


def test_files_of_another_dialect(tmp_path: Path, score: Score) -> None:
    plain = score(write_rows(tmp_path / "a.csv", every(1)))[1]
    odd = [f"{time[8:10]}.{time[5:7]}.{time[:4]} {time[11:19]}" for time in every(1)]
    other = write_rows(tmp_path / "b.csv", odd, "When", ";")
    settings = ["time.column=When", "time.format=%d.%m.%Y %H:%M:%S", "table.delimiter=;"]
    code, stdout, stderr = score(other, *(word for setting in settings for word in ("--set", setting)))
    assert code == 0, stderr
    assert [line.split(",")[1:] for line in stdout.splitlines()] == [line.split(",")[1:] for line in plain.splitlines()]
    assert score(other)[0] == 65


@pytest.mark.parametrize(
    ("setting", "code", "words"),
    [
        ("time.formt=%H", 78, "--set time.formt=%H: unknown key 'time.formt'; did you mean 'time.format'?"),
        (
            "table.transpose=perhaps",
            78,
            "--set table.transpose=perhaps: key 'table.transpose' is 'perhaps', expected t",
        ),
        ("time.format", 2, "--set time.format: expected key=value"),
        ("time.period_s=5", 2, "'time.period_s' belongs to the model"),
        ("model.target=5", 78, "unknown key 'model'"),
    ],
)
def test_invalid_override_is_refused(setting: str, code: int, words: str, tmp_path: Path, score: Score) -> None:
    data = write_rows(tmp_path / "a.csv", every(1))
    found, stdout, stderr = score(data, "--set", setting)
    assert (found, stdout) == (code, "")
    assert words in stderr


def test_stdout_can_be_named_as_a_file(tmp_path: Path, model: Path) -> None:
    data = write_rows(tmp_path / "a.csv", every(1))
    result = vcedge("score", str(model), str(data), "--out", "/dev/stdout")
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == ROWS + 1


def test_threshold_adapts_unless_disabled(tmp_path: Path, score: Score) -> None:
    data = write_rows(tmp_path / "a.csv", every(1))
    limits = tiny_detector().calibration
    mapped = {}
    for option in ("--adapt", "--no-adapt"):
        out = tmp_path / f"scores{option}.csv"
        assert score(data, "--out", out, option)[0] == 0
        rows = [line.split(",") for line in out.read_text().splitlines()[1:]]
        mapped[option] = [(limits.score(float(raw)), float(value)) for _, raw, value, *_ in rows]
    assert all(calibrated == value for calibrated, value in mapped["--no-adapt"])
    assert any(calibrated != value for calibrated, value in mapped["--adapt"])
