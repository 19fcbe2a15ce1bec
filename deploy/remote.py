"""A running service as its topics show it, and the folder where it finds files."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

from vcedge.config.runtime import MqttConfig
from vcedge.errors import Unavailable, UsageError
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.paho_setup import Identity
from vcedge.runtime.storage.model_store import make_owned_folder, write_owned
from vcedge.topics import OutputTopics

CONNECT_S = 5.0
ANSWER_S = 6.0
State = dict[str, Any]


class Remote:
    """Of one node. Use it as a context."""

    def __init__(self, mqtt: MqttConfig, node: str) -> None:
        """Raises ConfigError for credentials that cannot be used."""
        self._broker, self._outputs = mqtt.broker, OutputTopics(mqtt.prefix, node)
        subscriptions = (self._outputs.of("+", "model/state"), self._outputs.of("+", "stage/state"))
        self._link = Connection(
            mqtt, Identity(f"vcedge-deploy-{uuid4().hex[:8]}", subscriptions, persistent=False, quiet=True)
        )

    def __enter__(self) -> Remote:
        """Connect. Raises Unavailable."""
        self._link.start()
        if not self._link.wait_connected(CONNECT_S):
            reason = self._link.problem or "no answer"
            self._link.stop(0.0)
            raise Unavailable(f"{self._broker}: {reason}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.stop(CONNECT_S)

    def update(self, asset: str, message: bytes) -> State:
        """Publish a signed model, retained; what the service says of it first. Raises Unavailable."""
        self._heard(self._outputs.of(asset, "model/state"), lambda state: False, 1.0)  # what is retained is of the past
        self._link.publish(self._outputs.of(asset, "model/set"), message, retain=True)
        return self._wanted(asset, "model/state")

    def stage(self, asset: str, to: int | None, hold: bool | None) -> State:
        """The stage of an asset; before that it is moved, where wanted. Raises Unavailable."""
        state = self._wanted(asset, "stage/state")
        if to is None and hold is None:
            return state
        wanted = {"stage": to, "hold": state["hold"] if hold is None else hold}
        self._link.publish(self._outputs.of(asset, "stage/set"), json.dumps(wanted).encode())
        return self._wanted(asset, "stage/state")

    def _wanted(self, asset: str, kind: str) -> State:
        topic = self._outputs.of(asset, kind)
        state = self._heard(topic, lambda state: True, ANSWER_S)
        if state is None:
            raise Unavailable(f"{topic}: nothing heard within {ANSWER_S:.0f} s: does the service run, with this asset?")
        return state

    def _heard(self, topic: str, enough: Callable[[State], bool], patience_s: float) -> State | None:
        """The next state on a topic that is enough, if it comes in time."""
        deadline = time.monotonic() + patience_s
        while (left_s := deadline - time.monotonic()) > 0:
            message = self._link.receive(left_s)
            if message is None:
                continue
            self._link.acknowledge([message])
            if message.topic == topic:
                state: State = json.loads(message.payload)
                if enough(state):
                    return state
        return None


def leave_update(state_dir: Path, asset: str, message: bytes) -> Path:
    """Put an update where the service of this device looks for files. Raises UsageError for an impossible name."""
    if asset in ("", ".", "..") or "/" in asset or asset.startswith("."):
        raise UsageError(f"--asset {asset}: cannot be the name of a file")
    folder = state_dir.resolve() / "updates"
    make_owned_folder(folder)
    path = folder / asset
    hidden = folder / f".{asset}"
    write_owned(hidden, message)
    hidden.replace(path)
    return path
