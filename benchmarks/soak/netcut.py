"""Cuts the network so that packets are lost and neither end is notified. Needs root and iproute2.

A cut sets a wrong hardware address for the other end, at both ends, which needs no kernel module.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.detectors import recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, payloads
from tests.support.process import ROOT
from tests.support.service import assert_same, by_seq, configure, offline, publish, wait_online

HERE, THERE = "10.213.7.1", "10.213.7.2"
ROWS = 300
NOBODY = "02:00:00:00:00:01"


def ip(*arguments: str) -> None:
    """Run a command of iproute2."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextmanager
def namespace(name: str) -> Iterator[str]:
    """Make a network namespace with a virtual cable to this one; yield the name of the near end."""
    near, far = f"{name}a", f"{name}b"
    ip("netns", "add", name)
    try:
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        ip("addr", "add", f"{HERE}/30", "dev", near)
        ip("link", "set", near, "up")
        for command in (f"addr add {THERE}/30 dev {far}", f"link set {far} up", "link set lo up"):
            ip("-n", name, *command.split())
        yield near
    finally:
        ip("netns", "del", name)


def cut(name: str, near: str) -> None:
    """Lose all packets silently from now on."""
    ip("neigh", "replace", THERE, "lladdr", NOBODY, "dev", near, "nud", "permanent")
    ip("-n", name, "neigh", "replace", HERE, "lladdr", NOBODY, "dev", f"{name}b", "nud", "permanent")


def mend(name: str, near: str) -> None:
    """Let packets arrive again."""
    ip("neigh", "del", THERE, "dev", near)
    ip("-n", name, "neigh", "del", HERE, "dev", f"{name}b")


def run(minutes: float) -> dict[str, Any]:
    """Cut for 4 seconds, which TCP survives, and for 20, after which the keep-alive ends the connection."""
    if os.geteuid() != 0:
        return {"skipped": "needs root", "passed": True}
    return through([4.0, 20.0] * max(1, round(minutes / 10)))


def through(cuts: list[float]) -> dict[str, Any]:
    """Send traffic before, during and after each of the cuts, given in seconds."""
    detector, name = tiny_detector(), f"vcs{os.getpid() % 10000}"
    with tempfile.TemporaryDirectory() as folder, namespace(name) as near:
        broker = Mosquitto(Path(folder) / "mosquitto", f"listener 18883 {HERE}")
        config = configure(Path(folder), "cut", broker.url, mqtt={"broker": f"mqtt://{HERE}:18883", "keepalive_s": 5})
        broker.start()
        command = ["ip", "netns", "exec", name, sys.executable, "-m", "vcedge", "run", str(config)]
        service = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        rows = samples(recording(5, ROWS * (2 * len(cuts) + 1), detector.channels))
        try:
            with Peer(broker.url, "vcedge/cut/#", persistent=True) as peer:
                wait_online(peer, "cut")
                for number, seconds in enumerate(cuts):
                    publish(peer, "cut/cut", rows[2 * number * ROWS : (2 * number + 1) * ROWS])
                    cut(name, near)
                    publish(peer, "cut/cut", rows[(2 * number + 1) * ROWS : (2 * number + 2) * ROWS])
                    time.sleep(seconds)  # the length of the cut; nothing happens that could end it earlier
                    mend(name, near)
                    peer.patience_s = 60.0
                    last = f'"seq":{2 * (number + 1) * ROWS},'.encode()
                    peer.until(lambda found, last=last: any(last in m.payload for m in found[-3 * ROWS :]), "scores")
                publish(peer, "cut/cut", rows[-ROWS:])
                last = f'"seq":{len(rows)},'.encode()
                peer.until(lambda found: any(last in m.payload for m in found[-3 * ROWS :]), "the last score")
                published = payloads(peer.messages, "cut", "score")
            assert_same(by_seq(published), offline(detector, rows))
        finally:
            service.terminate()
            service.wait(20)
            broker.kill()
    return {"cuts_s": cuts, "scores": len(rows), "published": len(published), "passed": True}
