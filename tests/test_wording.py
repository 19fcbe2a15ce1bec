"""Text forms of numbers, shares, lengths of time and lists."""

from __future__ import annotations

import numpy as np
import pytest

from vcedge.wording import clipped, count, delay, duration, iso_time, listed, number, percent, utc_time


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.001, "1 ms"), (0.25, "250 ms"), (1, "1 s"), (60, "1 min"), (76, "76 s"), (300, "5 min"), (3600, "1 h"),
     (3840, "64 min"), (86400, "24 h"), (1_883_520, "21.8 days"), (1e9, "11600 days")],
)  # fmt: skip
def test_duration_picks_the_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.05, "50 ms"), (1.0, "1 s"), (23.5, "24 s"), (89.0, "89 s"), (118.0, "120 s"), (1734.0, "29 min"),
     (5400.0, "90 min"), (90_000.0, "25 h"), (2e7, "230 days")],
)  # fmt: skip
def test_duration_in_two_digits(seconds: float, text: str) -> None:
    assert duration(seconds, 2) == text


def test_delay_in_words() -> None:
    assert (delay(0.0), delay(30.0), delay(1320.0)) == ("at once", "after 30 s", "after 22 min")


def test_utc_time_to_the_second() -> None:
    assert utc_time(1_700_000_000_999_999_999) == "2023-11-14 22:13:20"
    assert utc_time(-1) == "1969-12-31 23:59:59"


def test_iso_time_cuts_the_fraction_to_the_digits_asked_for() -> None:
    time_ns = 1_700_000_000_999_999_999
    assert iso_time(time_ns) == "2023-11-14T22:13:20.999999999Z"
    assert iso_time(time_ns, digits=3) == "2023-11-14T22:13:20.999Z"
    assert iso_time(time_ns, digits=0) == "2023-11-14T22:13:20Z"


def test_count_has_a_plural_except_for_one() -> None:
    found = [count(1, "row"), count(np.int64(10_000), "row"), count(1.0, "false alarm"), count(0.5, "false alarm")]
    assert found == ["1 row", "10,000 rows", "1 false alarm", "0.5 false alarms"]


def test_number_in_four_digits() -> None:
    assert [number(value) for value in (0.12345, 999.96, 123_456.7, 1e10)] == ["0.1235", "1000", "123,457", "1e+10"]


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0%"), (0.0004, "under 0.1%"), (0.025, "2.5%"), (0.37, "37%"), (0.994, "99%"), (0.996, "99.6%"),
     (0.9996, "over 99.9%"), (1.0, "100%"), (1.5, "150%"), (-0.05, "-5.0%"), (-0.0001, "0%")],
)  # fmt: skip
def test_percent_does_not_round_to_0_or_100(share: float, text: str) -> None:
    assert percent(share) == text


def test_listed_names_the_first_and_counts_the_rest() -> None:
    assert [listed(list("abcde")[:n], 3) for n in range(6)] == [
        "",
        "a",
        "a, b",
        "a, b, c",
        "a, b, c, d",
        "a, b, c and 2 more",
    ]
    assert listed(["a", "b", "c"], 3, " and ") == "a, b and c"


def test_clipped_ends_with_dots() -> None:
    assert (clipped("abcdef", 6), clipped("abcdefg", 6)) == ("abcdef", "abc...")
