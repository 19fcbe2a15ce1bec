"""Outages of broker and disk, and conflicts of client ids: no score is lost, and the problem is reported."""

from __future__ import annotations

import json
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.detectors import recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, last, running, wait_until
from tests.support.process import vcedge
from tests.support.service import assert_same, by_seq, configure, offline, publish, wait_online

pytestmark = pytest.mark.slow


def test_results_stored_on_disk_survive_a_crash(own_broker: Mosquitto, tmp_path: Path) -> None:
    """The broker takes no result and then dies with its memory; the service saves its results and dies too."""
    detector = tiny_detector()
    config = configure(tmp_path, "spilt", own_broker.url)
    rows = samples(recording(3, 200, detector.channels))
    own_broker.start()
    with running("run", config) as service:
        with Peer(own_broker.url, "vcedge/spilt/#") as peer:
            wait_online(peer, "spilt")
            publish(peer, "spilt/spilt", rows[:100])
            assert_same(peer.scores("spilt", 100), offline(detector, rows)[:100])
            service.send(signal.SIGSTOP)
            publish(peer, "spilt/spilt", rows[100:])
            peer.settle()
        own_broker.send(signal.SIGSTOP)
        service.send(signal.SIGCONT)
        own_broker.kill()
        stored = tmp_path / "state" / "outbox"
        wait_until(lambda: sum(file.stat().st_size for file in stored.glob("*.log")) > 0, "results on disk")
        wait_until(lambda: (tmp_path / "state" / "snapshot").exists(), "a snapshot that covers them")
        service.end(signal.SIGKILL)
    own_broker.start()
    with Peer(own_broker.url, "vcedge/spilt/#") as peer, running("run", config):
        wait_online(peer, "spilt")
        replayed = peer.scores("spilt", 100)
        assert {score["replayed"] for score in replayed} == {True}
        assert [score["seq"] for score in replayed] == list(range(200, 100, -1))  # newest first
        assert_same(by_seq(replayed), offline(detector, rows)[100:])
        wait_until(lambda: not list(stored.glob("*.log")), "an empty outbox")


def test_full_disk_is_reported_while_scoring_continues(shared_broker: Mosquitto, tmp_path: Path) -> None:
    """With a window of 20, a broker without acknowledgements would stop sending."""
    detector = tiny_detector()
    config = configure(tmp_path, "full", shared_broker.url, mqtt={"broker": shared_broker.url, "receive_maximum": 20})
    rows = samples(recording(6, 300, detector.channels))

    def durable(messages: list[Any]) -> Any:
        return json.loads(last(messages, "vcedge/full/full/health") or b"{}").get("durable")

    with running("run", config) as service, Peer(shared_broker.url, "vcedge/full/#") as peer:
        wait_online(peer, "full")
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        publish(peer, "full/full", rows[:200])
        assert_same(peer.scores("full", 200), offline(detector, rows)[:200])
        peer.until(lambda messages: durable(messages) is False, "health that tells it")
        assert last(peer.messages, "vcedge/full/full/health") is not None
        assert json.loads(last(peer.messages, "vcedge/full/full/health") or b"")["status"] == "not_durable"
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        publish(peer, "full/full", rows[200:])
        assert_same(peer.scores("full", 300), offline(detector, rows))
        peer.until(lambda messages: durable(messages) is True, "health that tells it")
        assert service.end() == 0
        assert sum("not durable" in line for line in service.lines) == 1
        assert sum("durable again" in line for line in service.lines) == 1


def test_missing_state_folder_is_reported_while_scoring_continues(shared_broker: Mosquitto, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = configure(tmp_path, "nowhere", shared_broker.url, state_dir="file/state")
    rows = samples(recording(6, 40, 3))
    with running("run", config) as service, Peer(shared_broker.url, "vcedge/nowhere/#") as peer:
        wait_online(peer, "nowhere")
        publish(peer, "nowhere/nowhere", rows[:20])
        assert_same(peer.scores("nowhere", 20), offline(tiny_detector(), rows)[:20])
        service.wait_line("not durable: cannot write snapshot")
        (tmp_path / "file").unlink()
        publish(peer, "nowhere/nowhere", rows[20:])
        service.wait_line("durable again")
        assert service.end() == 0
    assert (tmp_path / "file" / "state" / "snapshot").exists()


def test_client_id_conflict_is_logged_once(shared_broker: Mosquitto, tmp_path: Path) -> None:
    """mosquitto 2.0 reports no reason in either version; test_connection.py has a broker that does."""
    mqtt = {"broker": shared_broker.url, "client_id": "twin"}
    configs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        configs.append(configure(tmp_path / name, f"twin-{name}", shared_broker.url, mqtt=mqtt))
    with running("run", configs[0]) as first, running("run", configs[1]) as second:
        for service in (first, second):
            service.wait_line("another client seems to use the id")
        for service in (first, second):
            assert service.end() == 0
            for client in ("twin:", "twin-in:"):
                assert sum("another client" in line and client in line for line in service.lines) <= 1


def test_lost_sessions_lose_no_delivered_sample(own_broker: Mosquitto, tmp_path: Path) -> None:
    """The broker is killed repeatedly for a minute: every sample that it delivered is scored."""
    detector = tiny_detector()
    config = configure(tmp_path, "shaky", own_broker.url)
    rows = samples(recording(9, 120, detector.channels))
    own_broker.start()
    scores: list[dict[str, Any]] = []
    with running("run", config) as service:
        for start in range(0, len(rows), 40):
            with Peer(own_broker.url, "vcedge/shaky/#") as peer:
                wait_online(peer, "shaky")
                publish(peer, "shaky/shaky", rows[start : start + 40])
                scores += peer.scores("shaky", 40)
            own_broker.kill()
            service.wait_line("no connection to")
            own_broker.start()
    assert_same(by_seq(scores), offline(detector, rows))


def test_duplicates_before_a_snapshot_are_acknowledged_after_it(own_broker: Mosquitto, tmp_path: Path) -> None:
    """The broker restarts and redelivers everything, then the service dies with state that no snapshot holds.

    Two times four messages are too few to count as a stall.
    """
    detector = tiny_detector()
    config = configure(tmp_path, "twice", own_broker.url)
    rows = samples(recording(7, 20, detector.channels))
    own_broker.start()
    with running("run", config) as service:
        with Peer(own_broker.url, "vcedge/twice/#") as peer:
            wait_online(peer, "twice")
            publish(peer, "twice/twice", rows[:4])
            first = peer.scores("twice", 4)
        own_broker.stop()
        service.wait_line("no connection to")
        own_broker.start()
        wait_until(lambda: _statistics_of(config).get("duplicates") == 4, "all of them again")
        assert not (tmp_path / "state" / "snapshot").exists()
        service.end(signal.SIGKILL)
    with Peer(own_broker.url, "vcedge/twice/#") as peer, running("run", config):
        wait_online(peer, "twice")
        publish(peer, "twice/twice", rows[4:])
        assert_same(by_seq([*first, *peer.scores("twice", 20)]), offline(detector, rows))


def _statistics_of(config: Path) -> dict[str, Any]:
    """Return what `vcedge status` reports of the service as a whole."""
    done = vcedge("status", str(config), "--json")
    return dict(json.loads(done.stdout)["numbers"]) if done.returncode == 0 else {}
