"""Settings at a real broker: from a message on a `set` topic to its effect on scores, and refusals."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from tests.support.detectors import recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, payloads, running, wait_until
from tests.support.service import assert_same, by_seq, configure, publish, wait_online
from vcedge.runtime.assets.settings import Settings, kind_of, parse_setting
from vcedge.runtime.engine.interface import ComputePolicy
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.monitoring.status_socket import ask_service
from vcedge.runtime.stream.inhibition import RunWhen
from vcedge.runtime.stream.stream import Stream

pytestmark = pytest.mark.slow

SCHEMAS = Path(__file__).parents[3] / "runtime" / "publishing" / "schemas"
STATES = {
    kind: Draft202012Validator(json.loads((SCHEMAS / f"{kind}_state.json").read_text()))
    for kind in ("threshold", "compute", "inhibit")
}


def state(peer: Peer, asset: str, kind: str, **wanted: Any) -> dict[str, Any]:
    """Wait until the last state of a setting has these values; return it."""

    def found(_: Sequence[Any]) -> bool:
        published = payloads(peer.messages, asset, f"{kind}/state")
        return bool(published) and all(published[-1][key] == value for key, value in wanted.items())

    peer.until(found, f"{kind}/state with {wanted}")
    last: dict[str, Any] = payloads(peer.messages, asset, f"{kind}/state")[-1]
    STATES[kind].validate(last)
    return last


def test_settings_take_effect_between_two_samples(shared_broker: Mosquitto, tmp_path: Path) -> None:
    assets = {"live": {"model": "model.vcedge", "adapt": False}}
    config = configure(tmp_path, "live", shared_broker.url, assets=assets)
    base, levels = "vcedge/live/live", tiny_detector().levels
    rows = samples(recording(3, 150, 3))
    with running("run", config), Peer(shared_broker.url, "vcedge/live/#") as peer:
        wait_online(peer, "live")
        assert state(peer, "live", "threshold")["set"] is False
        publish(peer, "live/live", rows[:30])
        peer.publish(f"{base}/threshold/set", {"raw": 12.5})
        peer.publish(f"{base}/compute/set", {"policy": "full"})
        publish(peer, "live/live", rows[30:60])
        peer.publish(f"{base}/threshold/set", "null")
        peer.publish(f"{base}/compute/set", {"min_level": 2, "looseness": 0.01})
        publish(peer, "live/live", rows[60:90])
        peer.publish(f"{base}/inhibit/set", {"until": rows[120].time_ns // 1_000_000})
        publish(peer, "live/live", rows[90:])
        scores = peer.scores("live", 150)
        assert {s["threshold"] for s in scores[:30]} == {2.5}
        assert {s["threshold"] for s in scores[30:60]} == {12.5}
        assert {s["threshold"] for s in scores[60:]} == {2.5}
        assert len({s["updated"] for s in scores[:30]}) > 1
        assert {s["updated"] for s in scores[30:60]} == {16}
        assert {s["updated"] for s in scores[60:90] if s["wake"] != "surprise"} == {2 * 16 // levels}
        assert {s["status"] for s in scores[90:120]} == {"inhibited"}
        assert scores[120]["status"] == "warmup"
        assert state(peer, "live", "inhibit", until=None)["set"] is True  # its end was reached
        assert state(peer, "live", "compute")["min_level"] == 2
        raw = [s["raw"] for s in payloads(peer.messages, "live", "threshold/state")]
        assert raw == [None, 12.5, None]


def test_refused_settings_are_reported_and_have_no_effect(shared_broker: Mosquitto, tmp_path: Path) -> None:
    config = configure(tmp_path, "strict", shared_broker.url)
    base = "vcedge/strict/strict"
    refused = {
        f"{base}/threshold/set": ('{"raw": NaN}', "the message holds NaN, expected finite numbers"),
        f"{base}/compute/set": ('{"min_level": 99}', "key 'min_level' is 99, expected at most 4"),
        f"{base}/inhibit/set": ('{"until": "soon"}', "key 'until' is 'soon', expected a number"),
        f"{base}/colour/set": ("{}", "no setting 'colour', expected one of: threshold, compute, inhibit, stage"),
        f"{base}/stage/set": (
            '{"stage": 0}',
            "the configuration has no stages for this asset (key assets.NAME.stages)",
        ),
        "vcedge/strict/other/threshold/set": ("{}", "the configuration has no such asset"),
    }
    with running("run", config), Peer(shared_broker.url, "vcedge/strict/#") as peer:
        wait_online(peer, "strict")
        peer.publish(f"{base}/threshold/set", {"raw": 3})
        state(peer, "strict", "threshold", raw=3, refused="")
        for topic, (payload, _) in refused.items():
            peer.publish(topic, payload)
        peer.publish(f"{base}/threshold/set", b"")  # an empty payload removes a retained message: it is not refused
        peer.publish(f"{base}/threshold/set", {"raw": 4})
        state(peer, "strict", "threshold", raw=4)
        letters = [json.loads(m.payload) for m in peer.messages if m.topic == "vcedge/strict/deadletter"]
        assert sorted(letter["topic"] for letter in letters) == sorted(refused)  # of two assets, which take turns
        for letter in letters:
            assert letter["reason"].startswith(refused[letter["topic"]][1])
        published = payloads(peer.messages, "strict", "threshold/state")
        assert [(s["raw"], s["refused"] != "") for s in published] == [(None, False), (3, False), (3, True), (4, False)]
        assert state(peer, "strict", "compute")["refused"].startswith("key 'min_level'")
    with Peer(shared_broker.url, "vcedge/strict/strict/compute/state") as later:
        later.until(bool)
        assert json.loads(later.messages[0].payload)["refused"] == ""  # a refusal is not retained


def test_retained_setting_is_a_default(shared_broker: Mosquitto, tmp_path: Path) -> None:
    """A retained message applies to an asset that has no setting yet; it does not undo later settings."""
    assets = {"pump-*": {"model": "model.vcedge"}}
    config = configure(tmp_path, "kept", shared_broker.url, assets=assets)
    topic = "vcedge/kept/pump-7/threshold/set"
    with Peer(shared_broker.url, "vcedge/kept/+/threshold/state", "vcedge/kept/status") as peer:
        peer.publish(topic, {"raw": 9.0}, retain=True)
        peer.settle()
        with running("run", config, "--verbose") as service:
            wait_online(peer, "kept")
            state(peer, "pump-7", "threshold", raw=9.0)  # the first setting of this asset
            peer.publish(topic, {"raw": 5.0})
            state(peer, "pump-7", "threshold", raw=5.0)
            assert service.end() == 0
        peer.publish(topic, b"", retain=True)
        peer.settle()


def test_samples_of_a_stopped_machine_are_inhibited(shared_broker: Mosquitto, tmp_path: Path) -> None:
    """Tested sample by sample and as blocks."""
    values = recording(7, 200, 3)
    values[80:120, 0], values[80:120, 1:] = -50.0, 1e4
    rows, rule = samples(values), {"channel": "Channel 0", "above": -40}
    assets = {name: {"model": "model.vcedge"} for name in ("single", "blocks")}
    config = configure(tmp_path, "stands", shared_broker.url, assets=assets, run_when=rule)
    stream = Stream(load_engine(tiny_detector()), run_when=RunWhen(0, above=-40.0))
    expected = [stream.push(row) for row in rows]
    assert {score.status for score in expected[80:120]} == {"inhibited"}
    with running("run", config), Peer(shared_broker.url, "vcedge/stands/#") as peer:
        wait_online(peer, "stands")
        publish(peer, "stands/single", rows)
        for start in range(0, 200, 50):
            columns = {f"Channel {c}": values[start : start + 50, c].tolist() for c in range(3)}
            peer.publish("stands/blocks", {"t0": rows[start].time_ns / 1e9, "dt": 1, "v": columns})
        assert_same(peer.scores("single", 200), expected)
        blocks = peer.scores("blocks", 4)
    for key in ("raw", "status", "alarm", "updated"):
        assert [value for block in blocks for value in block[key]] == [getattr(score, key) for score in expected]


def test_surprise_computes_the_full_network(shared_broker: Mosquitto, tmp_path: Path) -> None:
    config = configure(tmp_path, "shock", shared_broker.url)
    values = recording(3, 60, 3)
    values[50] += 300 * tiny_detector().features.scale * np.array([0, 1, 1])
    with running("run", config), Peer(shared_broker.url, "vcedge/shock/#") as peer:
        wait_online(peer, "shock")
        peer.publish("vcedge/shock/shock/compute/set", {"looseness": 0.01})
        publish(peer, "shock/shock", samples(values))
        scores = peer.scores("shock", 60)
        assert {s["updated"] for s in scores[30:50] if s["wake"] != "surprise"} == {4}
        assert (scores[50]["updated"], scores[50]["wake"]) == (16, "surprise")


def test_settings_keep_their_place_among_samples_after_kills(shared_broker: Mosquitto, tmp_path: Path) -> None:
    """Settings act where they arrived: after kills among both, the scores are those of an uninterrupted service."""
    config = configure(tmp_path, "often", shared_broker.url)
    base, rows, chance = "vcedge/often/often", samples(recording(6, 240, 3)), random.Random(4)
    sets: dict[int, tuple[str, dict[str, Any]]] = {
        40: ("threshold", {"raw": 1.5}),
        80: ("compute", {"policy": "full"}),
        120: ("inhibit", {"until": rows[150].time_ns // 1_000_000}),
        160: ("threshold", {}),
        200: ("compute", {"looseness": 0.1}),
    }
    stream = Stream(load_engine(tiny_detector()))
    settings, expected = Settings(stream), []
    for index, row in enumerate(rows):
        if index in sets:
            kind, message = sets[index]
            settings.set(kind_of(kind), parse_setting(kind_of(kind), json.dumps(message).encode()))
        expected.append(stream.push(row, settings.policy))
    with Peer(shared_broker.url, "vcedge/often/#", persistent=True) as peer:
        seen = 0
        for start in range(0, len(rows), 60):
            with running("run", config) as service:
                if start == 0:
                    wait_online(peer, "often")
                for index in range(start, start + 60):
                    if index in sets:
                        kind, message = sets[index]
                        peer.publish(f"{base}/{kind}/set", message)
                    publish(peer, "often/often", [rows[index]])
                seen = len(peer.scores("often", seen + chance.randint(1, 60)))
                service.end(signal.SIGKILL)
        with running("run", config):
            peer.until(lambda messages: any(b'"seq":240,' in m.payload for m in messages[-50:]), "the last score")
        assert_same(by_seq(payloads(peer.messages, "often", "score")), expected)


def test_retained_states_are_published_again_to_a_broker_that_lost_them(own_broker: Mosquitto, tmp_path: Path) -> None:
    config = configure(tmp_path, "restored", own_broker.url)
    own_broker.start()
    with running("run", config) as service:
        with Peer(own_broker.url, "vcedge/restored/#") as peer:
            wait_online(peer, "restored")
            peer.publish("vcedge/restored/restored/threshold/set", {"raw": 3.5})
            state(peer, "restored", "threshold", raw=3.5)
        own_broker.kill()
        service.wait_line("no connection to")
        own_broker.start()
        with Peer(own_broker.url, "vcedge/restored/#") as peer:
            wait_online(peer, "restored")
            state(peer, "restored", "threshold", raw=3.5)
            peer.until_last("vcedge/restored/restored/anomaly", b"OFF")


def unacknowledged(folder: Path) -> int:
    return int(ask_service(folder / "state")["numbers"]["unacknowledged"])


def test_settings_survive_a_kill(shared_broker: Mosquitto, tmp_path: Path) -> None:
    """Samples before and after the kill score as in a service that was not killed."""
    config = configure(tmp_path, "firm", shared_broker.url)
    base, rows = "vcedge/firm/firm", samples(recording(5, 90, 3))
    until = rows[60].time_ns // 1_000_000
    with Peer(shared_broker.url, "vcedge/firm/#") as peer:
        with running("run", config) as service:
            wait_online(peer, "firm")
            publish(peer, "firm/firm", rows[:30])
            peer.scores("firm", 30)
            peer.publish(f"{base}/threshold/set", {"raw": 4.5})
            peer.publish(f"{base}/compute/set", {"policy": "full"})
            peer.publish(f"{base}/inhibit/set", {"until": until})
            state(peer, "firm", "inhibit", until=until)
            wait_until(
                lambda: ask_service(tmp_path / "state")["numbers"]["unacknowledged"] == 0,
                "the snapshot that a set asks for",
            )
            service.end(signal.SIGKILL)
        peer.until_last("vcedge/firm/status", b"offline")
        with running("run", config):
            wait_online(peer, "firm")
            publish(peer, "firm/firm", rows[30:])
            scores = peer.scores("firm", 90)
            assert state(peer, "firm", "threshold", raw=4.5)["set"] is True
    assert [s["seq"] for s in scores] == list(range(1, 91))
    assert {s["threshold"] for s in scores[30:]} == {4.5}
    assert {s["status"] for s in scores[30:60]} == {"inhibited"}
    assert {s["updated"] for s in scores[60:]} == {16}
    stream = Stream(load_engine(tiny_detector()), 4.5)
    expected = [stream.push(row, ComputePolicy(4)) for row in rows[60:]]
    assert [s["raw"] for s in scores[60:]] == [s.raw for s in expected]
