"""Clocks that jump: one wrong time changes nothing, and no wrong time makes all later samples late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcedge.runtime.stream.state import Numbers
from vcedge.runtime.stream.timeline import CONFIRM, LATE_NS, Timeline, Verdict
from vcedge.schema import NS_PER_S, schema_of

SCHEMA = schema_of(["a"], 1.0, 5.0)
NOW = 1_700_000_000
YEAR = 365 * 86_400
LATE_S = LATE_NS // NS_PER_S


def verdicts(*seconds: float, timeline: Timeline | None = None) -> str:
    """Return the first letters of the verdicts: NEXT, RESTART, LATE, OUTLIER."""
    timeline = timeline or Timeline(SCHEMA)
    return "".join(timeline.push(round(second * NS_PER_S)).name[0] for second in seconds)


def from_(start: float, count: int) -> list[float]:
    return [start + row for row in range(count)]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (from_(NOW, 5), "NNNNN"),
        ([NOW, NOW + 3600, NOW + 3601], "NNN"),  # a pause
        ([NOW, NOW, NOW - 1, NOW + 1], "NLLN"),  # a duplicate, a late one
        ([NOW, NOW + 50 * YEAR, NOW + 1], "NON"),  # one from the future
        ([NOW, 5.0, NOW + 1], "NON"),  # one from 1970
        ([NOW, -5.0, NOW + 1], "NON"),  # one from before
        ([NOW, *from_(NOW + 50 * YEAR, 4)], "NOORN"),  # the clock was set
        ([NOW, *from_(5, 4), *from_(NOW + 10, 4)], "NOORNOORN"),  # off to 1970 and back
        ([5.0, *from_(NOW, 4)], "NOORN"),  # the first was wrong
        ([NOW + 50 * YEAR, *from_(NOW, 4)], "NOORN"),
        ([NOW, *from_(NOW - LATE_S - 10, 4)], "NOORN"),  # set back by more than what may be late
        ([NOW, *from_(NOW - 30, 32)], "N" + "L" * 31 + "N"),  # set back by little
        ([NOW, NOW + 1, NOW + 301, NOW + 2, NOW + 3], "NNNRN"),  # one row ahead looked like a pause
        ([NOW, NOW + 301, NOW + 302, NOW + 303, NOW + 304, NOW + 2], "NNNNNL"),  # a pause, and one late sample
        ([NOW, NOW + 9 * YEAR, NOW + 5 * YEAR, NOW + 9 * YEAR, NOW + 1], "NOOON"),  # nonsense agrees with nothing
        ([-1.0, -2.0, NOW], "OON"),
    ],
)
def test_timeline_verdicts(seconds: list[float], expected: str) -> None:
    assert verdicts(*seconds) == expected


def test_a_second_sender_with_another_clock_is_ignored() -> None:
    mixed = [time for row in range(50) for time in (NOW + row, NOW + 50 * YEAR + row)]
    assert verdicts(*mixed) == "NO" * 50


@given(st.lists(st.integers(-10, 4 * YEAR) | st.integers(NOW - 1000, NOW + 1000), max_size=30), st.integers(0, NOW * 2))
def test_a_steady_clock_is_accepted_soon_after_anything(junk: list[int], start: int) -> None:
    timeline = Timeline(SCHEMA)
    verdicts(*junk, timeline=timeline)
    found = verdicts(*from_(start, LATE_S + CONFIRM + 1), timeline=timeline)
    assert "N" in found
    assert set(found[found.index("N") :]) == {"N"}


@given(st.lists(st.integers(0, 100) | st.integers(0, 4 * YEAR), max_size=40))
def test_accepted_times_increase_except_at_a_restart(seconds: list[int]) -> None:
    numbers, last = Numbers.fresh(), None
    for second in seconds:
        numbers = Numbers.from_buffer_copy(numbers)
        timeline = Timeline(SCHEMA, numbers)
        verdict = timeline.push(second * NS_PER_S)
        if verdict is Verdict.NEXT:
            assert last is None or second > last
        if verdict in (Verdict.NEXT, Verdict.RESTART):
            last = second
        assert timeline.last_ns == (None if last is None else last * NS_PER_S)
