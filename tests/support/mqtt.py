"""The environment of a service in a test: a broker, listeners, publishers, and the service itself as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.process import ROOT, SLOWNESS

PATIENCE_S = 20.0 * SLOWNESS


class Peer:
    """Listens and publishes as another client of the broker: plain paho, independent of the product's own connection.

    A persistent peer keeps its session and reconnects when the broker is back.
    """

    def __init__(self, url: str, *subscriptions: str, version: str = "5", persistent: bool = False) -> None:
        self.messages: list[MQTTMessage] = []
        self.patience_s = PATIENCE_S
        self._counts: Counter[str] = Counter()
        self._arrived: Queue[MQTTMessage] = Queue()
        self._subscriptions = [(topic, 1) for topic in subscriptions]
        self._ready = threading.Event()
        self._broker = urlsplit(url)
        self._five, self._persistent = version == "5", persistent
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"peer-{uuid4().hex[:8]}",
            clean_session=None if self._five else not persistent,
            protocol=MQTTProtocolVersion.MQTTv5 if self._five else MQTTProtocolVersion.MQTTv311,
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _client, _data, message: self._arrived.put(message)

    def __enter__(self) -> Peer:
        properties = None
        if self._five:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 3600 if self._persistent else 0
        start: bool | int = not self._persistent if self._five else MQTT_CLEAN_START_FIRST_ONLY
        host, port = self._broker.hostname or "localhost", self._broker.port or 1883
        self._client.connect(host, port, clean_start=start, properties=properties)
        self._client.loop_start()
        assert self._ready.wait(PATIENCE_S), f"not connected and subscribed within {PATIENCE_S} s"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _subscribe(self, *_: object) -> None:
        if self._subscriptions:
            self._client.subscribe(self._subscriptions)
        else:
            self._ready.set()

    def publish(self, topic: str, payload: bytes | str | dict[str, Any], *, retain: bool = False) -> None:
        """Publish text, bytes, or an object as JSON, QoS 1, and wait for the broker's acknowledgement."""
        data = json.dumps(payload) if isinstance(payload, dict) else payload
        sent = self._client.publish(topic, data, qos=1, retain=retain)
        sent.wait_for_publish(PATIENCE_S)
        assert sent.is_published(), f"{topic}: not acknowledged within {PATIENCE_S} s"

    def settle(self) -> None:
        """Wait until the broker has read every acknowledgement of this client, so that it delivers nothing again.

        paho acknowledges a message after its callback. Once the first of these publications is acknowledged, all of
        them are on their way; once the second is, the broker has read them.
        """
        for _ in range(2):
            self.publish("settle", b"")

    def until(self, enough: Callable[[list[MQTTMessage]], bool], what: str = "messages") -> list[MQTTMessage]:
        """Listen until the messages so far satisfy the condition."""
        deadline = time.monotonic() + self.patience_s
        while not enough(self.messages):
            assert time.monotonic() < deadline, f"no {what}: {[(m.topic, m.payload) for m in self.messages[-10:]]}"
            self.listen(0.1)
        return self.messages

    def listen(self, timeout_s: float) -> bool:
        """Append the next message to `messages`. Return False if none arrives within this time."""
        try:
            message = self._arrived.get(timeout=timeout_s)
        except Empty:
            return False
        self.messages.append(message)
        self._counts["/".join(message.topic.split("/")[-2:])] += 1
        return True

    def until_last(self, topic: str, payload: bytes) -> None:
        """Listen until the last message of a topic is this one."""
        self.until(lambda messages: last(messages, topic) == payload, f"{payload!r} on {topic}")

    def count(self, kind: str) -> int:
        """Return how many messages arrived on topics with this ending."""
        return sum(count for topic, count in self._counts.items() if topic.endswith(f"/{kind}"))

    def scores(self, asset: str, count: int) -> list[dict[str, Any]]:
        """Return the first scores of an asset, this many, in the order of their arrival."""
        self.until(lambda _: self._counts[f"{asset}/score"] >= count, f"{count} scores of {asset}")
        return payloads(self.messages, asset, "score")


def last(messages: Iterable[MQTTMessage], topic: str) -> bytes | None:
    """Return the last payload of a topic."""
    return next((m.payload for m in reversed(list(messages)) if m.topic == topic), None)


def payloads(messages: Iterable[MQTTMessage], asset: str, kind: str) -> list[Any]:
    """Return the payloads of one kind of topic of an asset, from JSON."""
    return [json.loads(m.payload) for m in messages if m.topic.endswith(f"/{asset}/{kind}")]


class Process:
    """Runs a command of vcedge until it is stopped; keeps its lines on stderr."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.lines: list[str] = []
        self._new_line = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "vcedge", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_line(self, words: str) -> str:
        """Wait for a line on stderr with these words."""
        with self._new_line:
            found = self._new_line.wait_for(lambda: any(words in line for line in self.lines), PATIENCE_S)
            assert found, f"no line with {words!r} in {self.lines}"
            return next(line for line in self.lines if words in line)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal and return at once."""
        self._process.send_signal(number)

    def end(self, number: signal.Signals | None = signal.SIGTERM) -> int:
        """Send a signal, or with None wait for the process to end; return the exit code, negative for a signal."""
        if self._process.poll() is None and number is not None:
            self._process.send_signal(number)
        code = self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        assert self._process.stdout is not None
        self.output = self._process.stdout.read()
        self._process.stdout.close()
        return code

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            for line in stream:
                with self._new_line:
                    self.lines.append(line.rstrip())
                    self._new_line.notify_all()


@contextmanager
def running(*arguments: str | Path, **environment: str) -> Iterator[Process]:
    """Run a command and kill it at the end of the block if it still runs."""
    process = Process(*map(str, arguments), **environment)
    try:
        yield process
    finally:
        if process.alive:
            process.end(signal.SIGKILL)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll for a condition that no event announces, such as one in the file system."""
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S} s: {what}"
        pause.wait(0.02)
