"""Joining values of single sensors to samples, by their times alone."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from vcedge.runtime.assets.joiner import MAX_WINDOWS, Joiner, join_rule
from vcedge.runtime.codecs.reading import NamedSample
from vcedge.schema import NS_PER_S, schema_of

NAMES = ("a", "b", "c")
SCHEMA = schema_of(NAMES, 1.0, 5.0)
RULE = join_rule(SCHEMA, None, 2.0)
NOW = 1_700_000_000
HOUR = 3600


def ns(second: float) -> int:
    return round((NOW + second) * NS_PER_S)


def part(second: float, **values: float) -> NamedSample:
    return NamedSample(ns(second), values)


def joined(parts: Sequence[NamedSample], joiner: Joiner | None = None) -> list[tuple[float, str]]:
    """Return seconds and channels of the emitted samples, until nothing waits."""
    joiner = joiner or Joiner(RULE)
    rows = [row for value in parts for row in joiner.push(value)] + joiner.flush()
    return [(round(row.time_ns / NS_PER_S - NOW, 3), "".join(sorted(row.values))) for row in rows]


def tick(second: float, channels: str = "abc") -> list[NamedSample]:
    return [part(second, **{name: second}) for name in channels]


def test_sample_is_complete_with_its_last_channel() -> None:
    joiner = Joiner(RULE)
    first, second, third = tick(0)
    assert joiner.push(first) == joiner.push(second) == []
    assert joiner.push(third) == [NamedSample(ns(0), {"a": 0, "b": 0, "c": 0})]
    assert not joiner.has_pending


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([*tick(0), *tick(1)], [(0, "abc"), (1, "abc")]),
        # clocks with jitter, and messages out of order
        ([part(0.1, a=1), part(-0.2, b=1), part(0.2, c=1)], [(-0.2, "abc")]),
        ([*tick(1, "a"), *tick(0, "ab"), *tick(1, "b"), *tick(0, "c"), *tick(1, "c")], [(0, "abc"), (1, "abc")]),
        # one value is lost: its sample waits until two seconds after its window
        ([*tick(0, "ab"), *tick(1), *tick(2, "a")], [(0, "ab"), (1, "abc"), (2, "a")]),
        # a value after that bypasses joining at its sample's time; the timeline marks it as late
        ([*tick(0, "ab"), *tick(3), *tick(0, "c")], [(0, "ab"), (3, "abc"), (0, "c")]),
        # a sensor that is faster than the others: the last value within a sample counts
        ([part(0, a=1), part(0.3, a=2), *tick(0, "bc"), part(0.4, a=3), *tick(1)], [(0, "abc"), (1, "abc")]),
        # one from the future or the past, alone
        ([*tick(0), part(50 * HOUR, a=1), *tick(1)], [(0, "abc"), (50 * HOUR, "a"), (1, "abc")]),
        ([*tick(0), part(-HOUR, a=1), *tick(1)], [(0, "abc"), (-HOUR, "a"), (1, "abc")]),
        # a value from the near future is dropped: the timeline would see a pause
        ([*tick(0), part(300, a=1), *tick(1)], [(0, "abc"), (1, "abc")]),
        # one sensor with a wrong clock all the time
        ([*tick(0, "ab"), part(HOUR, c=1), *tick(1, "ab"), part(HOUR + 1, c=1)], [(0, "ab"), (1, "ab")]),
        # the clock was set, back or ahead; the machine paused: nothing is lost
        ([*tick(0), *tick(-HOUR), *tick(1 - HOUR)], [(0, "abc"), (-HOUR, "abc"), (1 - HOUR, "abc")]),
        ([*tick(0, "ab"), *tick(HOUR), *tick(HOUR + 1)], [(0, "ab"), (HOUR, "abc"), (HOUR + 1, "abc")]),
        # the first value was wrong
        ([part(9 * HOUR, a=1), *tick(0), *tick(1)], [(9 * HOUR, "a"), (0, "abc"), (1, "abc")]),
    ],
)  # fmt: skip
def test_values_are_joined_passed_on_or_dropped(parts: list[NamedSample], expected: list[tuple[float, str]]) -> None:
    assert joined(parts) == expected


def test_window_holds_last_values_and_marks_arrival_times() -> None:
    joiner = Joiner(RULE)
    joiner.push(part(0.2, a=2.0))
    joiner.push(part(0.1, a=1.0))
    joiner.push(NamedSample(ns(0), {"b": 1.0}, timed=False))
    (row,) = joiner.push(part(0, c=math.nan))
    assert (row.values["a"], row.timed) == (2.0, False)
    assert math.isnan(row.values["c"])


def test_window_without_known_channels_waits_for_its_end() -> None:
    joiner = Joiner(replace(RULE, names=None))
    assert [row for value in tick(0) + tick(1) + tick(2) for row in joiner.push(value)] == []
    assert [row.time_ns for row in joiner.push(part(2.5, a=1))] == [ns(0)]


def test_lateness_beyond_max_windows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected at most 1000 times the 0.01 s of one sample"):
        join_rule(SCHEMA, 0.01, 11.0)


MOMENTS = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(NAMES), st.integers(-200, 200)),
    max_size=60,
    unique_by=lambda m: m[:2],
)


@settings(max_examples=60)
@given(MOMENTS, st.data())
def test_values_within_the_lateness_are_joined_in_any_order(
    moments: list[tuple[int, str, int]], data: st.DataObject
) -> None:
    """Whole seconds with errors up to 0.2 s, none more than two seconds behind an earlier one."""
    keys = [second + data.draw(st.floats(0, 1.5)) for second, _, _ in moments]
    parts = [
        part(second + wrong / 1000, **{name: second})
        for _, (second, name, wrong) in sorted(zip(keys, moments, strict=True), key=lambda pair: pair[0])
    ]
    rule_ = replace(RULE, ahead_ns=100 * NS_PER_S, names=None)
    joiner = Joiner(rule_)
    joiner.push(part(0, a=0.0))
    rows = [row for value in parts for row in joiner.push(value)] + joiner.flush()
    wanted: dict[int, set[str]] = {0: {"a"}}
    for second, name, _ in moments:
        wanted.setdefault(second, set()).add(name)
    assert [(round(row.time_ns / NS_PER_S - NOW), set(row.values)) for row in rows] == sorted(wanted.items())


class JoinerMachine(RuleBasedStateMachine):
    """Compares a joiner that is never interrupted with one that is saved and restored, for any values and times."""

    @initialize(known=st.booleans(), late_s=st.sampled_from([0.0, 1.0, 30.0]))
    def begin(self, known: bool, late_s: float) -> None:
        self.rule = join_rule(SCHEMA, None, late_s, known=known)
        self.plain, self.kept = Joiner(self.rule), Joiner(self.rule)
        self.given: list[NamedSample] = []
        self.got: list[NamedSample] = []

    @rule(
        second=st.integers(0, 30) | st.sampled_from([-HOUR * 500, -HOUR, 300, HOUR, HOUR * 500]),
        fraction=st.sampled_from([0.0, 0.4, 0.5, 0.999]),
        values=st.dictionaries(st.sampled_from(NAMES), st.just(math.nan) | st.floats(-1, 1), min_size=1),
    )
    def push(self, second: int, fraction: float, values: dict[str, float]) -> None:
        row = NamedSample(ns(second + fraction), values)
        self.given.append(row)
        self._same(self.plain.push(row), self.kept.push(row))

    @rule()
    def silence(self) -> None:
        self._same(self.plain.flush(), self.kept.flush())

    @rule()
    def restart(self) -> None:
        stored = json.dumps(self.kept.snapshot(), allow_nan=False)
        self.kept = Joiner(self.rule)
        self.kept.restore(json.loads(stored))

    def _same(self, rows: list[NamedSample], others: list[NamedSample]) -> None:
        assert repr(rows) == repr(others)
        self.got += rows

    @invariant()
    def bounded(self) -> None:
        snapshot = self.plain.snapshot()
        assert len(snapshot["open"]) <= self.rule.late_ns // self.rule.window_ns + 2 <= MAX_WINDOWS + 2
        assert len(snapshot["doubtful"]) < 3

    def teardown(self) -> None:
        """No value is invented or emitted twice."""
        if not hasattr(self, "plain"):
            return
        self.got += self.plain.flush()
        given = [(name, repr(value)) for row in self.given for name, value in row.values.items()]
        for name, value in ((name, repr(value)) for row in self.got for name, value in row.values.items()):
            given.remove((name, value))


TestJoiner = JoinerMachine.TestCase
TestJoiner.settings = settings(max_examples=40, stateful_step_count=40)
