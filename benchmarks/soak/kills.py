"""Kills the service (SIGKILL) at random points; scores and events must equal those of an uninterrupted run."""

from __future__ import annotations

import random
import signal
import tempfile
from pathlib import Path
from typing import Any

from tests.support.detectors import recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, payloads, running
from tests.support.service import assert_same, assert_same_events, by_seq, configure, offline, publish, wait_online

ROWS = 60
"""Samples between two kills."""


def killed(folder: Path, url: str, kills: int, seed: int) -> dict[str, Any]:
    """Kill and restart the service repeatedly; assert that scores and events equal those of an offline stream.

    The receive window is small, so that many kills hit a snapshot or an acknowledgement.
    """
    chance, detector, node = random.Random(seed), tiny_detector(), f"killed-{seed}"
    config = configure(folder, node, url, mqtt={"broker": url, "receive_maximum": 20})
    rows = samples(recording(seed, ROWS * (kills + 1), detector.channels))
    seen = 0
    with Peer(url, f"vcedge/{node}/#", persistent=True) as peer:
        for start in range(0, len(rows), ROWS):
            with running("run", config) as service:
                if start == 0:
                    wait_online(peer, node)
                publish(peer, f"{node}/{node}", rows[start : start + ROWS])
                seen = len(peer.scores(node, seen + chance.randint(0, ROWS)))
                assert service.end(signal.SIGKILL) == -signal.SIGKILL
        with running("run", config):
            last_row = f'"seq":{len(rows)},'.encode()
            peer.until(lambda messages: any(last_row in m.payload for m in messages[-50:]), "the last score")
        expected = offline(detector, rows)
        published = payloads(peer.messages, node, "score")
        assert_same(by_seq(published), expected)
        assert_same_events(payloads(peer.messages, node, "event"), expected)
    return {"kills": kills, "scores": len(expected), "published": len(published)}


def run(minutes: float) -> dict[str, Any]:
    """Kill the service up to two hundred times."""
    kills = min(200, max(5, round(200 * minutes / 10)))
    with tempfile.TemporaryDirectory() as name:
        broker = Mosquitto(Path(name) / "mosquitto")
        broker.start()
        try:
            return {**killed(Path(name), broker.url, kills, seed=11), "passed": True}
        finally:
            broker.kill()
