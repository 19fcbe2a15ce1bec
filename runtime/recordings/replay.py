"""Publishing a recording as a machine would: the messages of each row, at the recording's pace or a multiple of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vcedge.errors import Unavailable
from vcedge.history.recording import NO_TIME, RowBlock
from vcedge.runtime.codecs import plain_json, senml, value
from vcedge.runtime.mqtt.connection import Link
from vcedge.schema import F64
from vcedge.topics import InputTopic

CONNECT_S = 5.0
"""How long a broker may take to answer."""
STALLED_S = 30.0
"""How long it may take no message."""
LOOK_S = 0.1
"""How often what is left is counted at the end."""


@dataclass
class Progress:
    """Rows so far."""

    published: int = 0
    untimed: int = 0
    """Rows left out because their time cannot be read, or written: no machine sends such a message."""


Writer = Callable[[int, dict[str, float]], list[tuple[str, bytes]]]
"""The messages of one sample, each with its topic. Raises ValueError for a time that they cannot tell."""


def writer_of(codec: str, topic: InputTopic, asset: str) -> Writer:
    """Writes what the codec `json`, `senml` or `value` reads. Raises ValueError that says which topic it needs."""
    if topic.has_channel != (codec == "value"):
        raise ValueError("expected {channel} in the topic with codec value, and with no other")
    if codec == "value":
        return lambda at, channels: [(topic.of(asset, name), value.encode(at, v)) for name, v in channels.items()]
    encode = {"json": plain_json.encode, "senml": senml.encode}.get(codec)
    if encode is None:
        raise ValueError("expected json, senml or value")
    return lambda at, channels: [(topic.of(asset), encode(at, channels))]


def present(names: Sequence[str], values: F64) -> dict[str, float]:
    """The channels of one row (C,) that have a value."""
    there = np.isfinite(values).tolist()
    return {name: number for name, number, is_there in zip(names, values.tolist(), there, strict=True) if is_there}


def message_of(time_ns: int, names: Sequence[str], values: F64) -> bytes:
    """One row (C,) as the codec `json` reads it; exact numbers, and a missing value is left out."""
    return plain_json.encode(time_ns, present(names, values))


class Pace:
    """Waits between rows as the recording did, `speed` times as fast; None: never."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._last_ns: int | None = None
        self._due_s = time.monotonic()

    def wait(self, time_ns: int) -> None:
        """Wait until the row of this time is due. Rows that go back in time follow at once."""
        if self._speed is None:
            return
        if self._last_ns is not None and time_ns > self._last_ns:
            self._due_s += (time_ns - self._last_ns) / 1e9 / self._speed
        self._last_ns = time_ns
        time.sleep(max(0.0, self._due_s - time.monotonic()))


def connect(link: Link, broker: str) -> None:
    """Start and wait for the broker. Raises Unavailable where it does not answer."""
    link.start()
    if not link.wait_connected(CONNECT_S):
        link.stop(0.0)
        raise Unavailable(f"{broker}: no connection within {CONNECT_S:g} s: {link.complaint or 'no answer'}")


def replay(
    link: Link,
    write: Writer,
    names: Sequence[str],
    blocks: Iterable[RowBlock],
    pace: Pace,
    progress: Progress,
    tell: Callable[[Progress], None],
) -> None:
    """Publish all rows in their order, QoS 1. Raises Unavailable when the broker takes no more."""
    for block in blocks:
        for time_ns, values in zip(block.time_ns.tolist(), block.values, strict=True):
            if time_ns == NO_TIME:
                progress.untimed += 1
                continue
            try:
                messages = write(time_ns, present(names, values))
            except ValueError:
                progress.untimed += 1
                continue
            pace.wait(time_ns)
            for topic, payload in messages:
                if not link.publish(topic, payload, wait_s=STALLED_S):
                    reason = link.complaint or "no answer"
                    raise Unavailable(f"the broker took no message for {STALLED_S:g} s: {reason}")
            progress.published += 1
            tell(progress)


def finish(link: Link) -> None:
    """Wait until the broker has acknowledged everything, and disconnect.

    Raises Unavailable where it is not there, or acknowledges nothing for STALLED_S.
    """
    connected = link.wait_connected(STALLED_S)
    left, since = link.unsent, time.monotonic()
    while left and time.monotonic() - since < STALLED_S:
        time.sleep(LOOK_S)
        if link.unsent < left:
            left, since = link.unsent, time.monotonic()
    if not link.stop(STALLED_S) or not connected:
        raise Unavailable(f"{link.unsent} messages were not acknowledged: {link.complaint or 'no answer'}")
