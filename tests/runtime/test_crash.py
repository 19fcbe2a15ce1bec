"""What a crash costs: nothing. The service is killed as a power cut does it, at points that a seed chooses."""

from __future__ import annotations

import random
import signal
from pathlib import Path

from tests.support.detectors import recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, payloads, running
from tests.support.service import assert_same, assert_same_events, by_seq, configure, offline, publish, wait_online

KILLS = 20


def test_kill_9_at_random_points_costs_nothing(shared_broker: Mosquitto, tmp_path: Path) -> None:
    """A small window, so that many kills meet a snapshot or an acknowledgement."""
    chance, detector = random.Random(11), tiny_detector()
    config = configure(tmp_path, "mortal", shared_broker.url, mqtt={"broker": shared_broker.url, "receive_maximum": 20})
    rows = samples(recording(12, 60 * (KILLS + 1), detector.channels))
    seen = 0
    with Peer(shared_broker.url, "vcedge/mortal/#", persistent=True) as peer:
        for start in range(0, len(rows), 60):
            with running("run", config) as service:
                if start == 0:
                    wait_online(peer, "mortal")
                publish(peer, "mortal/mortal", rows[start : start + 60])
                seen = len(peer.scores("mortal", seen + chance.randint(0, 60)))
                assert service.end(signal.SIGKILL) == -signal.SIGKILL
        with running("run", config):
            last_row = f'"seq":{len(rows)},'.encode()
            peer.until(lambda messages: any(last_row in m.payload for m in messages[-50:]), "the last score")
        expected = offline(detector, rows)
        assert_same(by_seq(payloads(peer.messages, "mortal", "score")), expected)
        assert_same_events(payloads(peer.messages, "mortal", "event"), expected)
