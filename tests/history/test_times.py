"""Spellings of times in files."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcedge.errors import ConfigError
from vcedge.history.recording import NO_TIME
from vcedge.history.times import EPOCH_UNITS_NS, EpochTimes, TextTimes, TypedTimes
from vcedge.wording import iso_time

NOON = 1_577_880_000_000_000_000  # 2020-01-01 12:00:00 UTC


@pytest.mark.parametrize(
    ("text", "offset_ns"),
    [
        ("2020-01-01T12:00:00", 0),
        ("2020-01-01 12:00:00", 0),
        ("2020-01-01 12:00", 0),
        ("2020-01-01T12", 0),
        (" 2020-01-01T12:00:00Z ", 0),
        ('"2020-01-01T12:00:00Z"', 0),
        ("2020/1/1 12:00:00", 0),
        ("2020-01-01T12:00:00.25Z", 250_000_000),
        ("2020-01-01T12:00:00,5", 500_000_000),
        ("2020-01-01T12:00:00.123456789", 123_456_789),
        ("2020-01-01T13:30:00+01:30", 0),
        ("2020-01-01T07:00:00-0500", 0),
        ("2020-01-01 13:00:00 +01", 0),
        ("2020-01-01", -43_200_000_000_000),
    ],
)
@pytest.mark.parametrize("copies", [1, 20])  # one by one, and a block at once
def test_iso_8601_is_read(text: str, offset_ns: int, copies: int) -> None:
    assert TextTimes(None).read([text] * copies).tolist() == [NOON + offset_ns] * copies


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bad",
        "2020-13-01",
        "2020-02-30",
        "2020-01-01 24:00",
        "2020-01-01 10:60",
        "20200101",
        "12.5",
        "9999-01-01",
        "0001-01-01",
        "2020-01-01T12:00:00 CET",
        "today",
        "NaT",
        "2020-01-01T12:00:00.0000000001",
    ],
)
@pytest.mark.parametrize("copies", [1, 20])
def test_text_without_a_time_is_missing(text: str, copies: int) -> None:
    assert TextTimes(None).read([text] * copies).tolist() == [NO_TIME] * copies


def test_invalid_cell_alone_is_missing() -> None:
    texts = ["2020-01-01 12:00:00"] * 30
    texts[0], texts[7], texts[29] = "", "2020-01-01 12:0x:00", "2020-02-31 12:00:00"
    times = TextTimes(None).read(texts)
    assert np.flatnonzero(times == NO_TIME).tolist() == [0, 7, 29]
    assert set(times[times != NO_TIME].tolist()) == {NOON}


def test_byte_texts_of_different_lengths_are_read() -> None:
    texts = [b"2020-01-01T12:00:00", b"2020-01-01T12:00:00.5", b"2020-01-01T12:00:00+01:00"] * 20
    expected = [NOON, NOON + 500_000_000, NOON - 3_600_000_000_000] * 20
    assert TextTimes(None).read(np.array(texts)).tolist() == expected


@pytest.mark.parametrize("copies", [1, 20])
@pytest.mark.parametrize(
    ("spelling", "text"),
    [
        ("%d/%m/%y %H", "01/01/20 12"),
        ("%m/%d/%Y %H:%M:%S", "01/01/2020 12:00:00"),
        ("%d.%m.%Y %H:%M:%S.%f", "1.1.2020 12:00:00.000000"),
        ("%Y%m%d%H%M", "202001011200"),
        ("%d-%b-%Y %I:%M %p", "01-Jan-2020 12:00 PM"),
        ("%Y-%m-%dT%H:%M:%S%z", "2020-01-01T14:00:00+0200"),
        ("%A, %d %B %Y %H h", "Wednesday, 01 January 2020 12 h"),
    ],
)
def test_strptime_formats_are_read(spelling: str, text: str, copies: int) -> None:
    assert TextTimes(spelling).read([text] * copies).tolist() == [NOON] * copies


@pytest.mark.parametrize("spelling", ["%q", "%d/%", "%d %d", "%Q%Y"])
def test_invalid_time_format_is_refused(spelling: str) -> None:
    with pytest.raises(ConfigError, match=r"data\.time\.format"):
        TextTimes(spelling)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_epoch_integers_are_exact(unit: str) -> None:
    size = EPOCH_UNITS_NS[unit]
    counts = [NOON // size, NOON // size + 1, 0, -1]
    expected = [count * size for count in counts]
    reader = EpochTimes(size)
    assert reader.read([str(count) for count in counts]).tolist() == expected
    assert reader.read(np.array(counts)).tolist() == expected


def test_epoch_fractions_are_read_to_the_microsecond() -> None:
    reader = EpochTimes(EPOCH_UNITS_NS["s"])
    times = reader.read(["1577880000.123456", "1577880000.5", "", "x", "1e30", "inf"])
    assert times.tolist() == [NOON + 123_456_000, NOON + 500_000_000, *[NO_TIME] * 4]
    assert EpochTimes(EPOCH_UNITS_NS["ms"]).read(["1577880000123,25"]).tolist() == [NOON + 123_250_000]


def test_typed_times_are_read() -> None:
    cells = np.array(["2020-01-01T12:00", "NaT"], "datetime64[m]")
    assert TypedTimes().read(cells).tolist() == [NOON, NO_TIME]
    far = np.array(["9999-01-01", "2020-01-01"], "datetime64[D]")
    assert TypedTimes().read(far).tolist() == [NO_TIME, NOON - 43_200_000_000_000]


@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), min_size=1, max_size=40))
def test_times_agree_with_datetime(moments: list[datetime]) -> None:
    epoch = datetime(1970, 1, 1)
    expected = [(moment - epoch) // timedelta(microseconds=1) * 1000 for moment in moments]
    assert TextTimes(None).read([m.isoformat() for m in moments]).tolist() == expected
    spelling = "%d.%m.%Y %H:%M:%S.%f"
    assert TextTimes(spelling).read([m.strftime(spelling) for m in moments]).tolist() == expected


@given(st.lists(st.text(max_size=30), max_size=30))
def test_block_of_texts_is_read_like_single_texts(texts: list[str]) -> None:
    reader = TextTimes(None)
    assert reader.read(texts).tolist() == [reader.read_one(text) for text in texts]


@given(st.integers(-(10**18), 4 * 10**18))
def test_iso_time_round_trip(time_ns: int) -> None:
    assert TextTimes(None).read_one(iso_time(time_ns)) == time_ns


def test_iso_time_has_the_digits_it_needs() -> None:
    assert iso_time(NOON) == "2020-01-01T12:00:00.000Z"
    assert iso_time(NOON + 1_000) == "2020-01-01T12:00:00.000001Z"
    assert iso_time(NOON + 1) == "2020-01-01T12:00:00.000000001Z"
    assert datetime.fromisoformat(iso_time(NOON)[:-1]).replace(tzinfo=timezone.utc).timestamp() * 1e9 == NOON
