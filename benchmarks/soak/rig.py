"""What stands around the service in a soak: broker, model, messages, processes on cores of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.detectors import START_NS, recording, tiny_detector
from tests.support.mosquitto import Mosquitto
from vcedge import model_file
from vcedge.detector import Detector

WINDOW = 1000
NODE = "soak"
CORES = sorted(os.sched_getaffinity(0))
SERVICE_CORE, OTHER_CORE = {CORES[-1]}, {CORES[0]}
QUEUES = "max_queued_messages 0\nmax_inflight_messages 1000\nautosave_interval 0"


def detector(hidden: int = 128, channels: int = 8) -> Detector:
    """Random weights over a believable recording; what it computes is as much as a trained one does."""
    return tiny_detector(channels=channels, hidden=hidden, levels=8)


def messages(count: int, channels: int = 8, start: int = 0) -> Iterator[bytes]:
    """One sample a second, in the service's JSON; the recording is repeated."""
    names = detector(16, channels).schema.names
    values = recording(1, 2000, channels).round(4).tolist()  # as sensors are read: not with 17 digits
    rows = [json.dumps(dict(zip(names, row, strict=True))) for row in values]
    for i in range(start, start + count):
        yield f'{{"ts": {START_NS // 10**9 + i}, "v": {rows[i % len(rows)]}}}'.encode()


@contextmanager
def broker(folder: Path, extra: str = QUEUES) -> Iterator[Mosquitto]:
    """A broker with queues that hold a whole run."""
    server = Mosquitto(folder / "mosquitto", extra)
    text = (folder / "mosquitto" / "mosquitto.conf").read_text().replace(extra, "")
    own = {line.split()[0] for line in extra.splitlines() if line}
    kept = [line for line in text.splitlines() if line.split(" ")[0] not in own]
    (folder / "mosquitto" / "mosquitto.conf").write_text("\n".join([*kept, extra, ""]))
    server.start()
    try:
        yield server
    finally:
        server.kill()


def configure(folder: Path, url: str, **changes: Any) -> Path:
    """runtime.yaml with one asset, `soak`, and the model beside it."""
    if not (folder / "model.vcedge").exists():
        model_file.save(detector(), folder / "model.vcedge")
    content: dict[str, Any] = {
        "node": NODE,
        "state_dir": str(folder / "state"),
        "mqtt": {"broker": url},
        "input": {"topic": f"{NODE}/{{asset}}"},
        "assets": {NODE: {"model": str(folder / "model.vcedge")}},
    }
    path = folder / "runtime.yaml"
    path.write_text(json.dumps({**content, **changes}))
    return path


def spawn(*arguments: str, cores: set[int] | None = None, **environment: str) -> subprocess.Popen[bytes]:
    """A Python process of this checkout, on the given cores."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        preexec_fn=None if cores is None else lambda: os.sched_setaffinity(0, cores),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if not os.environ.get("SOAK_LOG") else None,
    )


def client(port: int, name: str, persistent: bool = False) -> Client:
    """A connected paho client with its network thread running."""
    made = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
    made.max_inflight_messages_set(WINDOW)
    made.max_queued_messages_set(0)
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval, properties.ReceiveMaximum = 3600 if persistent else 0, 65535
    made.connect("127.0.0.1", port, clean_start=not persistent, properties=properties)
    made.loop_start()
    return made


class Counting:
    """Something that counts what arrives."""

    def __init__(self) -> None:
        self.count = self._wanted = 0
        self._reached = threading.Event()

    def wait(self, count: int, timeout_s: float) -> bool:
        """Whether so many messages arrived within this time."""
        self._wanted = count
        self._reached.clear()
        return self.count >= count or self._reached.wait(timeout_s)

    def _arrived(self, number: int) -> None:
        self.count += number
        if self.count >= self._wanted:
            self._reached.set()


class Listener(Counting):
    """Counts and keeps what arrives on topics."""

    def __init__(self, port: int, *topics: str, keep: bool = False) -> None:
        super().__init__()
        self.kept: list[tuple[float, str, bytes]] = []
        self._client = client(port, f"listener-{os.getpid()}-{id(self)}")
        self._keep = keep
        self._client.on_message = self._on_message
        granted = threading.Event()
        self._client.on_subscribe = lambda *_: granted.set()
        self._client.subscribe([(topic, 1) for topic in topics])
        granted.wait(10)

    def _on_message(self, _: Any, __: Any, message: Any) -> None:
        if self._keep:
            self.kept.append((time.monotonic(), message.topic, message.payload))
        self._arrived(1)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()


def wait_online(port: int) -> None:
    """Until the service says that it is connected and has subscribed."""
    listener = Listener(port, f"vcedge/{NODE}/status", keep=True)
    deadline = time.monotonic() + 60
    while not any(payload == b"online" for _, _, payload in listener.kept[-1:]):
        assert time.monotonic() < deadline, "the service did not come online"
        time.sleep(0.05)
    listener.close()


class Counter(Counting):
    """Counts what arrives on one topic, by mosquitto_sub: a listener that costs the broker's core little."""

    def __init__(self, port: int, topic: str, probe: str | None = None) -> None:
        """`probe` is a topic that `topic` covers, where that has wildcards."""
        super().__init__()
        binary = shutil.which("mosquitto_sub")
        assert binary, "mosquitto_sub is not installed (mosquitto-clients)"
        command = [binary, "-p", str(port), "-V", "5", "-q", "1", "-t", topic, "-F", "."]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        prober = client(port, f"probe-{os.getpid()}")
        while not self.count:
            prober.publish(probe or topic, b"{}").wait_for_publish()
            time.sleep(0.05)
        prober.disconnect()
        prober.loop_stop()
        time.sleep(0.2)
        self.count = 0

    def _read(self) -> None:
        assert self._process.stdout is not None
        while chunk := os.read(self._process.stdout.fileno(), 1 << 16):
            self._arrived(chunk.count(b"\n"))

    def close(self) -> None:
        """Leave."""
        self._process.terminate()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._reader.join(10)
        self._process.stdout.close()


def cpu_s(pid: int) -> float:
    """Seconds of a core that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", text)
    return int(found.group(1)) / 1024 if found else 0.0


def feed(port: int, topic: str, payloads: Iterator[bytes]) -> int:
    """Publish all at QoS 1 and wait until the broker has them; how many."""
    sender = client(port, f"feeder-{os.getpid()}")
    count, info = 0, None
    for count, payload in enumerate(payloads, 1):
        info = sender.publish(topic, payload, qos=1)
        if count % WINDOW == 0:
            info.wait_for_publish()
    if info is not None:
        info.wait_for_publish()
    sender.disconnect()
    sender.loop_stop()
    return count
