"""Values beyond all that was seen in training: one event with words, hysteresis, and no flood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.detectors import START_NS, tiny_detector
from vcedge.calibration.seen_range import fit_seen_range
from vcedge.detector import Detector
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.inhibition import RunWhen
from vcedge.runtime.stream.range_watch import FORGET_ROWS, FORGET_S, HOLD_ROWS, RangeWatch
from vcedge.runtime.stream.score_names import ScoreNames
from vcedge.runtime.stream.state import StreamState
from vcedge.runtime.stream.stream import Score, Stream
from vcedge.schema import F64, NS_PER_S, Channel, Sample
from vcedge.seen_range import SeenRange

CHANNELS = (Channel("BearingTemperature", "°C"), Channel("Valve"), Channel("Flow", "l/min"))
PERIOD_S = 60
FORGET = max(FORGET_ROWS, int(FORGET_S) // PERIOD_S)
USUAL = (35.0, 0.0, 1.5)


def pump() -> Detector:
    """Return a detector that alarms never by its statistic; the margin of the temperature is 0.9 °C."""
    detector = tiny_detector(cell=None, threshold=1e9)
    margin = np.array([0.9, 0.0, 0.05])
    seen = SeenRange(np.array([25.0, 0.0, 1.0]), np.array([42.8, 0.0, 2.0]), margin, margin)
    schema = replace(detector.schema, channels=CHANNELS, period_ns=PERIOD_S * NS_PER_S, max_gap_ns=600 * NS_PER_S)
    features = replace(detector.features, center=np.array(USUAL), scale=np.array([4.0, 1.0, 0.25]))
    limits = replace(detector.calibration, stuck_rows=(0, 0, 0))
    return replace(detector, schema=schema, features=features, seen=seen, calibration=limits)


def rows(*stretches: tuple[int, dict[int, float]]) -> list[tuple[float, ...]]:
    """Return stretches of equal rows: their number, and the values that are not usual, by channel."""
    return [tuple(changes.get(c, USUAL[c]) for c in range(3)) for count, changes in stretches for _ in range(count)]


def scores_of(values: Sequence[tuple[float, ...]], stream: Stream | None = None, first: int = 0) -> list[Score]:
    stream = stream or Stream(NumpyEngine(pump()), adapt=False)
    times = (START_NS + (first + t) * PERIOD_S * NS_PER_S for t in range(len(values)))
    return [stream.push(Sample(time_ns, np.array(row))) for time_ns, row in zip(times, values, strict=True)]


def events_of(values: Sequence[tuple[float, ...]]) -> list[tuple[int, str, str]]:
    """Return row, type and text of each event."""
    scores = scores_of(values)
    assert {event.kind for score in scores for event in score.events} <= {"range"}
    return [(row, event.type, event.text) for row, score in enumerate(scores) for event in score.events]


def test_an_event_says_what_was_never_seen_and_ends_a_few_rows_after_it() -> None:
    text = "BearingTemperature 51.6 °C, never above 42.8 in training"
    found = events_of(rows((20, {}), (1, {0: 44.0}), (4, {0: 51.6}), (20, {})))
    assert found == [(21, "new", text), (25 + HOLD_ROWS, "end", text)]


def test_rows_in_warm_up_are_watched_and_raise_no_alarm() -> None:
    scores = scores_of(rows((1, {}), (3, {0: 20.0})))
    (event,) = scores[2].events
    assert (event.text, scores[2].status) == ("BearingTemperature 20 °C, never below 25 in training", "warmup")
    assert not any(score.alarm for score in scores)


def test_a_channel_that_stood_still_is_new_at_any_other_value() -> None:
    found = events_of(rows((20, {}), (3, {1: 1.0}), (20, {})))
    assert found[0] == (21, "new", "Valve 1, always 0 in training")


def test_one_row_or_less_than_the_margin_or_a_missing_value_is_no_news() -> None:
    nan = float("nan")
    assert not events_of(rows((20, {}), (1, {0: 60.0}), (20, {0: 43.6}), (1, {0: nan}), (1, {0: 60.0}), (9, {0: nan})))


def test_hysteresis_and_hold_make_one_event_of_a_value_that_wavers() -> None:
    wavering = [(1, {0: value}) for value in np.resize([44.0, 43.5, 43.3, 42.0, 42.0], 100).tolist()]
    found = events_of(rows((20, {}), (2, {0: 44.0}), *wavering, (20, {})))
    assert [kind for _, kind, _ in found] == ["new", "end"]


def test_a_larger_excess_is_an_update_and_the_end_says_the_largest() -> None:
    found = events_of(rows((20, {}), (2, {0: 44.8}), (1, {0: 50.0}), (3, {0: 47.0}), (20, {})))
    assert [text[:23] for _, _, text in found] == [f"BearingTemperature {v}" for v in ("44.8", "50 °", "50 °")]
    assert [kind for _, kind, _ in found] == ["new", "update", "end"]


def test_a_second_channel_is_an_update_of_the_open_event() -> None:
    found = events_of(rows((20, {}), (10, {0: 60.0}), (5, {0: 60.0, 2: 0.4}), (20, {})))
    assert found[1][:2] == (31, "update")
    assert found[1][2] == "BearingTemperature 60 °C, never above 42.8; Flow 0.4 l/min, never below 1 in training"


def test_what_was_shown_is_news_again_beyond_it_or_after_an_hour_inside() -> None:
    def excursion(value: float) -> tuple[int, dict[int, float]]:
        return 5, {0: value}

    again = events_of(rows((20, {}), excursion(50.0), (FORGET // 2, {}), excursion(50.0), (20, {})))
    assert [kind for _, kind, _ in again] == ["new", "end"]
    further = events_of(rows((20, {}), excursion(50.0), (FORGET // 2, {}), excursion(51.0), (20, {})))
    assert [kind for _, kind, _ in further] == ["new", "end"] * 2
    later = events_of(rows((20, {}), excursion(50.0), (FORGET + HOLD_ROWS, {}), excursion(50.0), (20, {})))
    assert [kind for _, kind, _ in later] == ["new", "end"] * 2
    other = events_of(rows((20, {}), excursion(50.0), (20, {}), excursion(20.0), (20, {})))
    assert [kind for _, kind, _ in other] == ["new", "end"] * 2


def test_an_event_ends_at_a_gap_and_at_inhibition() -> None:
    stream = Stream(NumpyEngine(pump()), adapt=False, run_when=RunWhen(2, above=0.5))
    before = scores_of(rows((20, {}), (5, {0: 60.0})), stream)
    after_gap = scores_of(
        rows(
            (1, {0: 60.0}),
        ),
        stream,
        first=100,
    )
    assert [(e.type, e.time_ns) for e in after_gap[0].events] == [("end", before[-1].time_ns)]
    again = scores_of(rows((5, {0: 70.0}), (1, {0: 70.0, 2: 0.0}), (9, {0: 90.0, 2: 0.0})), stream, first=101)
    assert [(row, e.type) for row, score in enumerate(again) for e in score.events] == [(1, "new"), (5, "end")]


def test_an_event_continues_from_a_snapshot() -> None:
    values = rows((20, {}), (5, {0: 60.0}), (20, {}))
    one, other = (Stream(NumpyEngine(pump()), adapt=False) for _ in range(2))
    scores_of(values[:24], one)
    other.restore(one.snapshot())
    assert other.open_range == one.open_range
    assert other.open_range is not None
    assert other.open_range.text == "BearingTemperature 60 °C, never above 42.8 in training"
    assert scores_of(values[24:], one, 24) == scores_of(values[24:], other, 24)
    assert other.open_range is None


@pytest.mark.parametrize(
    ("low", "high", "value", "text"),
    [
        (0.0, 0.0, 1.0, "Valve 1, always 0"),
        (0.1, 0.1, 0.1000001, "Valve 0.1000001, always 0.1"),
        (20.0, 20.0, 23.4567891, "Valve 23.457, always 20"),
        (-1e-10, 3e-10, 7.77e-10, "Valve 7.77e-10, never above 3e-10"),
        (0.0, 123456.7, 234567.8, "Valve 234568, never above 123457"),
        (-0.4, 17.4, -3.21, "Valve -3.2, never below -0.4"),
        (2e9, 3e9, 5e9, "Valve 5000000000, never above 3000000000"),
        (-5.0, -0.001, 1.0, "Valve 1, never above 0"),
    ],
)
def test_numbers_are_rounded_to_the_resolution_of_the_range(low: float, high: float, value: float, text: str) -> None:
    detector = pump()
    seen = replace(detector.seen, low=np.array([0.0, low, 0.0]), high=np.array([99.0, high, 9.0]))
    stream = Stream(NumpyEngine(replace(detector, seen=seen)), adapt=False)
    inside = (low + high) / 2
    scores = scores_of(rows((3, {1: inside}), (2, {1: value})), stream)
    assert scores[-1].events[0].text == f"{text} in training"


def events_in(train: F64, test: F64) -> list[Event]:
    detector = pump()
    features = replace(detector.features, scale=np.maximum(train.std(axis=0), 1e-3))
    detector = replace(detector, features=features, seen=fit_seen_range(train, ((0, len(train)),)))
    watch = RangeWatch(detector, ScoreNames(detector), StreamState(detector))
    return [event for row, values in enumerate(test) if (event := watch.push(row, values)) is not None]


@given(seed=st.integers(0, 1000), noise=st.sampled_from([0.0, 1.0, 5.0]))
def test_a_machine_that_drifts_away_is_reported_a_few_times(seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.normal(0.02, 1.0, (1500, 3)), axis=0) + noise * rng.normal(size=(1500, 3))
    events = events_in(walk[:500], walk[500:])
    assert sum(event.type == "new" for event in events) <= 12
    assert len(events) <= 60


@given(seed=st.integers(0, 1000))
def test_a_stationary_machine_is_hardly_ever_reported(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(1500, 3))
    assert len(events_in(values[:500], values[500:])) <= 2
