"""Histories loaded for training: sorted, without duplicates, cut at gaps, within limits, larger than memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.history.conftest import Write, load
from vcedge.config.train import DataConfig
from vcedge.errors import ConfigError, DataError, InputNotFound
from vcedge.history import load_history
from vcedge.history.files import find_files

SECOND = 1_000_000_000


def table(times: list[float], heading: str = "ts,a,b") -> str:
    return heading + "\n" + "".join(f"{t},{i},{i * i}\n" for i, t in enumerate(times))


def test_rows_are_sorted_and_the_first_duplicate_kept(write: Write) -> None:
    recording = load(write(table([5, 3, 4, 3, 1, 9, 4])))
    assert (recording.time_ns // SECOND).tolist() == [1, 3, 4, 5, 9]
    assert recording.values[:, 0].tolist() == [4, 1, 2, 0, 5]
    report = recording.report
    assert (report.rows, report.used, report.duplicate_times, report.unsorted) == (7, 5, 2, 4)


def test_rows_are_cut_at_gaps(write: Write) -> None:
    times = [*range(100), *range(150, 200), 1000, *range(1011, 1100)]
    recording = load(write(table([float(t) for t in times])))
    assert recording.schema.period_ns == SECOND
    assert recording.schema.max_gap_ns == 10 * SECOND
    assert recording.sequences == ((0, 100), (100, 150), (150, 151), (151, len(times)))
    assert (recording.report.gaps, recording.report.longest_gap_s) == (3, 801.0)
    assert "3 gaps longer than 10 s, the longest 13.3 min: 4 sequences" in recording.report.lines()


def test_irregular_sampling_is_not_cut_to_pieces(write: Write) -> None:
    rng = np.random.default_rng(0)
    steps = rng.choice([4.0, 5.0, 180.0], 1000, p=[0.6, 0.25, 0.15]) * 60  # the long ones 45 times the usual
    recording = load(write(table(np.cumsum(steps).tolist())))
    assert len(recording.sequences) == 1
    assert recording.report.irregular > 0.3


def test_configured_period_and_gap(write: Write) -> None:
    recording = load(write(table([0, 1, 2, 3, 6, 7, 8])), time={"period_s": 0.5, "max_gap_s": 2.0})
    assert (recording.schema.period_ns, recording.schema.max_gap_ns) == (SECOND // 2, 2 * SECOND)
    assert recording.sequences == ((0, 4), (4, 7))
    assert any("the median interval is 1 s" in line for line in recording.report.lines())
    with pytest.raises(ConfigError, match="max_gap_s"):
        load(write(table([0, 1])), time={"period_s": 5, "max_gap_s": 2.0})


def test_values_out_of_limits_are_missing(write: Write) -> None:
    channels = [{"name": "b", "high": 30.0, "unit": "bar"}, {"name": "a", "low": 1}]
    recording = load(write(table([float(t) for t in range(8)])), channels=channels)
    assert [(c.name, c.unit, c.high) for c in recording.schema.channels] == [("b", "bar", 30.0), ("a", "", None)]
    assert np.isnan(recording.values[:, 0]).tolist() == [False] * 6 + [True] * 2
    assert np.isnan(recording.values[:, 1]).tolist() == [True] + [False] * 7
    assert recording.report.channels["b"].beyond_limits == 2
    assert recording.report.channels["b"].high == 25.0
    assert "values beyond the channel's limits (±1e30 where none are stated): b 2, a 1" in recording.report.lines()


def test_left_out_columns_and_warnings(write: Write) -> None:
    rows = "".join(f"{i},{i},7,,{'x' if i % 2 else ''},{i % 2},{'' if i % 3 else i},{i}\n" for i in range(12))
    recording = load(write("ts,a,flat,empty,note,anomaly,rare,label_b\n" + rows), exclude=["label_*", "anomoly"])
    assert recording.schema.names == ("a", "flat", "anomaly", "rare")  # a new value of what stood still is news
    assert recording.report.left_out == {"empty": "empty", "note": "not numbers", "label_b": "excluded"}
    warnings = "\n".join(recording.report.warnings)
    assert "'anomoly' is no column; did you mean 'anomaly'?" in warnings
    assert "channel 'anomaly' looks like a label" in warnings
    assert "channel 'rare' is missing in 67% of the rows" in warnings


def test_a_value_far_outside_all_others_is_a_warning_until_a_limit_is_stated(write: Write) -> None:
    path = write("ts,a\n" + "".join(f"{i},{1e7 if i == 150 else i % 9}\n" for i in range(300)))
    (warning,) = load(path).report.warnings
    assert warning.startswith("channel 'a' holds 1e+07, though 98% of its values are 0 to 8")
    assert load(path, channels=[{"name": "a", "high": 100.0}]).report.warnings == []


def test_a_constant_that_is_called_like_a_label_is_left_out_unless_it_is_named(write: Write) -> None:
    path = write("ts,a,attack,Fault\n" + "".join(f"{i},{i},0,0\n" for i in range(5)))
    recording = load(path)
    assert recording.schema.names == ("a",)
    assert recording.report.left_out == dict.fromkeys(["attack", "Fault"], "constant, and called like a label")
    assert load(path, channels=[{"name": "attack"}, {"name": "a"}]).schema.names == ("attack", "a")
    with pytest.raises(DataError, match="every column of numbers is empty, or a constant that is called like a label"):
        load(path, exclude=["a"])


def test_named_channels_are_kept_when_constant_but_not_when_empty(write: Write) -> None:
    path = write("ts,a,flat,empty\n" + "".join(f"{i},{i},7,Bad\n" for i in range(5)))
    recording = load(path, channels=[{"name": "flat"}, {"name": "a"}])
    assert recording.schema.names == ("flat", "a")
    assert "constant, kept because a new value is news: flat (7)" in recording.report.lines()
    with pytest.raises(DataError, match=r"'empty' has no usable value in any row \(commonest text: 'Bad'\)"):
        load(path, channels=[{"name": "empty"}])


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ([{"name": "a"}, {"name": "a"}], "'a' is named twice"),
        ([{"name": "a", "low": 2, "high": 1}], "low 2.0 is not below high 1.0"),
        ([], "is empty"),
    ],
)
def test_contradictory_channels_are_refused(channels: list[dict[str, object]], message: str, write: Write) -> None:
    with pytest.raises(ConfigError, match=message):
        load(write(table([0, 1, 2])), channels=channels)


def test_several_files_in_any_order(write: Write) -> None:
    later, earlier = write(table([100, 101, 102]), "1.csv"), write(table([0, 1, 2]), "2.csv")
    recording = load(later, earlier)
    assert recording.sequences == ((0, 3), (3, 6))
    assert recording.report.unsorted == 0
    assert not recording.report.warnings
    overlapping = load(earlier, write(table([1.5, 2.5, 3.5]), "3.csv"))
    assert any("2.csv and" in line and "overlap in time" in line for line in overlapping.report.lines())


def test_files_without_time_are_separate_sequences(write: Write) -> None:
    first, second = write("a,b\n1,2\n3,4\n", "1.csv"), write("b,a\n5,6\n7,8\n", "2.csv")
    recording = load(first, second, time={"period_s": 60})
    assert recording.values.tolist() == [[1, 2], [3, 4], [6, 5], [8, 7]]
    assert recording.sequences == ((0, 2), (2, 4))
    assert recording.report.gaps == 0
    assert "no time column: rows are assumed to be 1 min apart" in recording.report.lines()


def test_number_of_rows_is_limited(write: Write) -> None:
    first, second = write(table([0, 1, 2]), "1.csv"), write(table([3, 4, 5]), "2.csv")
    recording = load(first, second, limit_rows=4)
    assert (recording.time_ns // SECOND).tolist() == [0, 1, 2, 3]
    assert recording.report.rows == 4


def test_report_covers_the_rows_used(write: Write) -> None:
    path = write("ts,a,b\n" + "".join(f"{t},{t},{t * t}\n" for t in range(20_000)))
    report = load(path, write(table([90_000, 90_001]), "2.csv"), limit_rows=100).report
    assert [(file.rows, file.first_ns, file.last_ns) for file in report.files] == [(100, 0, 99 * SECOND)]
    assert report.lines()[0] == "1 file, 100 rows, 2 channels, 1970-01-01 00:00:00 to 1970-01-01 00:01:39 UTC"
    exactly = load(path, write(table([90_000, 90_001]), "2.csv"), limit_rows=20_000).report
    assert (exactly.rows, len(exactly.files)) == (20_000, 1)


def test_times_before_1970_are_refused(write: Write) -> None:
    path = write("time,a\n" + "".join(f"12:00:0{i},{i}\n" for i in range(9)))
    with pytest.raises(DataError, match=r"a\.csv: time 1900-01-01 12:00:00, read with data\.time\.format '%H:%M:%S'"):
        load(path, time={"format": "%H:%M:%S"})
    path = write("time,a\n1970-01-01T00:00:00Z,1\n1969-12-31T23:59:58Z,2\n1969-12-31T00:00:00Z,3\n")
    with pytest.raises(DataError, match=r"time 1969-12-31 23:59:58, read without data\.time\.format: expected times f"):
        load(path)


def test_placeholders_are_missing_values(write: Write) -> None:
    cells = ["1", "3.4028235e38", "2", "-1e31", "3", "1e30"]
    recording = load(write("ts,a\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))))
    assert np.isnan(recording.values[:, 0]).tolist() == [False, True, False, True, False, False]
    assert recording.report.channels["a"].beyond_limits == 2
    assert "values beyond the channel's limits (±1e30 where none are stated): a 2" in recording.report.lines()


@pytest.mark.parametrize(
    ("name", "values", "warned"),
    [
        ("Label_pump", "0101", True),
        ("anomaly_score", "0101", True),
        ("attack", ["0", "1", "", "1"], True),
        ("is_anomaly", "0101", True),
        ("event", ["0", "0.5", "1", "0"], False),
        ("event", "0120", False),
        ("eventful", "0101", False),
        ("valve", "0101", False),
    ],
)
def test_column_like_a_label_is_kept_with_a_warning(
    name: str, values: Sequence[str], warned: bool, write: Write
) -> None:
    path = write(f"ts,a,{name}\n" + "".join(f"{i},{i},{value}\n" for i, value in enumerate(values)))
    recording = load(path)
    assert recording.schema.names == ("a", name)
    line = f"channel {name!r} looks like a label: add it to data.exclude if it is one"
    assert (line in recording.report.lines()) == warned
    assert line not in load(path, channels=[{"name": name}, {"name": "a"}]).report.lines()


def test_unreadable_times_are_left_out_if_few(write: Write) -> None:
    rows = [f"2024-01-{i:02d},{i}\n" for i in range(1, 9)]
    recording = load(write("time,a\n" + "".join(rows) + "x,2\n" * 3))
    assert (recording.report.unreadable_times, len(recording.values)) == (3, 8)
    with pytest.raises(DataError, match="column 'time' should be the time, but 'x' is neither"):
        load(write("time,a\n" + rows[0] + "x,2\n" * 3))


def test_fingerprints_identify_the_files(write: Write, tmp_path: Path) -> None:
    path = write(table([0, 1, 2]))
    recording = load_history(DataConfig(train=["*.csv"]), tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert recording.files == (("a.csv", digest),)
    for pattern, folder, name in [
        (str(path), tmp_path, "a.csv"),
        (str(path), tmp_path / "configs", "a.csv"),
        ("../a.csv", tmp_path / "configs", "a.csv"),
        (f"{tmp_path.name}/*.csv", tmp_path.parent, f"{tmp_path.name}/a.csv"),
    ]:
        (tmp_path / "configs").mkdir(exist_ok=True)
        assert load_history(DataConfig(train=[pattern]), folder).files == ((name, digest),)


def test_report_as_json(write: Write) -> None:
    recording = load(write("ts,a,b\n1,Bad,2\n2,3,4\n2,3,4\n8,5,6\n"))
    plain = json.loads(json.dumps(recording.report.to_json(), allow_nan=False))
    assert plain["channels"]["a"] == {
        "missing": 2, "texts": {"Bad": 1}, "beyond_limits": 0, "low": 3.0, "high": 5.0, "constant": False
    } or plain["channels"]["a"]["missing"] == 1  # fmt: skip
    assert (plain["rows"], plain["used"], plain["duplicate_times"]) == (4, 3, 1)
    assert plain["files"][0]["rows"] == 4


def test_files_are_found_by_pattern(tmp_path: Path) -> None:
    for name in ("10.csv", "2.csv", "1.csv", "data [1].csv", "sub/3.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def found(*patterns: str) -> list[str]:
        return [path.relative_to(tmp_path).as_posix() for path in find_files(patterns, tmp_path)]

    assert found("*.csv") == ["1.csv", "2.csv", "10.csv", "data [1].csv"]
    assert found("**/*.csv")[-1] == "sub/3.csv"
    assert found("10.csv", "*.csv")[:2] == ["10.csv", "1.csv"]
    assert found("data [1].csv") == ["data [1].csv"]
    assert found(str(tmp_path / "sub" / "*")) == ["sub/3.csv"]
    with pytest.raises(InputNotFound, match=r"'x/\*\.csv' matches no file in /"):
        find_files(["x/*.csv"], tmp_path)
    with pytest.raises(InputNotFound, match=r"is a folder, expected files such as 'sub/\*\.csv'"):
        find_files(["sub/"], tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.floats(-100, 100), st.just(7.0) | st.just(float("nan"))), min_size=2),
    st.integers(1, 10),
)
def test_recording_larger_than_memory_gives_the_same(
    tmp_path: Path, rows: list[tuple[int, float, float]], memory_rows: int
) -> None:
    """Sorting, dropping repeated rows and constant columns give the same in a file as in memory."""
    path = tmp_path / "a.csv"
    path.write_text(
        "ts,a,b,c\n" + "".join(f"{t},{a!r},{i},{'' if c != c else c}\n" for i, (t, a, c) in enumerate(rows))
    )
    usual = load(path, exclude=[])
    spooled = load(path, memory_rows=memory_rows)
    np.testing.assert_array_equal(usual.time_ns, spooled.time_ns)
    np.testing.assert_array_equal(usual.values, spooled.values)
    assert usual.sequences == spooled.sequences
    assert isinstance(spooled.values, np.memmap) == (len(spooled.values) > memory_rows)
    first = {t: i for i, (t, _, _) in reversed(list(enumerate(rows)))}
    assert (spooled.time_ns // SECOND).tolist() == sorted(first)
    column = spooled.schema.names.index("b")
    assert spooled.values[:, column].tolist() == [first[t] for t in sorted(first)]
