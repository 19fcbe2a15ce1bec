"""Events: what they say of their peak, whatever was published in between."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from vcedge.runtime.events import GROWTH, RELEASE, Event, EventTracker

THRESHOLD = 8.0


def followed(values: list[float]) -> list[tuple[Event, list[float]]]:
    """Each published event with the values of its time so far; what is open at the end is closed."""
    tracker, found, during = EventTracker("anomaly"), [], list[float]()
    for time_ns, value in enumerate(values):
        event = tracker.push(time_ns, value, THRESHOLD, ((f"at {value}", 1.0),))
        if event is None or event.type != "end":
            during = [*during, value] if tracker.is_open else []
        if event is not None:
            found.append((event, during))
            during = during if tracker.is_open else []
    last = tracker.close(len(values))
    return found if last is None else [*found, (last, during)]


@given(st.lists(st.floats(0, 40), max_size=60))
@example([9.0, 11.0, 10.0, 1.0])
@example([9.0, 11.0])
def test_an_event_knows_its_true_peak_and_its_top(values: list[float]) -> None:
    for event, during in followed(values):
        assert event.peak == max(during)
        assert event.top == ((f"at {event.peak}", 1.0),)
        assert event.type == "end" or event.peak == during[-1]


@given(st.lists(st.floats(0, 40), max_size=60))
def test_updates_grow_by_the_factor_and_every_event_ends_once(values: list[float]) -> None:
    last: Event | None = None
    for event, _ in followed(values):
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
    assert RELEASE < 1
