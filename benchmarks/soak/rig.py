"""Sets up a soak: broker, model, messages, and processes on their own cores."""

from __future__ import annotations

import json
import os
import select
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
    """Return a detector with random weights that computes as much as a trained one."""
    return tiny_detector(channels=channels, hidden=hidden, levels=8)


def messages(count: int, channels: int = 8, start: int = 0) -> Iterator[bytes]:
    """Yield samples in the service's JSON, one second apart, from a recording that repeats."""
    names = detector(16, channels).schema.names
    values = recording(1, 2000, channels).round(4).tolist()  # few digits, as sensors send
    rows = [json.dumps(dict(zip(names, row, strict=True))) for row in values]
    for i in range(start, start + count):
        yield f'{{"ts": {START_NS // 10**9 + i}, "v": {rows[i % len(rows)]}}}'.encode()


@contextmanager
def broker(folder: Path, extra: str = QUEUES) -> Iterator[Mosquitto]:
    """Run a broker with queues that hold all messages of a run."""
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
    """Write runtime.yaml with one asset, `soak`, and the model beside it."""
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


def spawn(
    *arguments: str, cores: set[int] | None = None, stdout: int = subprocess.DEVNULL, **environment: str
) -> subprocess.Popen[bytes]:
    """Start a Python process of this checkout on the given cores."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        preexec_fn=None if cores is None else lambda: os.sched_setaffinity(0, cores),
        stdout=stdout,
        stderr=subprocess.DEVNULL if not os.environ.get("SOAK_LOG") else None,
    )


def client(port: int, name: str) -> Client:
    """Connect a paho client and start its network thread."""
    made = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
    made.max_inflight_messages_set(WINDOW)
    made.max_queued_messages_set(0)
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval, properties.ReceiveMaximum = 0, 65535
    made.connect("127.0.0.1", port, clean_start=True, properties=properties)
    made.loop_start()
    return made


class Arrivals:
    """Counts messages as they arrive."""

    def __init__(self) -> None:
        self.count = self._wanted = 0
        self._reached = threading.Event()

    def wait(self, count: int, timeout_s: float) -> bool:
        """Wait until `count` messages have arrived; return False if they have not within the timeout."""
        self._wanted = count
        self._reached.clear()
        return self.count >= count or self._reached.wait(timeout_s)

    def _add(self, number: int) -> None:
        self.count += number
        if self.count >= self._wanted:
            self._reached.set()


class TopicListener(Arrivals):
    """Counts the messages on some topics, and keeps them if `keep`."""

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
        self._add(1)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


def wait_online(port: int) -> None:
    """Wait until the service reports that it is connected and has subscribed."""
    listener = TopicListener(port, f"vcedge/{NODE}/status", keep=True)
    seen = listener.count
    while not any(payload == b"online" for _, _, payload in listener.kept[-1:]):
        assert listener.wait(seen + 1, 60), "the service did not come online"
        seen = listener.count
    listener.close()


class Counter(Arrivals):
    """Counts the messages on one topic by mosquitto_sub, which uses little of the broker's core."""

    def __init__(self, port: int, topic: str, probe: str | None = None) -> None:
        """Subscribe; if `topic` has wildcards, `probe` is a topic that it covers."""
        super().__init__()
        binary = shutil.which("mosquitto_sub")
        assert binary, "mosquitto_sub is not installed (mosquitto-clients)"
        command = [binary, "-p", str(port), "-V", "5", "-q", "1", "-t", topic, "-F", "%l"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0)
        assert self._process.stdout is not None
        self._output = self._process.stdout
        self._await_subscription(port, probe or topic)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _await_subscription(self, port: int, topic: str) -> None:
        """Publish probes until one arrives, then read up to the end of a last, longer one: none is counted later."""
        prober = client(port, f"probe-{os.getpid()}")
        while not select.select([self._output], [], [], 0.05)[0]:
            prober.publish(topic, b"{}").wait_for_publish()
        prober.publish(topic, b"{ }").wait_for_publish()
        while self._output.readline() != b"3\n":
            pass
        prober.disconnect()
        prober.loop_stop()

    def _read(self) -> None:
        while chunk := os.read(self._output.fileno(), 1 << 16):
            self._add(chunk.count(b"\n"))

    def close(self) -> None:
        """End the subscription."""
        self._process.terminate()
        self._process.wait(10)
        self._reader.join(10)
        self._output.close()


def feed(port: int, topic: str, payloads: Iterator[bytes]) -> int:
    """Publish all at QoS 1, wait until the broker has them, and return their number."""
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
