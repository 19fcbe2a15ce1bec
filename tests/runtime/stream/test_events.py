"""Events: their peak, their number, and that a tracker continues from its saved state."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vcedge.limits import EventRule
from vcedge.runtime.stream.events import GROWTH, RELEASE, Event, EventTracker
from vcedge.runtime.stream.state import NO_TOP, TrackerRecord

THRESHOLD = 8.0
VALUES = st.lists(st.one_of(st.floats(-20, 40), st.sampled_from([1.0, 7.0, 8.0, 9.0])), max_size=60)
RULES = st.builds(EventRule, st.floats(0.5, 1.0), st.integers(1, 5), st.integers(0, 6))


def followed(values: list[float], rule: EventRule | None = None) -> list[tuple[Event, list[float]]]:
    """Each published event with the values of its time so far; what is open at the end is closed."""
    rule = rule or EventRule()
    found, during, above = [], list[float](), list[float]()
    tracker = EventTracker("anomaly", rule, names=lambda codes: ((f"at {codes[0] / 1000}", 1.0),))
    for time_ns, value in enumerate(values):
        event = tracker.push(time_ns, value, THRESHOLD, (round(1000 * value), -1, -1))
        above = [*above, value] if value > THRESHOLD else []
        if event is not None and event.type == "new":
            during = above
        elif tracker.is_open:
            during = [*during, value]
        if event is not None:
            found.append((event, during))
    last = tracker.close(len(values))
    return found if last is None else [*found, (last, during)]


@given(VALUES, RULES)
@example([9.0, 11.0, 10.0, 1.0], EventRule())
@example([9.0, 11.0], EventRule())
@example([9.0, 8.5, 8.7], EventRule(min_rows=3))
def test_an_event_reports_its_peak_and_top_channels(values: list[float], rule: EventRule) -> None:
    for event, during in followed(values, rule):
        assert event.peak == max(during)
        assert event.top == ((f"at {round(1000 * event.peak) / 1000}", 1.0),)
        assert event.type != "update" or event.peak == during[-1]


@given(VALUES, RULES)
def test_updates_grow_by_the_factor_and_events_end_once(values: list[float], rule: EventRule) -> None:
    last: Event | None = None
    for event, _ in followed(values, rule):
        if event.type == "new":
            assert last is None or last.type == "end"
            assert event.peak > THRESHOLD
        else:
            assert last is not None
            assert last.type != "end"
            assert (event.id, event.start_ns) == (last.id, last.start_ns)
            assert event.type == "end" or event.peak > GROWTH * last.peak
        last = event
    assert last is None or last.type == "end"


@given(VALUES, RULES)
def test_events_do_not_overlap(values: list[float], rule: EventRule) -> None:
    opened = [event.time_ns for event, _ in followed(values, rule) if event.type == "new"]
    least = rule.min_rows + rule.hold_rows + 1
    assert all(b - a >= least for a, b in pairwise(opened))


@given(VALUES, RULES)
def test_min_rows_open_and_hold_rows_end_an_event(values: list[float], rule: EventRule) -> None:
    tracker = EventTracker("anomaly", rule)
    for time_ns, value in enumerate(values):
        was_open = tracker.is_open
        event = tracker.push(time_ns, value, THRESHOLD)
        if event is not None and event.type == "new":
            assert not was_open
            assert event.start_ns == time_ns - rule.min_rows + 1
            assert min(values[event.start_ns : time_ns + 1]) > THRESHOLD
        elif event is not None and event.type == "end":
            assert was_open
            assert max(values[time_ns - rule.hold_rows : time_ns + 1]) < rule.release * THRESHOLD
        elif not was_open and time_ns + 1 >= rule.min_rows:
            assert min(values[time_ns + 1 - rule.min_rows : time_ns + 1]) <= THRESHOLD


@given(VALUES, RULES, st.integers(0, 60))
def test_a_restored_tracker_continues_identically(values: list[float], rule: EventRule, at: int) -> None:
    record = TrackerRecord(top=NO_TOP, open_top=NO_TOP)
    one = other = EventTracker("anomaly", rule, record)
    for time_ns, value in enumerate(values):
        if time_ns == at:
            other = EventTracker("anomaly", rule, TrackerRecord.from_buffer_copy(record))
        expected = one.push(time_ns, value, THRESHOLD, (50, 153, -1))
        if other is not one:
            assert other.push(time_ns, value, THRESHOLD, (50, 153, -1)) == expected
            assert other.open == one.open


@given(VALUES, RULES)
def test_no_event_opens_on_a_row_that_is_not_allowed(values: list[float], rule: EventRule) -> None:
    tracker = EventTracker("anomaly", rule)
    assert [tracker.push(t, value, THRESHOLD, allowed=False) for t, value in enumerate(values)].count(None) == len(
        values
    )


def test_by_default_two_rows_open_an_event_and_the_first_below_the_threshold_ends_it() -> None:
    assert followed([1.0, 30.0, 7.9, 30.0, 1.0]) == []
    (new, _), (end, _) = followed([1.0, 9.0, 9.5, 8.0, 7.9, 9.0])
    assert (new.start_ns, new.time_ns, end.time_ns) == (1, 2, 4)
    assert RELEASE == 1.0


@pytest.mark.parametrize(("hold", "expected"), [(0, 3), (2, 1)])
def test_hold_rows_join_a_flickering_fault(hold: int, expected: int) -> None:
    values = [9.0, 9.0, 1.0, 9.0, 9.0, 1.0, 1.0, 9.0, 9.0, 1.0, 1.0, 1.0]
    found = followed(values, EventRule(hold_rows=hold))
    assert sum(event.type == "new" for event, _ in found) == expected
    assert found[-1][0].type == "end"


def test_min_rows_ignore_a_short_spike() -> None:
    assert followed([1.0, 30.0, 30.0, 1.0], EventRule(min_rows=3)) == []
    (new, _), (end, _) = followed([1.0, 9.0, 30.0, 10.0, 1.0], EventRule(min_rows=3))
    assert (new.start_ns, new.time_ns, new.peak) == (1, 3, 30.0)
    assert (end.id, end.time_ns) == (new.id, 4)
