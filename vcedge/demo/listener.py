"""Receives the service's messages over MQTT, as any other program would."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import numpy as np

from vcedge.config.mqtt import MqttConfig
from vcedge.demo.findings import ReportedEvent, Times
from vcedge.errors import Unavailable
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.paho_setup import Identity
from vcedge.schema import F64
from vcedge.topics import OutputTopics

CONNECT_S = 15.0
SILENCE_S = 60.0
"""Longest time without a message while waiting for one."""
POLL_S = 0.2


class Listener:
    """Subscribes to all topics of one node and keeps what the findings need."""

    def __init__(self, mqtt: MqttConfig, node: str, asset: str) -> None:
        topics = OutputTopics(mqtt.prefix, node)
        name = f"vcedge-demo-{uuid4().hex[:8]}"
        self._connection = Connection(mqtt, Identity(name, (f"{mqtt.prefix}/{node}/#",), persistent=False))
        self._handlers: dict[str, Callable[[bytes], None]] = {
            topics.status: self._status,
            topics.deadletter: self._deadletter,
            topics.of(asset, "score"): self._score,
            topics.of(asset, "event"): self._event,
            topics.of(asset, "anomaly"): self._anomaly,
        }
        self._scores: dict[int, tuple[int, float]] = {}  # seq: time and updated share
        self._events: dict[str, ReportedEvent] = {}
        self._arrivals_s: tuple[float, float] | None = None
        self.online = False
        """Whether the service reports that it is connected."""
        self.receiving = False
        """Whether the service receives messages."""
        self.alarms = 0
        """How often the anomaly topic changed to ON."""

    def start(self) -> None:
        """Connect. Raises Unavailable if the broker does not answer."""
        self._connection.start()
        if not self._connection.wait_connected(CONNECT_S):
            raise Unavailable(f"the embedded broker does not answer: {self._connection.problem or 'no answer'}")

    def probe(self, topic: str) -> None:
        """Send an undecodable message: its dead letter proves that the service receives, and nothing else changes."""
        self._connection.publish(topic, b"knock, knock")

    def close(self) -> None:
        """Disconnect."""
        self._connection.stop(1.0)

    def wait(self, done: Callable[[], bool], check: Callable[[], None], what: str) -> None:
        """Handle messages until `done`; `check`, called in pauses, may raise to end the wait.

        Raises Unavailable that names `what` if no message arrives for SILENCE_S.
        """
        arrived_s = time.monotonic()
        while not done():
            message = self._connection.receive(POLL_S)
            if message is None:
                check()
                if time.monotonic() - arrived_s > SILENCE_S:
                    raise Unavailable(f"{what}: nothing arrived for {SILENCE_S:g} s")
                continue
            arrived_s = time.monotonic()
            handle = self._handlers.get(message.topic)
            if handle is not None:
                handle(message.payload)
            self._connection.acknowledge([message])

    @property
    def scores(self) -> int:
        """Number of different scores received."""
        return len(self._scores)

    @property
    def events(self) -> list[ReportedEvent]:
        """The events, as first reported."""
        return list(self._events.values())

    @property
    def scores_per_s(self) -> float:
        """Scores a second between the first and the last one, by the wall clock; 0 for fewer than two."""
        first, last = self._arrivals_s or (0.0, 0.0)
        return (len(self._scores) - 1) / (last - first) if last > first else 0.0

    def rows(self) -> tuple[Times, F64]:
        """Return times (N,) and updated shares (N,) of all scores, in the order of the recording."""
        ordered = [self._scores[seq] for seq in sorted(self._scores)]
        times = np.array([time_ns for time_ns, _ in ordered], np.int64)
        return times, np.array([share for _, share in ordered], np.float64)

    def _status(self, payload: bytes) -> None:
        self.online = payload == b"online"

    def _deadletter(self, payload: bytes) -> None:
        self.receiving = True

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
            start_ns, text = _nanoseconds(event["start"]), event["text"]
            self._events[event["id"]] = ReportedEvent(event["id"], event["kind"], start_ns, top, text)


def _nanoseconds(ms: float) -> int:
    """Convert the milliseconds of a payload, which are exact to a microsecond."""
    return round(ms * 1000) * 1000
