"""Measures the service on this machine: seconds to READY, memory, time of a score.

scripts/test-arm64 runs it in the emulated machine and on the host. Needs mosquitto and the base dependencies of vcedge
alone. Emulation adds to memory (translated code, the emulator itself): `bare_mb` is the memory of an idle Python there,
so that the difference is the service's own.
"""

from __future__ import annotations

import argparse
import json
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.process_stats import cpu_s, resident_mb, rss_mb
from tests.support.detectors import recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, running
from tests.support.process import SLOWNESS
from tests.support.service import configure, publish, wait_online
from vcedge.detector import Detector
from vcedge.runtime.engine.native_support import native_status

NODE = "device"
STARTS = 5
READY_S = 60.0 * SLOWNESS


def measured(rows: int, starts: int, detector: Detector) -> dict[str, Any]:
    """Return medians over the starts, and the memory after all rows are scored."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Mosquitto(folder / "mosquitto")
        broker.start()
        try:
            config = configure(folder, NODE, broker.url, detector)
            begun = [_start(folder, config) for _ in range(starts)]
            run = _served(config, broker.url, rows)
        finally:
            broker.stop()
    return {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "kernel": native_status(),
        "ready_s": round(statistics.median(wall for wall, _ in begun), 2),
        "ready_cpu_s": round(statistics.median(cpu for _, cpu in begun), 2),
        **run,
        "bare_mb": _bare_mb(),
    }


def _start(folder: Path, config: Path) -> tuple[float, float]:
    """Return the seconds of wall clock and of CPU until the service notifies systemd of READY."""
    with _inbox(folder / "notify") as inbox:
        began = time.monotonic()
        with running("run", config, NOTIFY_SOCKET=str(folder / "notify")) as service:
            assert inbox.recv(64) == b"READY=1"
            found = time.monotonic() - began, cpu_s(service.pid)
            assert service.end() == 0
    return found


@contextmanager
def _inbox(path: Path) -> Iterator[socket.socket]:
    """Open a socket for notifications, as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(str(path))
        inbox.settimeout(READY_S)
        yield inbox
    path.unlink()


def _served(config: Path, url: str, rows: int) -> dict[str, Any]:
    """Send each row as one message, wait for all scores, and return memory and time of a score."""
    with running("run", config) as service, Peer(url, f"vcedge/{NODE}/#") as peer:
        wait_online(peer, NODE)
        publish(peer, f"{NODE}/{NODE}", samples(recording(1, rows, 3)))
        scores = peer.scores(NODE, rows)
        memory = round(rss_mb(service.pid), 1)
        assert service.end() == 0
    return {"scores": len(scores), "rss_mb": memory, "us": statistics.median(s["us"] for s in scores)}


def _bare_mb() -> float:
    code = "print(open('/proc/self/status').read())"
    status = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return round(resident_mb(status), 1)


def main() -> None:
    """Print one object of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device", description=__doc__)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--starts", type=int, default=STARTS)
    options = parser.parse_args()
    print(json.dumps(measured(options.rows, options.starts, tiny_detector())))


if __name__ == "__main__":
    main()
