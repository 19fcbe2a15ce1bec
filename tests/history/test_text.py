"""Text files that are damaged, large or odd; equal results of the fast and the slow path."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.history.conftest import Write, all_rows, load
from vcedge.config.train import DataConfig, ReadingConfig, TableConfig
from vcedge.errors import DataError, VcedgeError
from vcedge.history import load_history, open_rows
from vcedge.schema import schema_of


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"time,a,b\n", "has a heading but no rows"),
        (b"\n\n \n", "has no rows"),
        (bytes(range(256)) * 20, "is not a table of text"),
        (b"\x7fELF\x02\x01\x01" + bytes(100), "is not a table of text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is not a table of text"),
        (b"\x1f\x8b" + b"\x00" * 30, "damaged gzip file"),
        (gzip.compress(b"time,a\n" + b"2024-01-01,1\n" * 9999)[:-20], "damaged gzip file"),
        (b"PK\x03\x04" + b"x" * 50, "cannot be read as numpy arrays"),
        (b"PAR1" + b"x" * 50, "damaged Parquet file"),
        (b"\x93NUMPY" + b"x" * 50, "cannot be read as numpy arrays"),
        (b"time,note\n2024-01-01,hello\n2024-01-02,you\n", r"no column of numbers to watch: note \(not numbers\)"),
        (b"time,label\n2024-01-01,1\n2024-01-02,1\n", "empty, or a constant that is called like a label"),
        (b"1" * 2_000_000, "first line is longer"),
    ],
)
def test_file_without_table_is_refused(content: bytes, message: str, write: Write) -> None:
    with pytest.raises(DataError, match=message) as error:
        load(write(content, "odd.csv"))
    assert "odd.csv: " in str(error.value)
    assert error.value.exit_code == 65


def test_unterminated_cell_is_refused(write: Write) -> None:
    rows = "".join(f"{i},{i * 2}\n" for i in range(200_000))
    path = write("ts,a\n" + rows + '200000,"' + "x" * 200_000 + "\n")
    with pytest.raises(DataError, match=r"a\.csv: cannot be read as a table: field larger"):
        load(path)


def test_messages_with_long_names_are_short(write: Write) -> None:
    path = write('"a\n\nb","' + "x" * 5000 + '"\n' + "hello,you\n" * 3)
    with pytest.raises(DataError) as error:
        load(path)
    assert len(str(error.value)) < 1000
    assert len(str(error.value).splitlines()) == 1


def test_zero_bytes_at_the_end_are_ignored(write: Write) -> None:
    rows = "".join(f"{i},{i * 2}\n" for i in range(2000))
    recording = load(write(("ts,a\n" + rows + "2000,4").encode() + bytes(5000)))
    assert recording.values[-1, 0] == 4.0
    assert len(recording.values) == 2001


def test_stray_quote_loses_only_its_rows(write: Write) -> None:
    rows = [f"{i},{i * 2},x\n" for i in range(20_000)]
    rows[5000] = '5000,10000,5" pipe\n'
    recording = load(write("ts,a,note\n" + "".join(rows)))
    assert len(recording.values) == 20_000
    rows[5000] = '5000,10000,"half\n'
    rows[5003] = '5003,10006,"\n'
    assert len(load(write("ts,a,note\n" + "".join(rows))).values) >= 19_990


def test_long_cells_of_time_are_not_cut(write: Write) -> None:
    stamp = "2024-01-01T00:00:00" + " " * 30 + "+01:00"
    recording = load(write(f"time,a\n{stamp},1\n{stamp.replace('-01T', '-02T')},2\n"))
    assert recording.time_ns[0] == np.datetime64("2023-12-31T23:00:00", "ns").astype(np.int64)


CELL = st.sampled_from(["1", "-2.5", "1e3", " 7 ", "", "nan", "Bad", "1_0", "inf", "é", "€", '"8"', "1 2", "0x1", "١"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8))
def test_fast_and_slow_paths_agree(tmp_path: Path, cells: list[tuple[str, str]]) -> None:
    """A block of clean rows takes the fast path, one with text the slow path: each cell reads the same."""
    schema = schema_of(["a", "b"], 1, 10)

    def read(name: str, lines: list[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        path = tmp_path / name
        path.write_text("a,b,note\n" + "".join(lines), newline="")
        return all_rows(open_rows([path], schema, ReadingConfig(table=TableConfig(delimiter=",", header=True)))).values

    mixed = read("all.csv", [f"{a},{b},\n" for a, b in cells])
    alone = [read("one.csv", [f"{a},{b},x\n"])[0] for a, b in cells]
    np.testing.assert_array_equal(mixed, alone)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    st.binary(max_size=400)
    | st.text(max_size=200).map(str.encode)
    | st.text("0123456789.,;:-+eE\"' \n\r\tabT\0", max_size=300).map(str.encode)
    | st.binary(max_size=200).map(lambda data: b"\x93NUMPY\x01\x00" + data)
    | st.binary(max_size=200).map(lambda data: b"PK\x03\x04" + data)
    | st.binary(max_size=200).map(lambda data: b"PAR1" + data + b"PAR1")
    | st.binary(max_size=200).map(lambda data: b"\x1f\x8b\x08" + data)
    | st.binary(max_size=200).map(gzip.compress)
    | st.binary(max_size=200).map(lambda data: b"\xff\xfe" + data),
    st.booleans(),
)
@example(b"\xff\xfe\xff", False)
@example(b'time,a\n"', False)
@example(b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999,)}\n", False)
@example(b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", False)
def test_garbage_raises_only_user_errors(tmp_path: Path, content: bytes, transpose: bool) -> None:
    path = tmp_path / "garbage"
    path.write_bytes(content)
    config = DataConfig(train=["garbage"], table=TableConfig(transpose=transpose))
    message, recording = "", None
    try:
        recording = load_history(config, tmp_path)
    except VcedgeError as error:
        message = str(error)
    assert len(message.splitlines()) <= 2
    assert len(message) < 1500
    if recording is not None:
        assert len(recording.time_ns) == len(recording.values) > 0
        assert not np.isinf(recording.values).any()
        assert len(recording.report.lines()) <= 15
