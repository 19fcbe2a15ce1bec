"""Stops the broker for ten minutes of traffic, so that it keeps session and queue, or kills it.

A killed broker loses the messages that it has queued and not written; they are counted, and are no failure of the
service.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client

from benchmarks.soak.rig import client
from tests.support.detectors import recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, payloads, running
from tests.support.service import assert_same, by_seq, configure, offline, publish, wait_online
from vcedge.runtime.recordings.replay import message_of
from vcedge.schema import Sample

NAMES = tiny_detector().schema.names
PER_S = 10
"""Simulated samples a second."""


def _queue(sender: Client, topic: str, rows: Iterable[Sample]) -> None:
    """Publish rows without waiting: paho keeps them while the broker is down."""
    for sample in rows:
        sender.publish(topic, message_of(sample.time_ns, NAMES, sample.values), qos=1)


def interrupted(folder: Path, way: str, down_s: int) -> dict[str, Any]:
    """Send a third of the traffic before, during and after the outage; `way` is `stop` or `kill`."""
    detector, node = tiny_detector(), f"outage-{way}"
    status = f"vcedge/{node}/status"
    broker = Mosquitto(folder / "mosquitto")
    config = configure(folder, node, broker.url)
    count = PER_S * down_s
    rows = samples(recording(4, 3 * count, detector.channels))
    broker.start()
    try:
        with Peer(broker.url, f"vcedge/{node}/#", persistent=True) as peer, running("run", config) as service:
            peer.patience_s = 120.0
            wait_online(peer, node)
            sender = client(broker.port, "feeder")
            publish(peer, f"{node}/{node}", rows[:count])
            peer.scores(node, count // 2)
            getattr(broker, way)()
            service.wait_line("no connection to")
            _queue(sender, f"{node}/{node}", rows[count : 2 * count])
            time.sleep(3.0)  # longer than the grace period after which the service saves unsent results, if any
            greetings = peer.count("status")
            broker.start()
            peer.until(lambda _: peer.count("status") > greetings, "a greeting")
            peer.until_last(status, b"online")
            _queue(sender, f"{node}/{node}", rows[2 * count :])
            last_row = f'"ts":{rows[-1].time_ns // 10**6},'.encode()
            peer.until(lambda messages: any(last_row in m.payload for m in messages[-50:]), "the last score")
            peer.settle()
            while peer.listen(3.0):  # replayed scores follow the live ones
                pass
            sender.disconnect()
            sender.loop_stop()
            assert service.end() == 0
        published = by_seq(payloads(peer.messages, node, "score"))
        lost = len(rows) - len(published)
        if way == "stop":
            assert_same(published, offline(detector, rows))
        else:
            arrived = {score["ts"] for score in published}
            assert [score["seq"] for score in published] == list(range(1, len(published) + 1))
            assert len(arrived) == len(published)
        return {"sent": len(rows), "scored": len(published), "lost_by_the_broker": lost}
    finally:
        broker.kill()


def run(minutes: float) -> dict[str, Any]:
    """Stop and kill the broker, for up to ten minutes of traffic."""
    down_s = min(600, max(30, round(60 * minutes)))
    results = {}
    for way in ("stop", "kill"):
        with tempfile.TemporaryDirectory() as name:
            results[way] = interrupted(Path(name), way, down_s)
    return {"simulated_s": down_s, **results, "passed": results["stop"]["lost_by_the_broker"] == 0}
