"""Hostile and broken senders at a real broker: their messages are refused and counted; other assets are unaffected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.detectors import recording, samples, tiny_detector
from tests.support.hostile import HOSTILE
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, Process, payloads, running, wait_until
from tests.support.process import EMULATOR_MB
from tests.support.service import assert_same, configure, offline, publish, wait_online
from vcedge.runtime.monitoring.status_socket import ask_service
from vcedge.runtime.publishing.dead_letters import BURST
from vcedge.topics import name_problem

pytestmark = pytest.mark.slow

DETECTOR = tiny_detector()
NAMES = DETECTOR.schema.names
SCHEMA = Path(__file__).parents[3] / "runtime" / "publishing" / "schemas" / "deadletter.json"
FLOOD = 4000


def resident_mb(process: Process) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def counted(folder: Path) -> dict[str, Any]:
    numbers: dict[str, Any] = ask_service(folder / "state")["numbers"]
    return numbers


def test_hostile_asset_leaves_scores_of_another_complete_and_in_order(shared_broker: Mosquitto, tmp_path: Path) -> None:
    assets = {name: {"model": "model.vcedge"} for name in ("calm", "wild*")}
    given = {"topic": "foe/{asset}", "burst": 100}
    config = configure(tmp_path, "foe", shared_broker.url, DETECTOR, assets=assets, input=given)
    rows = samples(recording(21, 200, 3))
    with (
        running("run", config) as service,
        Peer(shared_broker.url, "vcedge/foe/#") as peer,
        Peer(shared_broker.url) as wild,
    ):
        wait_online(peer, "foe")
        before_mb = resident_mb(service)
        for index in range(FLOOD):
            wild.publish("foe/wild", {"ts": 1_700_000_000 + index * 1e-4, "v": {NAMES[0]: index}})
            if index % 100 == 0:
                wild.publish("foe/wild", HOSTILE[index // 100 % len(HOSTILE)][: 1 << 19])
            if index % 20 == 0:
                publish(peer, "foe/calm", [rows[index // 20]])
        assert_same(peer.scores("calm", len(rows)), offline(DETECTOR, rows))
        wild.settle()
        wild.publish("foe/wild", {"ts": 1_700_000_100, "v": {NAMES[0]: 1.0}})  # accepted: a minute later
        peer.until(lambda messages: any(b'"ts":1700000100000,' in m.payload for m in messages[-50:]), "its next score")
        numbers = counted(tmp_path)
        letters = [json.loads(m.payload) for m in peer.messages if m.topic == "vcedge/foe/deadletter"]
        assert resident_mb(service) < before_mb + 40
    wild_scores = payloads(peer.messages, "wild", "score")
    assert [score["seq"] for score in wild_scores] == list(range(1, len(wild_scores) + 1))
    assert len(wild_scores) <= 110
    assert numbers["floods"] == FLOOD + 1 - len(wild_scores)
    assert numbers["dead_letters"] == numbers["floods"] + FLOOD // 100
    assert numbers["dead_letters_suppressed"] == numbers["dead_letters"] - len(letters) > 0
    assert len(letters) >= 2 * BURST - 1
    assert {letter["topic"] for letter in letters} == {"foe/wild"}
    for letter in letters:
        Draft202012Validator(json.loads(SCHEMA.read_text())).validate(letter)


def test_new_assets_beyond_max_assets_are_refused(shared_broker: Mosquitto, tmp_path: Path) -> None:
    assets = {"pump-*": {"model": "model.vcedge"}, "fan": {"model": "model.vcedge"}}
    config = configure(tmp_path, "many", shared_broker.url, DETECTOR, assets=assets, max_assets=5)
    message = {"ts": 1_700_000_000, "v": {NAMES[0]: 1.0}}
    with running("run", config) as service, Peer(shared_broker.url, "vcedge/many/#") as peer:
        wait_online(peer, "many")
        peer.publish("many/pump-0", "nonsense")  # creates no asset
        for index in range(10_000):
            peer.publish(f"many/pump-{index}", message)
        peer.publish("many/motor", message)
        peer.publish("many/" + "pump-" * 21, message)
        peer.publish("many/pump- ", message)
        peer.publish("many/fan", message)
        peer.until(lambda messages: sum(m.topic.endswith("/score") for m in messages) == 6, "six scores")
        wait_until(lambda: counted(tmp_path)["messages"] == 10_005, "all messages")
        numbers = counted(tmp_path)
        assert resident_mb(service) < 120 + EMULATOR_MB
        found = {m.topic.split("/")[2] for m in peer.messages if m.topic.endswith("/score")}
        peer.until(lambda messages: sum(m.topic == "vcedge/many/deadletter" for m in messages) > 1)
        letters = [json.loads(m.payload) for m in peer.messages if m.topic == "vcedge/many/deadletter"]
    assert "fan" in found
    assert len(found) == 6
    assert numbers["assets"] == 6
    assert numbers["ignored"] == numbers["dead_letters"] - 1 == 10_000 - 5 + 3
    assert "patterns have already matched 5 assets, expected at most that many (max_assets)" in {
        letter["reason"] for letter in letters
    }


def test_retained_messages_are_not_scored(shared_broker: Mosquitto, tmp_path: Path) -> None:
    config = configure(tmp_path, "years-old", shared_broker.url, DETECTOR)
    with Peer(shared_broker.url) as machine:
        machine.publish("years-old/years-old", {"ts": 1_500_000_000, "v": {NAMES[0]: 1.0}}, retain=True)
        machine.settle()
        with running("run", config), Peer(shared_broker.url, "vcedge/years-old/#") as peer:
            wait_online(peer, "years-old")
            machine.publish("years-old/years-old", {"ts": 1_700_000_000, "v": {NAMES[0]: 1.0}}, retain=True)
            assert peer.scores("years-old", 1)[0]["ts"] == 1_700_000_000_000
            assert counted(tmp_path)["retained"] == 1
        machine.publish("years-old/years-old", b"", retain=True)
        machine.settle()


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("pump-é 3", True), ("a" * 100, True), ("a" * 101, False), ("a\nb", False), ("a\x00", False), (" a", False),
     ("\u202ea", False), ("..", False), ("", False), ("a/b", False), ("+", False), ("#", False), ("\ud800", False)],
)  # fmt: skip
def test_name_problem_tells_allowed_asset_names(name: str, allowed: bool) -> None:
    assert (name_problem(name) == "") == allowed
