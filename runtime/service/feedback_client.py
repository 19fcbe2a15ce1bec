"""Judges events of a running service from another program: publishes judgements and waits for the answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar
from uuid import uuid4

from vcedge.config.mqtt import MqttConfig
from vcedge.errors import DataError, Unavailable
from vcedge.runtime.assets.judgements import Judgement
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.mqtt.paho_setup import Identity
from vcedge.topics import OutputTopics

PATIENCE_S = 10.0
"""Longest wait for the broker, for what the service has retained, and for its answer."""
STOP_S = 2.0
State = dict[str, Any]
"""A payload of `feedback/state`."""
Found = TypeVar("Found")


class FeedbackClient:
    """Reads the feedback of one asset and judges its events, within a `with` block."""

    def __init__(self, mqtt: MqttConfig, outputs: OutputTopics, asset: str) -> None:
        self._broker, self._outputs, self._asset = mqtt.broker, outputs, asset
        self._state, self._set = outputs.of(asset, "feedback/state"), outputs.of(asset, "feedback/set")
        topics = (outputs.status, outputs.deadletter, self._state)
        identity = Identity(f"vcedge-feedback-{uuid4().hex[:8]}", topics, persistent=False, quiet=True)
        self._connection = Connection(mqtt, identity)
        self._retained: dict[str, bytes] = {}

    def __enter__(self) -> FeedbackClient:
        """Connect, and wait until the service is known to be online. Raises Unavailable."""
        self._connection.start()
        if not self._connection.wait_connected(PATIENCE_S):
            problem = self._connection.problem or "no answer"
            self._connection.stop(0.0)
            raise Unavailable(f"{self._broker}: no connection within {PATIENCE_S:g} s: {problem}")
        try:
            status = self._wait(lambda _: self._retained.get(self._outputs.status))
            if status != b"online":
                said = "has published no status" if status is None else f"is {status.decode('utf-8', 'replace')}"
                raise Unavailable(
                    f"{self._outputs.status} at {self._broker}: the service {said}; start it, or check node"
                )
        except BaseException:
            self._connection.stop(STOP_S)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.stop(STOP_S)

    def state(self) -> State:
        """Return the state of feedback that the broker retains. Raises Unavailable if there is none."""
        payload = self._wait(lambda _: self._retained.get(self._state))
        if payload is None:
            raise Unavailable(f"{self._state}: no message within {PATIENCE_S:g} s: does the service have this asset?")
        return _object(payload)

    def judge(self, judgement: Judgement) -> State:
        """Publish a judgement and return the state that answers it.

        Raises DataError if the service refuses it, Unavailable if it does not answer.
        """
        payload = judgement.model_dump_json().encode()
        self._connection.publish(self._set, payload)
        answer = self._wait(lambda message: self._answer(message, judgement, payload))
        if answer is None:
            raise Unavailable(
                f"{self._set}: no answer within {PATIENCE_S:g} s; the broker may deliver the message later"
            )
        if answer["refused"]:
            raise DataError(f"asset {self._asset}: refused: {answer['refused']}")
        return answer

    def _answer(self, message: Incoming | None, judgement: Judgement, payload: bytes) -> State | None:
        """Return the state in a message that answers a judgement; None if the message is about something else."""
        if message is None or message.retained:
            return None
        values = _object(message.payload)
        if message.topic == self._outputs.deadletter:
            own = values.get("topic") == self._set and payload.decode().startswith(values.get("payload") or "-")
            return {"refused": str(values.get("reason"))} if own else None
        if message.topic == self._state:
            if repr(judgement.event) in str(values.get("refused")):  # its dead letter may be suppressed
                return values
            mine = all(values.get(key) == value for key, value in judgement.model_dump().items())
            return values if mine and not values.get("refused") else None
        return None

    def _wait(self, find: Callable[[Incoming | None], Found | None]) -> Found | None:
        """Return what is found in the next messages, None if nothing is in time; first without a message."""
        deadline, found = time.monotonic() + PATIENCE_S, find(None)
        while found is None and time.monotonic() < deadline:
            message = self._connection.receive(max(deadline - time.monotonic(), 0.0))
            if message is None:
                break
            self._connection.acknowledge([message])
            if message.topic in (self._outputs.status, self._state):
                self._retained[message.topic] = message.payload
            found = find(message)
        return found


def _object(payload: bytes) -> State:
    """Return a JSON object, empty for anything else."""
    try:
        value = json.loads(payload)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
