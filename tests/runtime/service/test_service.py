"""The service as a process at a real broker: what it publishes, and how it starts and ends."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from paho.mqtt.client import MQTTMessage

from tests.support.detectors import recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto, free_port
from tests.support.mqtt import Peer, last, payloads, running, wait_until
from tests.support.service import assert_same, configure, offline, publish, wait_online
from vcedge import model_file
from vcedge.config.runtime import load_runtime_config
from vcedge.runtime.assets.recipes import load_recipes
from vcedge.runtime.service.compose import compose
from vcedge.schema import NS_PER_S

pytestmark = pytest.mark.slow

SCHEMAS = Path(__file__).parents[3] / "runtime" / "publishing" / "schemas"
VALIDATORS = {path.stem: Draft202012Validator(json.loads(path.read_text())) for path in SCHEMAS.glob("*.json")}


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_published_scores_equal_offline_scores(version: str, shared_broker: Mosquitto, tmp_path: Path) -> None:
    node = f"all-{version.replace('.', '')}"
    detector = tiny_detector()
    mqtt = {"broker": shared_broker.url, "version": version}
    config = configure(tmp_path, node, shared_broker.url, detector, mqtt=mqtt)
    rows = samples(recording(1, 1500, detector.channels, missing=0.02))
    with running("run", config) as service, Peer(shared_broker.url, f"vcedge/{node}/#", version=version) as peer:
        wait_online(peer, node)
        publish(peer, f"{node}/{node}", rows)
        published = peer.scores(node, len(rows))
        assert service.end() == 0
        peer.until_last(f"vcedge/{node}/status", b"offline")
        expected = offline(detector, rows)
        assert_same(published, expected)
        model = f"tiny@{model_file.model_id(tmp_path / 'model.vcedge')[:19]}"
        assert {s["model"] for s in published} == {model}
        assert len({s["boot"] for s in published}) == 1
        events = payloads(peer.messages, node, "event")
        keys = ("id", "type", "peak", "resembles", "agreement", "why")
        assert [tuple(e[key] for key in keys) for e in events] == [
            tuple(getattr(event, key) for key in keys) for score in expected for event in score.events
        ]
        anomaly = [m.payload for m in peer.messages if m.topic == f"vcedge/{node}/{node}/anomaly"]
        kinds = [event.type for score in expected for event in score.events if event.kind == "anomaly"]
        assert anomaly == [b"OFF", *(b"ON" if kind == "new" else b"OFF" for kind in kinds if kind != "update")]
        assert b"ON" in anomaly
        for kind in ("score", "event", "health"):
            found = payloads(peer.messages, node, kind)
            assert found
            for payload in found[:: len(found) // 50 + 1]:
                VALIDATORS[kind].validate(payload)


def test_blocks_arrival_times_and_dead_letters_are_published(shared_broker: Mosquitto, tmp_path: Path) -> None:
    detector = tiny_detector()
    config = configure(tmp_path, "odd", shared_broker.url, detector)
    rows = samples(recording(2, 50, detector.channels))
    names = detector.schema.names
    topic = "vcedge/odd/odd/score"
    with running("run", config), Peer(shared_broker.url, "vcedge/odd/#") as peer:
        wait_online(peer, "odd")
        columns = {name: [float(s.values[i]) for s in rows] for i, name in enumerate(names)}
        peer.publish("odd/odd", {"t0": rows[0].time_ns / NS_PER_S, "dt": 1, "v": columns})
        peer.until(lambda messages: last(messages, topic) is not None)
        block = json.loads(last(peer.messages, topic) or b"")
        VALIDATORS["score"].validate(block)
        assert block["raw"] == [s.raw for s in offline(detector, rows)]
        assert block["seq"] == list(range(1, 51))
        assert block["ts_source"] == "sample"

        peer.publish("odd/odd", '{"ts": "soon", "v": {}}')
        peer.publish("odd/odd", b"\xff" * 5000)
        peer.publish("odd/odd", {"v": {names[0]: 1.0, "Unheard of": 2.0}})
        score = peer.scores("odd", 2)[-1]
        assert score["ts_source"] == "arrival"
        assert score["seq"] == 51
        letters = [json.loads(m.payload) for m in peer.messages if m.topic == "vcedge/odd/deadletter"]
        for letter in letters:
            VALIDATORS["deadletter"].validate(letter)
        assert [letter["reason"].split(",")[0] for letter in letters] == [
            "'ts': expected ISO 8601 such as 2023-11-14T22:13:20.5Z",
            "not UTF-8",
        ]
        assert letters[1]["size"] == 5000


def test_each_asset_and_pattern_is_scored_by_its_own_model(shared_broker: Mosquitto, tmp_path: Path) -> None:
    other = tiny_detector(seed=5, channels=3, asset="other")
    model_file.save(other, tmp_path / "other.vcedge")
    assets = {
        "pump-*": {"model": "model.vcedge"},
        "pump-2": {"model": "model.vcedge", "threshold": 3.5},
        "fan": {"model": "other.vcedge"},
    }
    config = configure(tmp_path, "plant1", shared_broker.url, assets=assets)
    rows = {name: samples(recording(seed, 200, 3)) for seed, name in enumerate(["pump-1", "pump-2", "pump-é 3", "fan"])}
    with running("run", config), Peer(shared_broker.url, "vcedge/plant1/#") as peer:
        wait_online(peer, "plant1")
        peer.publish("plant1/motor", {"ts": 1, "v": {}})
        for group in zip(*rows.values(), strict=True):
            for name, sample in zip(rows, group, strict=True):
                publish(peer, f"plant1/{name}", [sample])
        for name, sent in rows.items():
            threshold = 3.5 if name == "pump-2" else None
            assert_same(peer.scores(name, 200), offline(other if name == "fan" else tiny_detector(), sent, threshold))
        topics = {m.topic for m in peer.messages}
        assert not any("motor" in topic or "*" in topic for topic in topics)


def test_last_will_reports_a_kill(shared_broker: Mosquitto, tmp_path: Path) -> None:
    config = configure(tmp_path, "will", shared_broker.url)
    with running("run", config) as service, Peer(shared_broker.url, "vcedge/will/status") as peer:
        wait_online(peer, "will")
        assert service.end(signal.SIGKILL) == -signal.SIGKILL
        peer.until_last("vcedge/will/status", b"offline")
    with running("run", config), Peer(shared_broker.url, "vcedge/will/status") as peer:
        wait_online(peer, "will")


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_scoring_continues_after_an_outage_of_the_broker(way: str, own_broker: Mosquitto, tmp_path: Path) -> None:
    """A killed broker has forgotten the session: the service subscribes again."""
    detector = tiny_detector()
    config = configure(tmp_path, "away", own_broker.url, detector)
    rows = samples(recording(3, 60, detector.channels))
    expected = offline(detector, rows)
    own_broker.start()
    with running("run", config) as service:
        with Peer(own_broker.url, "vcedge/away/#") as peer:
            wait_online(peer, "away")
            publish(peer, "away/away", rows[:30])
            assert_same(peer.scores("away", 30), expected[:30])
        getattr(own_broker, way)()
        service.wait_line("no connection to")
        own_broker.start()
        with Peer(own_broker.url, "vcedge/away/#") as peer:
            wait_online(peer, "away")
            publish(peer, "away/away", rows[30:])
            assert_same(peer.scores("away", 30), expected[30:])
        assert service.end() == 0


def test_restart_of_the_broker_during_work_loses_no_score(own_broker: Mosquitto, tmp_path: Path) -> None:
    """Redelivered samples are not scored twice; a listener may receive the same score twice, as QoS 1 allows."""
    detector = tiny_detector()
    config = configure(tmp_path, "mid", own_broker.url, detector)
    rows = samples(recording(6, 1500, detector.channels))
    own_broker.start()
    with Peer(own_broker.url, "vcedge/mid/#", persistent=True) as peer, running("run", config) as service:
        wait_online(peer, "mid")
        publish(peer, "mid/mid", rows)
        peer.settle()
        peer.scores("mid", 300)
        own_broker.stop()
        service.wait_line("no connection to")
        own_broker.start()
        last_row = f'"seq":{len(rows)},'.encode()
        peer.until(lambda messages: bool(messages) and last_row in messages[-1].payload, "the last score")
        by_seq: dict[int, dict[str, Any]] = {}
        for score in payloads(peer.messages, "mid", "score"):
            assert by_seq.setdefault(score["seq"], score) == score
        assert_same([by_seq[seq] for seq in sorted(by_seq)], offline(detector, rows))


def test_backlog_beyond_receive_maximum_is_scored_completely(shared_broker: Mosquitto, tmp_path: Path) -> None:
    """The service is stopped for a while; mosquitto 2.0.11 then sends more than Receive Maximum allows."""
    detector = tiny_detector()
    mqtt = {"broker": shared_broker.url, "receive_maximum": 5}
    config = configure(tmp_path, "late", shared_broker.url, detector, mqtt=mqtt)
    rows = samples(recording(8, 600, detector.channels))
    with running("run", config) as service, Peer(shared_broker.url, "vcedge/late/#") as peer:
        wait_online(peer, "late")
        service.send(signal.SIGSTOP)
        publish(peer, "late/late", rows)
        service.send(signal.SIGCONT)
        assert_same(peer.scores("late", len(rows)), offline(detector, rows))
        assert service.end() == 0


def test_messages_during_downtime_are_scored_after_a_restart(shared_broker: Mosquitto, tmp_path: Path) -> None:
    config = configure(tmp_path, "back", shared_broker.url)
    rows = samples(recording(4, 40, 3))
    with Peer(shared_broker.url, "vcedge/back/#") as peer:
        with running("run", config) as service:
            wait_online(peer, "back")
            publish(peer, "back/back", rows[:20])
            peer.scores("back", 20)
            assert service.end() == 0
        publish(peer, "back/back", rows[20:])
        with running("run", config):
            again = peer.scores("back", 40)[20:]
    assert_same(again, offline(tiny_detector(), rows)[20:])


def test_service_waits_for_an_absent_broker_and_logs_once(own_broker: Mosquitto, tmp_path: Path) -> None:
    config = configure(tmp_path, "early", own_broker.url)
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
    with systemd_notifications(tmp_path / "notify") as notifications, running("run", config, **environment) as service:
        service.wait_line("no connection to")
        wait_until(lambda: len(notifications) > 4, "watchdog")
        assert notifications[0] == b"READY=1"  # ready once model and engine are loaded, without a broker
        assert set(notifications[1:]) == {b"WATCHDOG=1"}
        own_broker.start()
        with Peer(own_broker.url, "vcedge/early/#") as peer:
            wait_online(peer, "early")
            peer.until_last("vcedge/early/early/anomaly", b"OFF")
        assert service.end() == 0
        wait_until(lambda: notifications[-1] == b"STOPPING=1", "the word that it stops")
        assert sum("no connection to" in line for line in service.lines) == 1


@contextmanager
def systemd_notifications(path: Path) -> Iterator[list[bytes]]:
    """Return a notification socket like systemd's, and the messages that it receives."""
    notifications: list[bytes] = []
    inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    inbox.bind(str(path))

    def listen() -> None:
        while word := inbox.recv(64):
            notifications.append(word)

    listener = threading.Thread(target=listen)
    listener.start()
    with inbox:
        yield notifications
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last_word:
            last_word.sendto(b"", str(path))
        listener.join()


