"""Publishes a recording as a machine would: the messages of each row, at the recording's pace or a multiple of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from vcedge.errors import Unavailable
from vcedge.history.recording import NO_TIME, RowBlock
from vcedge.runtime.codecs import plain_json, senml, value
from vcedge.runtime.mqtt.connection import Connection
from vcedge.schema import F64
from vcedge.topics import InputTopic

CONNECT_S = 5.0
"""Longest wait for a connection."""
STALLED_S = 30.0
"""Longest time in which the broker may accept no message."""
POLL_S = 0.1
"""Time between two checks for unacknowledged messages at the end."""


Writer = Callable[[int, dict[str, float]], list[tuple[str, bytes]]]
"""Returns the messages of one sample, each with its topic. Raises ValueError for a time the codec cannot express."""


def writer_of(codec: str, topic: InputTopic, asset: str) -> Writer:
    """Return a writer for the codec `json`, `senml` or `value`. Raises ValueError for any other, or an unfit topic."""
    if topic.has_channel != (codec == "value"):
        raise ValueError("expected {channel} in the topic with codec value, and with no other codec")
    if codec == "value":
        return lambda at, channels: [(topic.of(asset, name), value.encode(at, v)) for name, v in channels.items()]
    encode = {"json": plain_json.encode, "senml": senml.encode}.get(codec)
    if encode is None:
        raise ValueError("expected json, senml or value")
    return lambda at, channels: [(topic.of(asset), encode(at, channels))]


def present(names: Sequence[str], values: F64) -> dict[str, float]:
    """Return the channels of one row (C,) that have a value."""
    finite = np.isfinite(values).tolist()
    return {name: number for name, number, keep in zip(names, values.tolist(), finite, strict=True) if keep}


def message_of(time_ns: int, names: Sequence[str], values: F64) -> bytes:
    """Return one row (C,) for the codec `json`, with exact numbers; missing values are left out."""
    return plain_json.encode(time_ns, present(names, values))


class Pace:
    """Waits between rows as long as the recording did, divided by `speed`; not at all if that is None."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._last_ns: int | None = None
        self._due_s = time.monotonic()

    def wait(self, time_ns: int) -> None:
        """Wait until the row of this time is due. Rows that go back in time are due at once."""
        if self._speed is None:
            return
        if self._last_ns is not None and time_ns > self._last_ns:
            self._due_s += (time_ns - self._last_ns) / 1e9 / self._speed
        self._last_ns = time_ns
        time.sleep(max(0.0, self._due_s - time.monotonic()))


class Replayer:
    """Publishes recordings over one connection, and counts their rows."""

    def __init__(self, connection: Connection, broker: str) -> None:
        """Start the connection and wait for the broker. Raises Unavailable if it does not answer."""
        self._connection = connection
        self.published = 0
        self.untimed = 0
        """Rows left out because their time cannot be read or written."""
        connection.start()
        if not connection.wait_connected(CONNECT_S):
            connection.stop(0.0)
            raise Unavailable(f"{broker}: no connection within {CONNECT_S:g} s: {self._problem}")

    def publish(self, blocks: Iterable[RowBlock], names: Sequence[str], write: Writer, pace: Pace) -> Iterator[None]:
        """Publish all rows in their order with QoS 1; yields after each, for the caller to report progress.

        Raises Unavailable if the broker accepts no more messages.
        """
        for block in blocks:
            for time_ns, values in zip(block.time_ns.tolist(), block.values, strict=True):
                messages = self._messages(time_ns, present(names, values), write)
                if messages is None:
                    self.untimed += 1
                    continue
                pace.wait(time_ns)
                for topic, payload in messages:
                    if not self._connection.publish(topic, payload, wait_s=STALLED_S):
                        raise Unavailable(f"the broker accepted no message for {STALLED_S:g} s: {self._problem}")
                self.published += 1
                yield

    def finish(self) -> None:
        """Wait until the broker has acknowledged all messages, and disconnect.

        Raises Unavailable if there is no connection, or nothing is acknowledged for STALLED_S.
        """
        connection = self._connection
        connected = connection.wait_connected(STALLED_S)
        left, since = connection.pending, time.monotonic()
        while left and time.monotonic() - since < STALLED_S:
            time.sleep(POLL_S)
            if connection.pending < left:
                left, since = connection.pending, time.monotonic()
        if not connection.stop(STALLED_S) or not connected:
            raise Unavailable(f"{connection.pending} messages were not acknowledged: {self._problem}")

    @property
    def _problem(self) -> str:
        return self._connection.problem or "no answer"

    @staticmethod
    def _messages(time_ns: int, channels: dict[str, float], write: Writer) -> list[tuple[str, bytes]] | None:
        """Return the messages of one row; None if its time cannot be read or written."""
        try:
            return None if time_ns == NO_TIME else write(time_ns, channels)
        except ValueError:
            return None
