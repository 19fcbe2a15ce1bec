"""Measures the latency from publication to score of one asset, alone and while another asset floods the service.

Runs mosquitto, the service as a process, a publisher that sends ten samples a second for the asset `calm`, and one that
sends for `wild` as fast as it can. Prints a table, or JSON lines with --json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.process_stats import rss_mb
from tests.support.detectors import tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, running
from tests.support.service import configure, wait_online
from vcedge.runtime.monitoring.status_socket import ask_service

NAMES = tiny_detector().schema.names
RATE_HZ = 10
STARTS = count(1_700_000_000, 100_000)
"""Time of the first sample of each run: later than all samples of the run before."""
TOPICS = ("vcedge/bench/calm/score", "vcedge/bench/status")
FLOODS: dict[str, Callable[[int], bytes]] = {
    "samples of now": lambda i: json.dumps({"ts": time.time(), "v": dict.fromkeys(NAMES, 1.0)}).encode(),
    "no time": lambda i: json.dumps({"v": dict.fromkeys(NAMES, float(i % 7))}).encode(),
    "one time": lambda i: json.dumps({"ts": 1.7e9, "v": {NAMES[0]: i}}).encode(),
    "nonsense": lambda i: b"\xff%d" % i,
    "64 kB of nesting": lambda i: b"[" * 65_536,
}


def flood(url: str, topic: str, kind: str) -> None:
    """Publish until the process ends."""
    with Peer(url) as peer:
        number = 0
        while True:
            peer.publish(topic, FLOODS[kind](number))
            number += 1


def measure(url: str, peer: Peer, seconds: float) -> dict[str, Any]:
    """Measure the latency of `calm` in milliseconds; samples are sent when due, without waiting for scores.

    Samples and scores have separate connections: on a shared one the broker's acknowledgements would delay the samples
    (Nagle).
    """
    with Peer(url) as machine:
        return _measured(machine, peer, seconds)


def _measured(machine: Peer, peer: Peer, seconds: float) -> dict[str, Any]:
    start, due_s = next(STARTS), time.monotonic()
    sent: dict[int, float] = {}
    before = len(peer.messages)
    for row in range(round(seconds * RATE_HZ)):
        ts = start + row
        sent[ts * 1000] = time.monotonic()
        machine.publish("bench/calm", {"ts": ts, "v": dict.fromkeys(NAMES, float(row % 5))})
        due_s += 1 / RATE_HZ
        while (left_s := due_s - time.monotonic()) > 0:
            peer.listen(left_s)
    peer.until(lambda messages: sum(m.topic.endswith("/calm/score") for m in messages[before:]) >= len(sent))
    took = sorted(
        1000 * (message.timestamp - sent[json.loads(message.payload)["ts"]])
        for message in peer.messages[before:]
        if message.topic.endswith("/calm/score")
    )
    return {"p50_ms": round(took[len(took) // 2], 2), "p99_ms": round(took[int(0.99 * len(took))], 2), "n": len(took)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench flood", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for kind in (None, *FLOODS):
        row = {"flood": kind or "none", **served(kind, options.seconds)}
        print(json.dumps(row) if options.json else "  ".join(f"{k} {v}" for k, v in row.items()), flush=True)


def served(kind: str | None, seconds: float) -> dict[str, Any]:
    """Start a new broker and service, so that no flood affects the next, and measure during one kind of flood."""
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(Path(folder) / "broker")
        broker.start()
        assets = {name: {"model": "model.vcedge"} for name in ("calm", "wild")}
        config = configure(Path(folder), "bench", broker.url, assets=assets)
        with running("run", config) as service, Peer(broker.url, *TOPICS) as peer:
            wait_online(peer, "bench")
            row = beside(kind, broker.url, peer, seconds)
            numbers = ask_service(Path(folder) / "state")["numbers"]
            counts = ("messages", "samples", "dead_letters", "floods", "quarantined_assets")
            row |= {"memory_mb": round(rss_mb(service.pid), 1), **{key: numbers[key] for key in counts}}
        broker.kill()
    return row


def beside(kind: str | None, url: str, peer: Peer, seconds: float) -> dict[str, Any]:
    """Measure the latency during a flood from another process."""
    if kind is None:
        return measure(url, peer, seconds)
    code = f"from benchmarks.flood import flood; flood({url!r}, 'bench/wild', {kind!r})"
    flooding = subprocess.Popen([sys.executable, "-c", code])
    try:
        return measure(url, peer, seconds)
    finally:
        flooding.kill()
        flooding.wait()


if __name__ == "__main__":
    main()