def test_sigterm_without_a_broker_exits_with_0(tmp_path: Path) -> None:
    config = configure(tmp_path, "alone", f"mqtt://127.0.0.1:{free_port()}")
    with running("run", config) as service:
        service.wait_line("no connection to")
        assert service.end() == 0


def test_health_reports_silence_and_missing_channels(shared_broker: Mosquitto, tmp_path: Path) -> None:
    detector = tiny_detector()
    quick = replace(detector, schema=replace(detector.schema, max_gap_ns=3 * NS_PER_S))
    config = configure(tmp_path, "quiet", shared_broker.url, quick)
    names = detector.schema.names
    with running("run", config), Peer(shared_broker.url, "vcedge/quiet/#") as peer:

        def wait_health(status: str) -> dict[str, Any]:
            peer.until(lambda m: any(h["status"] == status for h in payloads(m, "quiet", "health")), status)
            return next(h for h in payloads(peer.messages, "quiet", "health") if h["status"] == status)

        waiting = wait_health("waiting")
        wait_online(peer, "quiet")
        assert waiting["last"] is None
        assert waiting["threshold_calibrated"] == tiny_detector().calibration.threshold
        assert waiting["threshold_factor"] == 1.0
        peer.publish("quiet/quiet", {"ts": 1_700_000_000, "v": {names[0]: 1.0}})
        assert wait_health("warmup")["missing"] == list(names[1:])
        stale = wait_health("stale")
        assert stale["missing"] == list(names)
        assert stale["last"] == 1_700_000_000_000
        assert 3 < stale["age_s"] < 20


