"""Dialects of text files, guessed and configured."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.history.conftest import Write, all_rows, load
from vcedge.config.train import ReadingConfig, TableConfig
from vcedge.errors import ConfigError, DataError
from vcedge.history import open_rows
from vcedge.schema import schema_of

EXPECTED = [[1.5, 10.0], [2.5, 20.0], [3.5, 31.25]]
START = np.datetime64("2024-01-01T00:00:00", "ns").astype(np.int64)
TIMES = ["2024-01-01 00:00:00", "2024-01-01 00:00:01", "2024-01-01 00:00:02"]


def table(delimiter: str, decimal: str = ".", header: str = "time,a,b", end: str = "\n") -> str:
    rows = [f"{t},{a},{b}" for t, (a, b) in zip(TIMES, EXPECTED, strict=True)]
    cells = [row.split(",") for row in [header, *rows]]
    lines = [delimiter.join(c.replace(".", decimal) if i else c for i, c in enumerate(row)) for row in cells]
    return end.join(lines) + end


@pytest.mark.parametrize(
    "text",
    [
        table(","),
        table(";"),
        table("\t"),
        table("|"),
        table(", "),
        table(";", ","),
        table("\t", ","),
        table(",", end="\r\n"),
        table(",", end="\r"),
        "\ufeff" + table(","),
        table(",").rstrip("\n"),
        table(",").replace("\n", "\n\n"),
        table(";").replace("\n", ";\n"),
        table(",", header='"time","a","b"'),
        table(",", header=" time , a , b "),
        "sep=;\n" + table(";"),
    ],
)
def test_dialect_is_guessed(text: str, write: Write) -> None:
    recording = load(write(text))
    assert recording.schema.names == ("a", "b")
    assert recording.values.tolist() == EXPECTED
    assert recording.time_ns.tolist() == [START + i * 10**9 for i in range(3)]


def test_quoted_decimal_commas(write: Write) -> None:
    rows = [f'"{t}","{a}","{b}"'.replace(".", ",") for t, (a, b) in zip(TIMES, EXPECTED, strict=True)]
    assert load(write("time,a,b\n" + "\n".join(rows))).values.tolist() == EXPECTED


def test_white_space_without_a_heading(write: Write) -> None:
    recording = load(write("  1.5   10.0\n  2.5   20.0\n  3.5  31.25\n", "a.dat"))
    assert recording.schema.names == ("ch0", "ch1")
    assert recording.values.tolist() == EXPECTED
    assert not recording.report.has_time


def test_transposed_table(write: Write) -> None:
    recording = load(write("1.5 2.5 3.5\n10 20 31.25\n"), table={"transpose": True})
    assert recording.values.tolist() == EXPECTED
    recording = load(write("a;1.5;2.5;3.5\nb;10;20;31.25\n"), table={"transpose": True})
    assert recording.schema.names == ("a", "b")
    assert recording.values.tolist() == EXPECTED


def test_one_column_with_decimal_comma(write: Write) -> None:
    assert load(write("value\n1,5\n2,5\n3,5\n")).values[:, 0].tolist() == [1.5, 2.5, 3.5]


def test_channels_named_by_numbers(write: Write) -> None:
    rows = "".join(f"{t},{a},{b}\n" for t, (a, b) in zip(TIMES, EXPECTED, strict=True))
    recording = load(write(",0,1\n" + rows))
    assert recording.schema.names == ("0", "1")
    assert recording.report.has_time
    assert recording.values.tolist() == EXPECTED


def test_lines_above_the_table(write: Write) -> None:
    text = "Historian export\nPlant 7, line 2\n" + table(";")
    assert load(write(text), table={"skip_rows": 2}).values.tolist() == EXPECTED


def test_settings_win_over_guesses(write: Write) -> None:
    path = write("1,5;2,5\n3,5;4,6\n5,5;6,7\n")
    assert load(path).values.tolist() == [[1.5, 2.5], [3.5, 4.6], [5.5, 6.7]]
    assert load(path, table={"delimiter": ";", "decimal": ",", "header": True}).schema.names == ("1,5", "2,5")
    with pytest.raises(DataError, match="no column of numbers"):
        load(path, table={"delimiter": ";", "decimal": "."})
    assert load(path, table={"delimiter": ","}).schema.names == ("ch0", "ch2")


def test_header_setting(write: Write) -> None:
    assert load(write("1,2\n3,4\n5,6\n"), table={"header": True}).schema.names == ("1", "2")
    assert len(load(write("a,b\n3,4\n5,6\n"), table={"header": False}).values) == 3


@pytest.mark.parametrize("delimiter", [",,", '"', "\n", ""])
def test_invalid_delimiter_is_refused(delimiter: str, write: Write) -> None:
    with pytest.raises(ConfigError, match=r"data\.table\.delimiter"):
        load(write(table(",")), table={"delimiter": delimiter})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_encoding_is_guessed(encoding: str, write: Write) -> None:
    text = table(",", header="time,Öl °C,b")
    assert load(write(text.encode(encoding))).schema.names == ("Öl °C", "b")


def test_gzip_is_recognised_by_its_bytes(write: Write) -> None:
    path = write(gzip.compress(table(",").encode()), "no-suffix")
    assert load(path).values.tolist() == EXPECTED


def test_repeated_and_missing_names_are_made_unique(write: Write) -> None:
    path = write("time,a,a,,b\n" + "".join(f"{t},{i},{i + 1},{i + 2},{i + 3}\n" for i, t in enumerate(TIMES)))
    assert load(path).schema.names == ("a", "a.1", "column3", "b")


def test_quoted_line_breaks(write: Write) -> None:
    note = '"two\nlines, and ""quotes"""'
    rows = "".join(f"{t},{note},{i}\n" for i, t in enumerate(TIMES))
    recording = load(write('time,note,"a\nb"\n' + rows))
    assert recording.values[:, 0].tolist() == [0.0, 1.0, 2.0]
    assert recording.report.left_out == {"note": "not numbers"}


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[list[float]], TableConfig]:
    """Return a table in a random dialect, its values, and what a user would have to state about it."""
    width = draw(st.integers(2, 5))
    number = st.floats(-1e6, 1e6).map(lambda x: round(x, 3)) | st.just(float("nan"))
    values = draw(st.lists(st.lists(number, min_size=width, max_size=width), min_size=3, max_size=30))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    decimal = draw(st.sampled_from([".", ","])) if delimiter != "," else "."
    quote = draw(st.booleans())
    pad = draw(st.sampled_from(["", " "]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    trailing = delimiter if draw(st.booleans()) else ""

    def cell(value: float) -> str:
        text = "" if value != value else f"{value:.3f}".replace(".", decimal)
        return f'"{text}"' if quote else pad + text

    lines = [delimiter.join(["time", *(f"s{j}" for j in range(width))]) + trailing]
    for i, row in enumerate(values):
        stamp = f"2024-01-01T00:{i:02d}:00Z"
        lines.append(delimiter.join([stamp, *map(cell, row)]) + trailing)
    return end.join(lines) + end, values, TableConfig()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files())
def test_random_table_in_random_dialect_round_trip(
    tmp_path: Path, case: tuple[str, list[list[float]], TableConfig]
) -> None:
    text, values, config = case
    path = tmp_path / "random.csv"
    path.write_text(text, newline="")
    schema = schema_of([f"s{j}" for j in range(len(values[0]))], 60, 600)
    block = all_rows(open_rows([path], schema, ReadingConfig(table=config)))
    np.testing.assert_array_equal(block.values, values)
    assert block.time_ns.tolist() == [START + i * 60 * 10**9 for i in range(len(values))]
