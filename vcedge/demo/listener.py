"""What the service says of the pump, heard over MQTT as any other program would hear it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import numpy as np

from vcedge.config.runtime import MqttConfig
from vcedge.demo.findings import Noticed, Times
from vcedge.errors import Unavailable
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.paho_setup import Identity
from vcedge.schema import F64
from vcedge.topics import OutputTopics

CONNECT_S = 15.0
SILENCE_S = 60.0
"""How long nothing may arrive while something is waited for."""
LOOK_S = 0.2


class Listener:
    """Subscribes to all that one node publishes and keeps what the findings need."""

    def __init__(self, mqtt: MqttConfig, node: str, asset: str) -> None:
        topics = OutputTopics(mqtt.prefix, node)
        name = f"vcedge-demo-{uuid4().hex[:8]}"
        self._link = Connection(mqtt, Identity(name, (f"{mqtt.prefix}/{node}/#",), persistent=False))
        self._hear: dict[str, Callable[[bytes], None]] = {
            topics.status: self._status,
            topics.deadletter: self._deadletter,
            topics.of(asset, "score"): self._score,
            topics.of(asset, "event"): self._event,
            topics.of(asset, "anomaly"): self._anomaly,
        }
        self._scores: dict[int, tuple[int, float]] = {}  # seq: time and updated share
        self._noticed: dict[str, Noticed] = {}
        self._arrivals_s: tuple[float, float] | None = None
        self.online = False
        """Whether the service says that it is connected."""
        self.answered = False
        """Whether the service hears what is sent to it."""
        self.alarms = 0
        """How often the anomaly topic went ON."""

    def start(self) -> None:
        """Connect. Raises Unavailable where the broker does not answer."""
        self._link.start()
        if not self._link.wait_connected(CONNECT_S):
            raise Unavailable(f"the embedded broker does not answer: {self._link.problem or 'no answer'}")

    def knock(self, topic: str) -> None:
        """Send the service something that it cannot read: its dead letter proves that it listens, and nothing else."""
        self._link.publish(topic, b"knock, knock")

    def close(self) -> None:
        """Disconnect."""
        self._link.stop(1.0)

    def wait(self, done: Callable[[], bool], check: Callable[[], None], what: str) -> None:
        """Listen until `done`. `check` raises where it is not worth waiting for.

        Raises Unavailable, with `what` was waited for, when nothing arrives any more.
        """
        heard_s = time.monotonic()
        while not done():
            message = self._link.receive(LOOK_S)
            if message is None:
                check()
                if time.monotonic() - heard_s > SILENCE_S:
                    raise Unavailable(f"{what}: nothing arrived for {SILENCE_S:g} s")
                continue
            heard_s = time.monotonic()
            hear = self._hear.get(message.topic)
            if hear is not None:
                hear(message.payload)
            self._link.acknowledge([message])

    @property
    def scores(self) -> int:
        """How many different scores arrived."""
        return len(self._scores)

    @property
    def events(self) -> list[Noticed]:
        """The events that began, as they were then."""
        return list(self._noticed.values())

    @property
    def scores_per_s(self) -> float:
        """Between the first score and the last, by the clock; 0 for fewer than two."""
        first, last = self._arrivals_s or (0.0, 0.0)
        return (len(self._scores) - 1) / (last - first) if last > first else 0.0

    def rows(self) -> tuple[Times, F64]:
        """Times (N,) and updated shares (N,) of all scores, in the order of the recording."""
        ordered = [self._scores[seq] for seq in sorted(self._scores)]
        times = np.array([time_ns for time_ns, _ in ordered], np.int64)
        return times, np.array([share for _, share in ordered], np.float64)

    def _status(self, payload: bytes) -> None:
        self.online = payload == b"online"

    def _deadletter(self, payload: bytes) -> None:
        self.answered = True

    def _anomaly(self, payload: bytes) -> None:
        self.alarms += payload == b"ON"

    def _score(self, payload: bytes) -> None:
        score = json.loads(payload)
        now_s = time.monotonic()
        self._arrivals_s = (now_s if self._arrivals_s is None else self._arrivals_s[0], now_s)
        share = score["updated"] / score["hidden"] if score["hidden"] else 0.0
        self._scores[score["seq"]] = (_nanoseconds(score["ts"]), share)

    def _event(self, payload: bytes) -> None:
        event: dict[str, Any] = json.loads(payload)
        if event["type"] == "new":
            top = tuple((str(name), float(share)) for name, share in event["top"])
            self._noticed[event["id"]] = Noticed(event["id"], event["kind"], _nanoseconds(event["start"]), top)


def _nanoseconds(ms: float) -> int:
    """Milliseconds of a payload, which tell microseconds at most."""
    return round(ms * 1000) * 1000
