"""Judgements of events: what is accepted, their effect on the threshold, and what a snapshot keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.support.detectors import START_NS, recording, samples, tiny_detector
from vcedge import model_file
from vcedge.labels import JUDGEMENTS
from vcedge.runtime.assets.asset import Asset
from vcedge.runtime.assets.judgements import REMEMBERED, Judgement, Judgements, parse_judgement
from vcedge.runtime.assets.recipes import load_recipe
from vcedge.runtime.assets.settings import Refused
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.adaptive_threshold import MOST_WIDENING
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.score import Score
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import NS_PER_S

SCHEMAS = Path(__file__).parents[3] / "runtime" / "publishing" / "schemas"
SET = Draft202012Validator(json.loads((SCHEMAS / "feedback_set.json").read_text()))
ROW = Stream(load_engine(tiny_detector())).push(samples(recording(1, 1, 3))[0])


def judgement(event: str, judged: str, **more: str) -> Judgement:
    return parse_judgement(json.dumps({"event": event, "judged": judged, **more}).encode())


def event_of(
    start_s: int, type_: Any = "new", peak: float = 3.0, at_s: int | None = None, kind: Any = "anomaly"
) -> Event:
    start_ns = START_NS + start_s * NS_PER_S
    time_ns = start_ns if at_s is None else START_NS + at_s * NS_PER_S
    return Event(f"{kind}-{start_s}", kind, type_, start_ns, time_ns, peak, ())


def rows(*events: Event, threshold: float = 2.5) -> list[Score]:
    return [ROW._replace(events=events, threshold=threshold)]


def judged(known: Judgements, event: str, word: str) -> bool:
    return known.judge(judgement(event, word), at_ns=START_NS, latest_ns=START_NS)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{}", "key 'event' is missing"),
        (b"null", "key 'event' is missing"),
        (b'{"event": "a"}', "key 'judged' is missing"),
        (b'{"event": "a", "judged": "alarm"}', "key 'judged' is 'alarm', expected"),
        (b'{"event": "a", "judged": "fault", "who": "b"}', "unknown key 'who'"),
        (b'{"event": "", "judged": "fault"}', "key 'event' is ''"),
        (b'{"event": 3, "judged": "fault"}', "key 'event' is 3, expected a text"),
        (b'{"event": "a", "judged": "fault", "note": null}', "key 'note' is None, expected a text"),
        (b"[]", "the message is [], expected an object"),
        (b"fault", "the message is not JSON"),
        (b"\xff", "not UTF-8"),
        (b" " * 5000, "5000 bytes, expected at most 4096"),
    ],
)
def test_malformed_judgements_are_refused(payload: bytes, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_judgement(payload)
    assert reason in str(caught.value)


json_values = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.sampled_from(JUDGEMENTS)
)


@given(st.dictionaries(st.sampled_from(["event", "judged", "by", "note", "other"]), json_values))
def test_a_message_is_accepted_exactly_if_it_fits_the_schema(message: dict[str, Any]) -> None:
    payload = json.dumps(message).encode()
    try:
        parse_judgement(payload)
        accepted = True
    except Refused:
        accepted = False
    assert accepted == (SET.is_valid(message) and len(payload) <= 4096)


@given(st.text(max_size=100))
def test_a_note_is_one_line_of_printable_text(note: str) -> None:
    kept = judgement("a", "fault", note=note).note
    assert kept.isprintable()
    assert kept.encode().decode() == kept


def test_an_unknown_event_is_refused() -> None:
    known = Judgements()
    known.follow(rows(event_of(1)), "m", 0.0)
    with pytest.raises(Refused, match="key 'event' is 'anomaly-2', which is none of the last 1 events"):
        judged(known, "anomaly-2", "fault")


def test_a_false_alarm_widens_until_it_is_judged_otherwise() -> None:
    known = Judgements()
    known.follow(rows(event_of(1, peak=3.0), event_of(5, peak=4.5)), "m", 0.0)
    assert known.widening("m") == 0.0
    assert judged(known, "anomaly-1", "false_alarm")
    assert known.widening("m") == 0.5
    assert judged(known, "anomaly-5", "false_alarm")
    assert known.widening("m") == 2.0
    assert not judged(known, "anomaly-5", "false_alarm")
    for word in ("fault", "maintenance", "unsure"):
        assert judged(known, "anomaly-5", word)
        assert known.widening("m") == 0.5
    assert known.widening("another model") == 0.0


def test_the_peak_that_an_open_event_reaches_later_counts() -> None:
    known = Judgements()
    known.follow(rows(event_of(1)), "m", 0.0)
    judged(known, "anomaly-1", "false_alarm")
    known.follow(rows(event_of(1, "update", 5.0, 3), threshold=3.0), "m", 0.5)
    assert known.widening("m") == 2.5
    known.follow(rows(event_of(1, "end", 6.0, 9), threshold=5.0), "m", 2.5)
    assert known.widening("m") == 3.5


def test_the_widening_when_the_event_opened_is_part_of_what_it_needs() -> None:
    known = Judgements()
    known.follow(rows(event_of(1, peak=5.0), threshold=4.5), "m", 2.0)
    judged(known, "anomaly-1", "false_alarm")
    assert known.widening("m") == 2.5


def test_only_events_about_the_machine_widen() -> None:
    known = Judgements()
    known.follow(rows(event_of(1, peak=9.0, kind="stuck")), "m", 0.0)
    judged(known, "stuck-1", "false_alarm")
    assert known.widening("m") == 0.0


def test_an_open_event_lasts_to_the_last_sample_and_is_written_again_at_its_end() -> None:
    known = Judgements()
    known.follow(rows(event_of(1)), "m", 0.0)
    known.judge(judgement("anomaly-1", "fault", by="Kim", note="a\nb"), START_NS + 7, START_NS + 30 * NS_PER_S)
    (first,) = known.unwritten("pump")
    assert (first.asset, first.event, first.kind, first.judged) == ("pump", "anomaly-1", "anomaly", "fault")
    assert (first.start_ns, first.end_ns) == (START_NS + NS_PER_S, START_NS + 30 * NS_PER_S)
    assert (first.by, first.note, first.at_ns) == ("Kim", "a b", START_NS + 7)
    known.mark_written()
    known.follow(rows(event_of(1, "update", 4.0, 31)), "m", 0.0)
    assert known.unwritten("pump") == []
    known.follow(rows(event_of(1, "end", 4.0, 40)), "m", 0.0)
    (second,) = known.unwritten("pump")
    assert second == replace(first, end_ns=START_NS + 40 * NS_PER_S)


def test_old_events_are_forgotten_but_not_the_widest() -> None:
    known = Judgements()
    known.follow(rows(event_of(0, peak=6.0)), "m", 0.0)
    judged(known, "anomaly-0", "false_alarm")
    for second in range(1, 3 * REMEMBERED):
        known.follow(rows(event_of(second, "end")), "m", 0.0)
        judged(known, f"anomaly-{second}", "false_alarm")
    assert len(known.snapshot()["events"]) == REMEMBERED
    assert known.widening("m") == 3.5
    assert "anomaly-0" in known
    assert f"anomaly-{3 * REMEMBERED - 1}" in known
    assert "anomaly-1" not in known


def test_a_flapping_sensor_displaces_no_anomaly() -> None:
    known = Judgements()
    known.follow(rows(event_of(1, "end"), event_of(2, "end", kind="range")), "m", 0.0)
    for second in range(3, 3 * REMEMBERED):
        known.follow(rows(event_of(second, "end", kind="dropout")), "m", 0.0)
    assert judged(known, "anomaly-1", "fault")
    assert judged(known, "range-2", "fault")
    assert judged(known, f"dropout-{3 * REMEMBERED - 1}", "unsure")


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["new", "update", "end", *JUDGEMENTS])), max_size=30))
def test_a_snapshot_continues_identically(steps: list[tuple[int, str]]) -> None:
    whole, cut = Judgements(), Judgements()
    for number, (second, step) in enumerate(steps):
        for known in (whole, cut):
            if step not in JUDGEMENTS:
                known.follow(rows(event_of(second, step, 3.0 + number, number)), "m", 0.25)
            elif any(values[0] == f"anomaly-{second}" for values in known.snapshot()["events"]):
                judged(known, f"anomaly-{second}", step)
        restored = Judgements()
        restored.restore(json.loads(json.dumps(cut.snapshot())))
        cut = restored
        assert cut.report() == whole.report()
        assert cut.unwritten("pump") == whole.unwritten("pump")
        assert cut.widening("m") == whole.widening("m")


def asset_of(folder: Path) -> Asset:
    model_file.save(tiny_detector(), folder / "model.vcedge")
    return Asset("pump", load_recipe(folder / "model.vcedge", "auto", "pump"), "boot")


def test_an_asset_keeps_its_judgements_and_the_widened_threshold(tmp_path: Path) -> None:
    asset, calibrated = asset_of(tmp_path), tiny_detector().calibration.threshold
    for sample in samples(recording(14, 400, 3)):
        asset.remember([asset.stream.push(sample)])
    events = asset.judgements.report()["events"]
    assert all(event["threshold"] >= calibrated for event in events)
    anomaly = next(event["id"] for event in events if event["kind"] == "anomaly")
    before = asset.stream.threshold
    assert asset.judge(judgement(anomaly, "false_alarm"), 1)
    assert before < asset.stream.threshold <= before + MOST_WIDENING
    again = asset_of(tmp_path)
    again.restore(json.loads(asset.snapshot_line())[2])
    assert again.stream.threshold == asset.stream.threshold
    assert again.judgements.report() == asset.judgements.report()
    assert again.judge(judgement(anomaly, "fault"), 2)
    assert again.stream.threshold == before


def test_another_model_in_charge_begins_without_widening(tmp_path: Path) -> None:
    asset = asset_of(tmp_path)
    asset.judgements.follow(rows(event_of(1, peak=4.0)), asset.origin.model, 0.0)
    asset.judge(judgement("anomaly-1", "false_alarm"), 1)
    assert asset.stream.widening == 1.5
    first = asset.origin.model
    asset.take_over(asset.new_stream(load_engine(tiny_detector())), "pump@sha256:other")
    assert asset.stream.widening == 0.0
    asset.take_over(asset.new_stream(load_engine(tiny_detector())), first)
    assert asset.stream.widening == 1.5
    assert np.isfinite(asset.stream.threshold)
