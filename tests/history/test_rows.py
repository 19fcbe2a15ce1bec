"""Rows in file order, unchanged."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tests.history.conftest import Write, all_rows
from vcedge.config.train import ReadingConfig, TimeConfig
from vcedge.errors import DataError, InputNotFound
from vcedge.history import NO_TIME, open_rows
from vcedge.history.rows import RowReader
from vcedge.schema import schema_of

AB = schema_of(["a", "b"], period_s=1, max_gap_s=10)
SECOND = 1_000_000_000


def rows(*paths: Path, extra: tuple[str, ...] = (), time: dict[str, str] | None = None) -> RowReader:
    return open_rows(paths, AB, ReadingConfig(time=TimeConfig.model_validate(time or {})), extra)


def test_every_row_is_kept_unchanged(write: Write) -> None:
    path = write(
        "ts,a,b,note\n"
        "5,1,2,x\n"
        "5,1,2,again\n"
        "3,Bad,4,back in time\n"
        "\n"
        ",5,6,no time\n"
        "never,7,8,no time either\n"
        "9,9\n"
        "10,1,2,3,4,5\n"
        "11,inf,12,\n"
    )
    reader = rows(path)
    block = all_rows(reader)
    assert block.time_ns.tolist() == [
        5 * SECOND,
        5 * SECOND,
        3 * SECOND,
        NO_TIME,
        NO_TIME,
        9 * SECOND,
        NO_TIME,
        11 * SECOND,
    ]
    nan = np.nan
    expected = [[1, 2], [1, 2], [nan, 4], [5, 6], [7, 8], [9, nan], [nan, nan], [nan, 12]]
    np.testing.assert_array_equal(block.values, expected)
    report = reader.report
    assert (report.rows, report.unreadable_times, report.short_rows, report.long_rows, report.unsorted) == (
        8,
        2,
        1,
        1,
        1,
    )
    assert report.channels["a"].texts == {"Bad": 1, "inf": 1}
    assert report.channels["b"].missing == 2
    assert not any("left out" in line or "sorted" in line for line in report.lines())


def test_columns_follow_the_schema_with_labels_beside(write: Write) -> None:
    path = write("b,anomaly,time,a\n2,0,2024-01-01,1\n4,1,2024-01-02,3\n6,True,2024-01-03,5\n")
    block = all_rows(rows(path, extra=("anomaly",)))
    assert block.values.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert block.extra["anomaly"].tolist() == [0, 1, 1]


def test_column_can_be_time_and_label(write: Write) -> None:
    block = all_rows(rows(write("ts,a,b\n1,2,3\n4,5,6\n"), extra=("ts",)))
    assert block.extra["ts"].tolist() == [1, 4]
    assert block.time_ns.tolist() == [1 * SECOND, 4 * SECOND]


def test_files_without_time_follow_each_other_after_a_gap(write: Write) -> None:
    first, second = write("a,b\n1,2\n3,4\n", "1.csv"), write("a,b\n5,6\n7,8\n", "2.csv")
    reader = rows(first, second)
    assert not reader.has_time
    block = all_rows(reader)
    assert block.time_ns[:2].tolist() == [0, SECOND]
    assert block.time_ns[2] - block.time_ns[1] > AB.max_gap_ns
    assert block.time_ns[3] - block.time_ns[2] == SECOND
    assert [file.rows for file in reader.report.files] == [2, 2]


def test_reader_can_be_read_again(write: Write) -> None:
    reader = rows(write("a,b\n1,2\n3,4\n"))
    assert all_rows(reader).values.tolist() == all_rows(reader).values.tolist()
    assert reader.report.rows == 2


def test_missing_column_is_named_at_once(write: Write) -> None:
    path = write("time,A,b\n2024-01-01,1,2\n")
    with pytest.raises(DataError, match=r"a\.csv: has no column 'a'.*time, A, b"):
        rows(path)
    with pytest.raises(DataError, match=r"has no column 'anomlay' \(did you mean 'anomaly'\?\)"):
        rows(write("anomaly,a,b\n0,1,2\n"), extra=("anomlay",))


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match=r"nothing\.csv: no such file"):
        rows(tmp_path / "nothing.csv")
    with pytest.raises(InputNotFound, match="directory"):
        rows(tmp_path)


def test_files_with_and_without_time_are_refused_together(write: Write) -> None:
    first, second = write("time,a,b\n2024-01-01,1,2\n", "1.csv"), write("a,b\n5,6\n", "2.csv")
    with pytest.raises(DataError, match=r"2\.csv: has no time column, unlike .*1\.csv"):
        all_rows(rows(first, second))


@pytest.mark.parametrize(
    ("heading", "first", "configured", "has_time"),
    [
        ("Time,a,b", "2024-01-01", {}, True),
        ("TIMESTAMP,a,b", "1700000000", {}, True),
        ("DateTime,a,b", "1700000000123", {}, True),
        (",a,b", "2024-01-01", {}, True),
        ("Unnamed: 0,a,b", "2024-01-01 00:05:00", {}, True),
        ("when,a,b", "2024-01-01T00:00:00Z", {}, True),
        ("when,a,b", "17", {}, False),
        ("when,a,b", "17", {"column": "when"}, True),
        (",a,b", "0", {}, False),
        ("Zeit,a,b", "31.12.2023 23:59", {"format": "%d.%m.%Y %H:%M"}, True),
        ("time,a,b", "0.5", {"column": "none"}, False),
        ("time,a,b", "1700000000123", {"format": "ms"}, True),
    ],
)
def test_time_column_is_guessed(
    heading: str, first: str, configured: dict[str, str], has_time: bool, write: Write
) -> None:
    reader = rows(write(f"{heading}\n{first},1,2\n"), time=configured)
    assert reader.has_time is has_time
    assert len(all_rows(reader).values) == 1


def test_unit_of_epoch_times_is_guessed(write: Write) -> None:
    moment = 1_700_000_000_123_456_789
    for digits, expected in ((10, moment // 10**9 * 10**9), (13, moment // 10**6 * 10**6), (19, moment)):
        path = write(f"ts,a,b\n{str(moment)[:digits]},1,2\n")
        assert all_rows(rows(path)).time_ns.tolist() == [expected]


def test_day_and_time_of_day_in_two_columns(write: Write) -> None:
    path = write("Date;Time;a;b\n31.12.2023;23:59:59;1,5;2\n01.01.2024;00:00:00;2,5;3\n")
    block = all_rows(rows(path, time={"column": "Date+Time", "format": "%d.%m.%Y %H:%M:%S"}))
    assert (block.time_ns[1] - block.time_ns[0], block.values[1, 0]) == (SECOND, 2.5)


@pytest.mark.parametrize(
    ("text", "time", "message"),
    [
        ("DATETIME,a,b\n06/01/14 00,1,2\n", {}, r"'DATETIME'.*'06/01/14 00' is neither ISO 8601 nor.*time\.format"),
        ("date,a,b\n20240131,1,2\n", {}, r"'20240131' is neither"),
        ("t,a,b\n1.2.2024,1,2\n", {"column": "t"}, r"'1.2.2024' is neither"),
        (
            "t,a,b\n1.2.2024,1,2\n",
            {"column": "t", "format": "%d/%m/%Y"},
            r"'1.2.2024' is not of the format '%d/%m/%Y' \(data\.time\.format",
        ),
        ("t,a,b\n1.2.2024,1,2\n", {"format": "%d/%m/%Y"}, "no column holds times of the format"),
        ("time,a,b\n,1,2\n", {}, "'' is neither"),
        ("t,a,b\n1,1,2\n", {"column": "Time"}, "has no column 'Time'"),
    ],
)
def test_unreadable_time_is_refused(text: str, time: dict[str, str], message: str, write: Write) -> None:
    with pytest.raises(DataError, match=message):
        rows(write(text), time=time)


def test_memory_is_constant(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    with path.open("w") as file:
        file.write("ts,a,b\n")
        for start in range(0, 100_000, 1000):
            file.write("".join(f"{i},{i}.5,{'' if i % 5000 == 0 else -i}\n" for i in range(start, start + 1000)))
    reader = rows(path)
    iterator = iter(reader)
    next(iterator)
    tracemalloc.start()
    total = sum(float(block.values[:, 0].sum()) for block in iterator)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total > 0
    assert reader.report.rows == 100_000
    assert reader.report.channels["b"].missing == 20
    assert peak < 8_000_000
