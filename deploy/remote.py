"""Controls a running service: over its topics, or by a file in its state folder."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from vcedge.config.mqtt import MqttConfig
from vcedge.errors import Unavailable, UsageError
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.mqtt.paho_setup import Identity
from vcedge.runtime.storage.model_store import make_owned_folder, write_owned
from vcedge.topics import OutputTopics

CONNECT_S = 5.0
ANSWER_S = 6.0
RETAINED_S = 1.0
"""Time in which retained messages arrive after a subscription."""
State = dict[str, Any]


class RemoteNode:
    """Controls the service of one node over the broker, as a context manager."""

    def __init__(self, mqtt: MqttConfig, node: str) -> None:
        """Prepare a connection. Raises ConfigError for credentials that cannot be used."""
        self._broker, self._outputs = mqtt.broker, OutputTopics(mqtt.prefix, node)
        subscriptions = (self._outputs.of("+", "model/state"), self._outputs.of("+", "stage/state"))
        self._connection = Connection(
            mqtt, Identity(f"vcedge-deploy-{uuid4().hex[:8]}", subscriptions, persistent=False, quiet=True)
        )

    def __enter__(self) -> RemoteNode:
        """Connect. Raises Unavailable if the broker does not answer."""
        self._connection.start()
        if not self._connection.wait_connected(CONNECT_S):
            reason = self._connection.problem or "no answer"
            self._connection.stop(0.0)
            raise Unavailable(f"{self._broker}: {reason}")
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.stop(CONNECT_S)

    def update(self, asset: str, message: bytes) -> State:
        """Publish a signed model, retained, and return the service's first answer. Raises Unavailable."""
        self._discard_states(RETAINED_S)
        self._connection.publish(self._outputs.of(asset, "model/set"), message, retain=True)
        return self._next_state(asset, "model/state")

    def stage(self, asset: str, to: int | None, *, hold: bool | None) -> State:
        """Move an asset to stage `to` and hold it there if they are given, and return its stage. Raises Unavailable."""
        state = self._next_state(asset, "stage/state")
        if to is None and hold is None:
            return state
        wanted = {"stage": to, "hold": state["hold"] if hold is None else hold}
        self._connection.publish(self._outputs.of(asset, "stage/set"), json.dumps(wanted).encode())
        return self._next_state(asset, "stage/state")

    def _next_state(self, asset: str, kind: str) -> State:
        """Return the next state on a topic of an asset. Raises Unavailable if none arrives within ANSWER_S."""
        topic, deadline = self._outputs.of(asset, kind), time.monotonic() + ANSWER_S
        while (left_s := deadline - time.monotonic()) > 0:
            message = self._receive(left_s)
            if message is not None and message.topic == topic:
                state: State = json.loads(message.payload)
                return state
        raise Unavailable(
            f"{topic}: no message within {ANSWER_S:.0f} s: check that the service runs and has this asset"
        )

    def _discard_states(self, duration_s: float) -> None:
        """Discard the states that arrive within this time: the broker had retained them."""
        deadline = time.monotonic() + duration_s
        while (left_s := deadline - time.monotonic()) > 0:
            self._receive(left_s)

    def _receive(self, timeout_s: float) -> Incoming | None:
        message = self._connection.receive(timeout_s)
        if message is not None:
            self._connection.acknowledge([message])
        return message


def place_update(state_dir: Path, asset: str, message: bytes) -> Path:
    """Write an update to the folder that the service of this device watches. Raises UsageError for a bad name."""
    if asset in ("", ".", "..") or "/" in asset or asset.startswith("."):
        raise UsageError(f"--asset {asset}: cannot be the name of a file")
    folder = state_dir.resolve() / "updates"
    make_owned_folder(folder)
    path = folder / asset
    write_owned(path, message)  # atomic: the service never sees part of a message
    return path
