"""Fills the disk, and sets the clock back to 1970; scores must equal those of an undisturbed run."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.detectors import recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, payloads, running
from tests.support.service import assert_same, by_seq, configure, offline, publish, wait_online

ROWS = 300
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


def _through(steps: Sequence[Callable[[], object]], folder: Path, node: str, **settings: Any) -> list[str]:
    """Send traffic before, between and after the steps; return the service's log lines."""
    detector = tiny_detector()
    broker = Mosquitto(folder / "mosquitto")
    environment = settings.pop("environment", {})
    config = configure(folder, node, broker.url, mqtt={"broker": broker.url, "receive_maximum": 20}, **settings)
    rows = samples(recording(8, ROWS * (len(steps) + 1), detector.channels))
    broker.start()
    try:
        with running("run", config, **environment) as service, Peer(broker.url, f"vcedge/{node}/#") as peer:
            wait_online(peer, node)
            for number, step in enumerate([*steps, lambda: None]):
                publish(peer, f"{node}/{node}", rows[number * ROWS : (number + 1) * ROWS])
                peer.scores(node, (number + 1) * ROWS)
                step()
            assert service.end() == 0
            assert_same(by_seq(payloads(peer.messages, node, "score")), offline(detector, rows))
            return service.lines
    finally:
        broker.kill()


def disk(minutes: float) -> dict[str, Any]:
    """Fill the service's file system of 256 KB, then free it."""
    del minutes
    if os.geteuid() != 0:
        return {"skipped": "needs root", "passed": True}
    with tempfile.TemporaryDirectory() as name:
        state = Path(name) / "small"
        state.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(state)], check=True)
        try:
            fill = state / "filler"

            def full() -> None:
                with fill.open("wb", buffering=0) as file:
                    try:
                        while True:
                            file.write(bytes(4096))
                    except OSError:
                        return

            lines = _through([full, fill.unlink], Path(name), "disk", state_dir=str(state))
        finally:
            subprocess.run(["umount", str(state)], check=True)
    reports = sum("not durable" in line for line in lines)
    return {"reports": reports, "passed": reports == 1 and any("durable again" in line for line in lines)}


def clock(minutes: float) -> dict[str, Any]:
    """Set the wall clock to 1970, back, and far ahead, by libfaketime."""
    del minutes
    if not Path(FAKETIME).exists():
        return {"skipped": "needs faketime", "passed": True}
    with tempfile.TemporaryDirectory() as name:
        stamp = Path(name) / "clock"

        stamp.write_text("+0")
        environment = {
            "LD_PRELOAD": FAKETIME,
            "FAKETIME_TIMESTAMP_FILE": str(stamp),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        times = ("@1970-01-01 00:00:10", "+0", "+30y")
        steps: list[Callable[[], object]] = [partial(stamp.write_text, text) for text in times]
        lines = _through(steps, Path(name), "clock", environment=environment)
    return {"lines": len(lines), "passed": not any("Traceback" in line for line in lines)}
