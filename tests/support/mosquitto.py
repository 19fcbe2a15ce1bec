"""A real mosquitto broker for one test: the example of deploy/ on a free port, with its files in a given folder."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests.support.process import SLOWNESS

EXAMPLE = Path(__file__).parents[2] / "deploy" / "mosquitto.conf"


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """Starts, stops, kills and restarts a broker, always on the same port with the same files."""

    def __init__(self, folder: Path, extra: str = "", example: Path = EXAMPLE) -> None:
        binary = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if binary is None:
            pytest.skip("mosquitto is not installed: the tests of MQTT need a real broker")
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.log: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        text = re.sub(r"^listener .*", f"listener {self.port} 127.0.0.1", example.read_text(), flags=re.MULTILINE)
        text = re.sub(r"^persistence_location .*", f"persistence_location {folder}/", text, flags=re.MULTILINE)
        owner = "user root\n" if os.geteuid() == 0 else ""
        config = folder / "mosquitto.conf"
        config.write_text(f"{text}\n{owner}log_dest stderr\n{extra}\n")
        self._command = [binary, "-c", str(config)]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._process = process
        running = threading.Event()
        threading.Thread(target=self._read, args=(process, running), daemon=True).start()
        assert running.wait(10 * SLOWNESS), f"mosquitto did not start: {self.log}"
        socket.create_connection(("127.0.0.1", self.port), timeout=10).close()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """Stop it cleanly: it writes its persistent state."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10 * SLOWNESS)
            self._process = None

    def kill(self) -> None:
        """Kill it, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10 * SLOWNESS)
            self._process = None

    def _read(self, process: subprocess.Popen[str], running: threading.Event) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                self.log.append(line.rstrip())
                if line.rstrip().endswith("running"):
                    running.set()
