"""What the service takes on the machine at hand: start to READY, memory, scores. scripts/test-arm64 asks it twice, in
the emulated machine and here. Needs vcedge with its base dependencies and mosquitto, nothing else.

Emulation adds to memory (translated code, the emulator itself): `bare_mb` is what a Python that does nothing takes
there, so that the difference is the service's own.
"""

from __future__ import annotations

import argparse
import json
import os
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

from tests.support.detectors import recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, Process, running
from tests.support.process import SLOWNESS
from tests.support.service import configure, publish, wait_online
from vcedge.detector import Detector
from vcedge.runtime.engine.native_support import native_status

NODE = "device"
STARTS = 5
READY_S = 60.0 * SLOWNESS
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def measured(rows: int, starts: int, detector: Detector) -> dict[str, Any]:
    """One line of the report: medians over the starts; memory after all rows were scored."""
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
    """Seconds to READY, by the wall and of computing, as systemd would be told."""
    with _inbox(folder / "notify") as inbox:
        began = time.monotonic()
        with running("run", config, NOTIFY_SOCKET=str(folder / "notify")) as service:
            assert inbox.recv(64) == b"READY=1"
            found = time.monotonic() - began, _cpu_s(service.pid)
            assert service.end() == 0
    return found


@contextmanager
def _inbox(path: Path) -> Iterator[socket.socket]:
    """A socket as systemd has it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(str(path))
        inbox.settimeout(READY_S)
        yield inbox
    path.unlink()


def _served(config: Path, url: str, rows: int) -> dict[str, Any]:
    """Every row is one message, and has to come back as a score."""
    with running("run", config) as service, Peer(url, f"vcedge/{NODE}/#") as peer:
        wait_online(peer, NODE)
        publish(peer, f"{NODE}/{NODE}", samples(recording(1, rows, 3)))
        scores = peer.scores(NODE, rows)
        found = {"scores": len(scores), "rss_mb": _rss_mb(service), "us": statistics.median(s["us"] for s in scores)}
        assert service.end() == 0
    return found


def _rss_mb(service: Process) -> float:
    return _status_mb(Path(f"/proc/{service.pid}/status").read_text())


def _bare_mb() -> float:
    code = "print(open('/proc/self/status').read())"
    return _status_mb(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def _status_mb(text: str) -> float:
    line = next(line for line in text.splitlines() if line.startswith("VmRSS:"))
    return round(int(line.split()[1]) / 1024, 1)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def main() -> None:
    """`python -m benchmarks.device [--rows N] [--starts N]` prints one object of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--starts", type=int, default=STARTS)
    options = parser.parse_args()
    print(json.dumps(measured(options.rows, options.starts, tiny_detector())))


if __name__ == "__main__":
    main()
