"""The CSV file and the command that writes it."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from vcedge.cli.simulate import simulate_command
from vcedge.errors import InputOutputError, UsageError
from vcedge.schema import NS_PER_S
from vcedge.simulate import Simulation, simulate, write_csv
from vcedge.simulate.output import iso_times


def read(path: Path) -> tuple[list[str], list[list[str]]]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    return rows[0], rows[1:]


def cli(*arguments: str) -> tuple[int, str, BaseException | None]:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(simulate_command)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output, result.exception


@pytest.fixture(scope="module")
def run() -> Simulation:
    return simulate(1.0, 1, seed=4)


def test_round_trip_is_exact(run: Simulation, tmp_path: Path) -> None:
    write_csv(run, tmp_path / "run.csv")
    header, rows = read(tmp_path / "run.csv")
    assert header == ["time", *run.names, "anomaly"]
    values = np.array([[float(text) if text else np.nan for text in row[1:-1]] for row in rows])
    np.testing.assert_array_equal(values, run.values)
    assert [int(row[-1]) for row in rows] == run.anomaly.tolist()
    seconds = [datetime.fromisoformat(row[0].replace("Z", "+00:00")).timestamp() for row in rows]
    assert [round(s) * NS_PER_S for s in seconds] == run.time_ns.tolist()


def test_first_lines_of_the_file(run: Simulation, tmp_path: Path) -> None:
    write_csv(run, tmp_path / "run.csv")
    text = (tmp_path / "run.csv").read_bytes()
    assert text.startswith(
        b"time,Pressure,Flow,Current,MotorTemperature,BearingTemperature,Vibration,Speed,ValvePosition,anomaly\n"
        b"2026-01-05T06:00:00Z,"
    )
    assert b"\r" not in text
    assert b"nan" not in text
    assert text.endswith(b"\n")


def test_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        write_csv(simulate(3.0, 4, seed=9), tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_times_have_the_decimals_they_need() -> None:
    assert iso_times(np.array([0, 100_000_000])) == ["1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.100Z"]
    assert iso_times(np.array([NS_PER_S])) == ["1970-01-01T00:00:01Z"]
    assert iso_times(np.array([1_000])) == ["1970-01-01T00:00:00.000001Z"]
    assert iso_times(np.array([1])) == ["1970-01-01T00:00:00.000000001Z"]


def test_missing_folder_is_named(run: Simulation, tmp_path: Path) -> None:
    with pytest.raises(InputOutputError, match=r"none.run\.csv: cannot be written: No such file or directory"):
        write_csv(run, tmp_path / "none" / "run.csv")


def test_command_writes_and_describes_the_file(tmp_path: Path) -> None:
    out = tmp_path / "rig.csv"
    code, output, _ = cli(str(out), "--hours", "3", "--faults", "4", "--seed", "1")
    assert code == 0
    assert "10,800 rows of 8 channels, seed 1" in output
    assert len(output.splitlines()) == 5
    assert len(read(out)[1]) == 10_800


def test_command_json_agrees_with_the_labels(tmp_path: Path) -> None:
    out = tmp_path / "rig.csv"
    code, output, _ = cli(str(out), "--hours", "3", "--faults", "4", "--json")
    assert code == 0
    report = json.loads(output)
    _, rows = read(out)
    labels = [int(row[-1]) for row in rows]
    assert report["rows"] == len(rows)
    assert report["anomalous_rows"] == sum(labels)
    assert (report["start"], report["end"]) == (rows[0][0], rows[-1][0])
    for fault in report["faults"]:
        assert rows[fault["first_row"]][0] == fault["start"]
        assert rows[fault["end_row"] - 1][0] == fault["end"]
        assert set(labels[fault["first_row"] : fault["end_row"]]) == {1}
    assert {fault["kind"] for fault in report["faults"]} >= {"bearing_wear", "cavitation"}


def test_command_refuses_invalid_options_and_writes_no_file(tmp_path: Path) -> None:
    out = tmp_path / "rig.csv"
    _, _, error = cli(str(out), "--hours", "1", "--faults", "5")
    assert isinstance(error, UsageError)
    assert not out.exists()


def test_help_has_an_example() -> None:
    code, output, _ = cli("--help")
    assert code == 0
    assert "vcedge simulate faulty.csv --hours 6 --faults 4 --seed 1" in output