def test_statistics_are_published_regularly(shared_broker: Mosquitto, tmp_path: Path) -> None:
    """The clock triggers them, so the service runs in a thread with a shorter interval."""
    config = load_runtime_config(configure(tmp_path, "counted", shared_broker.url), {})
    service = compose(config, load_recipes(config))
    service.stats_s = 0.1
    stop = threading.Event()
    thread = threading.Thread(target=service.run, args=(stop,))
    names = tiny_detector().schema.names
    with Peer(shared_broker.url, "vcedge/counted/stats", "vcedge/counted/status") as peer:
        thread.start()
        wait_online(peer, "counted")
        peer.publish("counted/counted", {"ts": 1, "v": {names[0]: 1, "Unheard of": 2}})
        peer.publish("counted/counted", {"t0": 2, "dt": 1, "v": {names[0]: [1, 2]}})
        peer.publish("counted/counted", "nonsense")

        def counted(messages: Sequence[MQTTMessage]) -> bool:
            return (json.loads(last(messages, "vcedge/counted/stats") or b"{}")).get("messages") == 3

        peer.until(counted, "statistics")
        stop.set()
        thread.join(10)
    stats = json.loads(last(peer.messages, "vcedge/counted/stats") or b"")
    VALIDATORS["stats"].validate(stats)
    for key, number in {"samples": 3, "dead_letters": 1, "unknown_channels": 1, "drops": 0, "assets": 1}.items():
        assert stats[key] == number
