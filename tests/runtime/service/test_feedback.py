"""Judgements at a real broker: from a message on `feedback/set` to threshold, state and labels.csv, through kills."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.detectors import recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, payloads, running, wait_until
from tests.support.service import configure, publish, wait_online
from vcedge.history.labels import read_label_files
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.monitoring.status_socket import ask_service
from vcedge.runtime.stream.adaptive_threshold import MOST_WIDENING
from vcedge.runtime.stream.stream import Stream

pytestmark = pytest.mark.slow

SCHEMA = Path(__file__).parents[3] / "runtime" / "publishing" / "schemas" / "feedback_state.json"
STATE = Draft202012Validator(json.loads(SCHEMA.read_text()))
ROWS = samples(recording(14, 400, 3))
LIMIT = tiny_detector().calibration.threshold


def first_event() -> tuple[int, str, float]:
    """Return the row after the first anomaly event, its id, and the widening that it asks for, within the bound."""
    stream = Stream(load_engine(tiny_detector()))
    for row, sample in enumerate(ROWS):
        for event in stream.push(sample).events:
            if event.kind == "anomaly" and event.type == "end":
                return row + 1, event.id, min(event.peak - LIMIT, MOST_WIDENING)
    raise AssertionError("the recording has no event")


END, EVENT, WIDENING = first_event()


def state(peer: Peer, asset: str, **wanted: Any) -> dict[str, Any]:
    """Wait until the last state of feedback has these values; return it."""

    def found(_: Sequence[Any]) -> bool:
        published = payloads(peer.messages, asset, "feedback/state")
        return bool(published) and all(published[-1][key] == value for key, value in wanted.items())

    peer.until(found, f"feedback/state with {wanted}")
    last: dict[str, Any] = payloads(peer.messages, asset, "feedback/state")[-1]
    STATE.validate(last)
    return last


def next_refusal(peer: Peer, asset: str) -> str:
    """Wait for a state that tells of a refusal, after those that were there; return its reason."""
    seen = len(payloads(peer.messages, asset, "feedback/state"))
    peer.until(lambda _: len(payloads(peer.messages, asset, "feedback/state")) > seen, "a refusal")
    last = payloads(peer.messages, asset, "feedback/state")[-1]
    STATE.validate(last)
    return str(last["refused"])


def ended(peer: Peer, asset: str) -> list[str]:
    """Return the events that the last state lists as ended."""
    listed = payloads(peer.messages, asset, "feedback/state")[-1]["events"]
    return [event["id"] for event in listed if event["end"] is not None]


def steady(folder: Path, node: str, url: str) -> Path:
    """Write a runtime.yaml whose asset keeps its calibrated threshold."""
    return configure(folder, node, url, assets={node: {"model": "model.vcedge", "adapt": False}})


def labels_of(folder: Path, asset: str) -> list[tuple[str, str, str]]:
    path = folder / "state" / "assets" / asset / "labels.csv"
    return [(label.event, label.judged, label.by) for label in read_label_files([path])] if path.exists() else []


def test_a_false_alarm_widens_the_threshold_until_it_is_a_fault(shared_broker: Mosquitto, tmp_path: Path) -> None:
    config = steady(tmp_path, "judged", shared_broker.url)
    topic = "vcedge/judged/judged/feedback/set"
    with running("run", config), Peer(shared_broker.url, "vcedge/judged/#") as peer:
        wait_online(peer, "judged")
        assert state(peer, "judged", event=None)["events"] == []
        publish(peer, "judged/judged", ROWS[:END])
        peer.scores("judged", END)
        peer.until(lambda _: EVENT in ended(peer, "judged"), "the end of the event in the state")
        peer.publish(topic, {"event": EVENT, "judged": "false_alarm", "by": "Kim", "note": "new pump"})
        found = state(peer, "judged", event=EVENT, judged="false_alarm", by="Kim", note="new pump", refused="")
        assert found["widening"] == pytest.approx(WIDENING)
        assert found["counts"] == {"false_alarm": 1, "fault": 0, "maintenance": 0, "unsure": 0}
        thresholds = payloads(peer.messages, "judged", "threshold/state")
        assert thresholds[-1]["threshold"] == pytest.approx(LIMIT + WIDENING)
        assert thresholds[-1]["calibrated"] == LIMIT
        publish(peer, "judged/judged", ROWS[END : END + 10])
        assert {score["threshold"] for score in peer.scores("judged", END + 10)[END:]} == {LIMIT + found["widening"]}
        peer.publish(topic, {"event": EVENT, "judged": "fault", "by": "Lea"})
        assert state(peer, "judged", judged="fault", by="Lea", note="")["widening"] == 0.0
        publish(peer, "judged/judged", ROWS[END + 10 : END + 20])
        assert {score["threshold"] for score in peer.scores("judged", END + 20)[END + 10 :]} == {LIMIT}
    assert labels_of(tmp_path, "judged") == [(EVENT, "fault", "Lea")]
    text = (tmp_path / "state" / "assets" / "judged" / "labels.csv").read_text()
    assert [line.split(",")[5] for line in text.splitlines()] == ["judged", "false_alarm", "fault"]


def test_refused_judgements_are_reported_and_have_no_effect(shared_broker: Mosquitto, tmp_path: Path) -> None:
    config = configure(tmp_path, "picky", shared_broker.url)
    topic = "vcedge/picky/picky/feedback/set"
    refused = {
        '{"event": "anomaly-1", "judged": "fault"}': "key 'event' is 'anomaly-1', which is none of the last 0 events",
        '{"event": "anomaly-1", "judged": "good"}': "key 'judged' is 'good', expected",
        "not JSON": "the message is not JSON",
    }
    with running("run", config), Peer(shared_broker.url, "vcedge/picky/#") as peer:
        wait_online(peer, "picky")
        state(peer, "picky", refused="")
        for payload, reason in refused.items():
            peer.publish(topic, payload)
            assert reason in next_refusal(peer, "picky")
        peer.publish("vcedge/picky/nobody/feedback/set", {"event": "a", "judged": "fault"})
        peer.until(lambda messages: sum(m.topic.endswith("/deadletter") for m in messages) == 4, "dead letters")
        letters = [json.loads(m.payload) for m in peer.messages if m.topic == "vcedge/picky/deadletter"]
        for letter, reason in zip(letters, [*refused.values(), "the configuration has no such asset"], strict=True):
            assert letter["reason"].startswith(reason)
    with Peer(shared_broker.url, "vcedge/picky/picky/feedback/state") as later:
        later.until(bool)
        assert json.loads(later.messages[0].payload)["refused"] == ""  # a refusal is not retained
    assert labels_of(tmp_path, "picky") == []


def test_judgements_survive_kills_at_any_moment(shared_broker: Mosquitto, tmp_path: Path) -> None:
    """Each judgement is published and the service killed at once; the broker delivers it again if need be."""
    config = steady(tmp_path, "killed", shared_broker.url)
    topic = "vcedge/killed/killed/feedback/set"
    with Peer(shared_broker.url, "vcedge/killed/#", persistent=True) as peer:
        with running("run", config) as service:
            wait_online(peer, "killed")
            publish(peer, "killed/killed", ROWS[:END])
            peer.scores("killed", END)
            wait_until(lambda: ask_service(tmp_path / "state")["numbers"]["unacknowledged"] == 0, "a snapshot")
            service.end(signal.SIGKILL)
            peer.until_last("vcedge/killed/status", b"offline")
        for number, judged in enumerate(["fault", "false_alarm", "unsure", "false_alarm"]):
            with running("run", config) as service:
                wait_online(peer, "killed")
                peer.publish(topic, {"event": EVENT, "judged": judged, "by": str(number)})
                service.end(signal.SIGKILL)
                peer.until_last("vcedge/killed/status", b"offline")
        with running("run", config):
            found = state(peer, "killed", event=EVENT, judged="false_alarm", by="3")
            assert found["widening"] == pytest.approx(WIDENING)
            publish(peer, "killed/killed", ROWS[END : END + 1])
            last = peer.scores("killed", END + 1)[-1]
            assert last["threshold"] == LIMIT + found["widening"]
    assert labels_of(tmp_path, "killed") == [(EVENT, "false_alarm", "3")]


def test_labels_wait_for_a_folder_that_can_be_written(shared_broker: Mosquitto, tmp_path: Path) -> None:
    config = configure(tmp_path, "stuffed", shared_broker.url)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "assets").write_text("not a folder")
    with running("run", config) as service, Peer(shared_broker.url, "vcedge/stuffed/#") as peer:
        wait_online(peer, "stuffed")
        publish(peer, "stuffed/stuffed", ROWS[:END])
        peer.scores("stuffed", END)
        peer.publish("vcedge/stuffed/stuffed/feedback/set", {"event": EVENT, "judged": "fault"})
        state(peer, "stuffed", event=EVENT, judged="fault")
        service.wait_line("not durable: cannot write labels")
        (tmp_path / "state" / "assets").unlink()
        service.wait_line("durable again: labels")
    assert labels_of(tmp_path, "stuffed") == [(EVENT, "fault", "")]


def test_the_state_of_the_threshold_follows_the_one_in_use(shared_broker: Mosquitto, tmp_path: Path) -> None:
    config = configure(tmp_path, "moves", shared_broker.url)
    with running("run", config), Peer(shared_broker.url, "vcedge/moves/#") as peer:
        wait_online(peer, "moves")
        publish(peer, "moves/moves", ROWS)
        used = peer.scores("moves", len(ROWS))[-1]["threshold"]
        assert abs(used - LIMIT) > 0.1
        peer.until(
            lambda _: abs(payloads(peer.messages, "moves", "threshold/state")[-1]["threshold"] - used) <= 0.1,
            "a state near the threshold in use",
        )
        last = payloads(peer.messages, "moves", "threshold/state")[-1]
        assert (last["calibrated"], last["raw"], last["set"]) == (LIMIT, None, False)
    with Peer(shared_broker.url, "vcedge/moves/moves/threshold/state") as later:
        later.until(bool)
        assert json.loads(later.messages[0].payload) == last
